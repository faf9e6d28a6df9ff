//! Every check on its seeds: what was found once is not to come back, with or without a fuzzer.

use std::fs;
use std::path::Path;

fn check_all(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("a folder of seeds") {
        let path = entry.expect("a seed").path();
        println!("{}", path.display());
        check(&fs::read(&path).expect("a seed"));
        count += 1;
    }
    assert!(count > 0, "no seeds in {}", folder.display());
}

#[test]
fn segment() {
    check_all("segment", pcapx_fuzz::segment::check);
}

#[test]
fn packet_keys() {
    check_all("packet_keys", pcapx_fuzz::packet_keys::check);
}

#[test]
fn lines() {
    check_all("lines", pcapx_fuzz::lines::check);
}

#[test]
fn filter() {
    check_all("filter", pcapx_fuzz::filter::check);
}

#[test]
fn index() {
    check_all("index", pcapx_fuzz::index::check);
}

#[test]
fn answers() {
    check_all("answers", pcapx_fuzz::answers::check);
}
