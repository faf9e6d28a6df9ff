//! pcapx-config(5), from the table of keys.

use std::path::PathBuf;

use pcapx_core::config::KEYS;
use roff::{Roff, bold, roman};

use crate::Made;
use crate::page::{MANUAL, SOURCE, entry, heading, see_also, sentence};

const DESCRIPTION: &str = "One file of JSON, read by pcapx-listener and pcapx-fileserver: an object whose keys are the \
    following. A key that is not known is named in a warning and has no effect; all that is wrong is told at once, by \
    --check as well.";

const ENVIRONMENT: &str = "takes the place of that key, written in upper case, so that a secret needs no file. Lists are \
    separated by commas.";

const RELOAD: &str = "On SIGHUP (systemctl reload) a service reads the file again; the log says what changed and what counts \
    after a restart only. A file that cannot be used changes nothing.";

pub(crate) fn page(date: &str) -> Made {
    let mut page = Roff::new();
    page.control("TH", ["PCAPX-CONFIG", "5", date, SOURCE, MANUAL]);
    heading(&mut page, "NAME");
    page.text([roman("pcapx-config - configuration of the pcapx services")]);
    heading(&mut page, "DESCRIPTION");
    page.text([roman(DESCRIPTION)]);
    page.control("PP", []);
    page.text([roman(RELOAD)]);
    heading(&mut page, "KEYS");
    for key in KEYS {
        let value = match key.value {
            _ if key.required => ", required".to_owned(),
            Some(value) => format!(", default {}", value.json()),
            None => String::new(),
        };
        let term = [bold(key.name), roman(format!(" ({}{value})", key.unit.replace('`', "")))];
        entry(&mut page, term, &[sentence(&key.doc.replace('`', ""))]);
    }
    heading(&mut page, "ENVIRONMENT");
    entry(&mut page, [bold("PCAPX_<KEY>")], &[ENVIRONMENT]);
    heading(&mut page, "FILES");
    entry(&mut page, [bold("/etc/pcapx/config.json")], &["Where the systemd units look for it."]);
    entry(&mut page, [bold("/usr/share/pcapx/config.json")], &["The file as shipped."]);
    see_also(&mut page, &[("pcapx-listener", 8), ("pcapx-fileserver", 8)]);
    Made { path: PathBuf::from("share/man/man5/pcapx-config.5"), content: page.render() }
}
