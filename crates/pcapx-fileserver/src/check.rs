//! What the service would do with its configuration: for `--check`, and for the log at start.

use std::fmt::{self, Display};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use pcapx_core::config::{Loaded, Service};
use pcapx_http::audit::Audit;
use pcapx_http::{Check, Front, LogValue};

/// One thing that was looked at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// As it should be.
    Ok(String),
    /// Odd, but the service works, perhaps later.
    Warning(String),
    /// Not a file would be served.
    Error(String),
}

impl Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Ok(text) => write!(f, "ok: {text}"),
            Finding::Warning(text) => write!(f, "warning: {text}"),
            Finding::Error(text) => write!(f, "error: {text}"),
        }
    }
}

impl Finding {
    /// Writes the finding into the log.
    pub(crate) fn log(&self) {
        match self {
            Finding::Ok(text) => log::info!("{text}"),
            Finding::Warning(text) | Finding::Error(text) => log::warn!("{text}"),
        }
    }
}

/// Looks at everything, changes nothing, and tells no secret.
pub(crate) fn findings(loaded: &Loaded) -> Vec<Finding> {
    let config = &loaded.config;
    let path = loaded.path.to_string_lossy();
    let networks: Vec<String> = config.allowed_ips.iter().map(ToString::to_string).collect();
    let clients = if networks.is_empty() { "every address".to_owned() } else { networks.join(", ") };
    let mut findings = vec![Finding::Ok(format!("configuration {}", LogValue::new(path.as_ref())))];
    findings.extend(loaded.warnings.iter().map(|warning| Finding::Warning(warning.to_string())));
    findings.push(Finding::Ok(format!("listens on {}", config.address(Service::Fileserver))));
    if config.tls(Service::Fileserver).is_some() {
        let told = Front::check_tls(Service::Fileserver, config);
        findings.push(told.map_or_else(|error| Finding::Error(error.to_string()), Finding::Ok));
    }
    findings.push(Finding::Ok(format!("authentication {}", config.fileserver_auth)));
    findings.push(Finding::Ok(format!("clients {clients}")));
    findings.extend(config.directory_listing.then(|| Finding::Ok("pages at /".to_owned())));
    findings.extend(config.openness(Service::Fileserver).map(Finding::Warning));
    let audit = Audit::check(config);
    findings
        .extend(audit.map(|told| told.map_or_else(|error| Finding::Error(error.to_string()), Finding::Ok)));
    findings.push(folder(loaded));
    findings
}

/// For `/readyz`: whether the folder of the evidence can be read.
pub(crate) fn readable(folder: &Path) -> Check {
    let folder = folder.to_owned();
    Check::new("output_dir", move || {
        fs::read_dir(&folder).map(drop).map_err(|error| format!("{}: {error}", folder.display()))
    })
}

fn folder(loaded: &Loaded) -> Finding {
    let path = loaded.config.output_dir.to_string_lossy();
    let path = LogValue::new(path.as_ref());
    match fs::metadata(&loaded.config.output_dir) {
        Ok(metadata) if metadata.is_dir() => Finding::Ok(format!("output_dir {path}")),
        Ok(_) => Finding::Error(format!("output_dir {path} is not a directory; every file is 404")),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Finding::Warning(format!("output_dir {path} is not there yet; until then every file is 404"))
        }
        Err(error) => Finding::Error(format!("output_dir {path} cannot be used: {error}; every file is 404")),
    }
}
