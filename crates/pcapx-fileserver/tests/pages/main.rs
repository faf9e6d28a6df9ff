//! The pages for analysts, of the real file server over real sockets.

mod browser;
mod fixture;
mod list;
mod switch;
mod view;
mod volume;

use pcapx_testkit::process::{Reply, Service, Site, request};

const BINARY: &str = env!("CARGO_BIN_EXE_pcapx-fileserver");

/// A file server with pages, whose local time is Warsaw's.
fn start(site: &mut Site) -> Service {
    site.set("directory_listing", true).set("host", "pcap.example.com").set("fileserver_port", 0);
    Service::spawn(site.command(BINARY).env("TZ", "Europe/Warsaw")).unwrap_or_else(|error| panic!("{error}"))
}

fn get(service: &Service, target: &str) -> Reply {
    request(service.address(), "GET", target, &[], b"")
}

/// A page's text; narrow and unbroken blanks as plain ones.
#[track_caller]
fn page(service: &Service, target: &str) -> String {
    let reply = get(service, target);
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, Some("text/html; charset=utf-8")),
        "{target}"
    );
    plain(&reply)
}

fn plain(reply: &Reply) -> String {
    reply.text().replace(['\u{a0}', '\u{202f}'], " ")
}

/// What stands between two marks of a page, at each of their places.
fn between<'p>(page: &'p str, begin: &str, end: &str) -> Vec<&'p str> {
    page.split(begin).skip(1).filter_map(|rest| Some(rest.split_once(end)?.0)).collect()
}

/// The names that a page of the list leads to, in order.
fn listed(page: &str) -> Vec<String> {
    between(page, "<a href=\"?view=", "\"").into_iter().map(str::to_owned).collect()
}

#[track_caller]
fn assert_has(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "{part}\nis not in\n{page}");
    }
}
