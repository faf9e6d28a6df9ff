//! The audit log of the listener, and the command that proves it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::fake::Fake;
use crate::{ALERT, LISTENER, post};

fn verify(files: &[PathBuf], more: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        Command::new(LISTENER).args(["audit", "verify"]).args(files).args(more).output().unwrap();
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn extractions_are_written_down_over_rotated_files_and_nothing_can_be_taken_out() {
    let mut fake = Fake::new("echo packets > \"$output\"");
    let folder = fake.site.path().join("audit");
    fs::create_dir(&folder).unwrap();
    fake.site.set("audit_log", folder.to_str().unwrap()).set("audit_log_max_bytes", 900);
    let service = fake.listener();
    for number in 0..5 {
        let alert = ALERT.replace("alert_12345", &format!("alert_{number}"));
        assert_eq!(post(service.address(), "/", &alert).status, 200);
    }
    let exit = service.stop();
    let head = exit.stderr.lines().rev().find_map(|line| line.split_once(" ends: head=")).unwrap().1;
    let all = files(&folder);
    assert!(all.len() > 1, "{all:?}");
    let (code, told) = verify(&all, &["--head", head]);
    assert_eq!(code, Some(0), "{told}");
    // A start, five extractions, a stop, and the last line of each full file.
    let lines = 7 + all.len() - 1;
    assert_eq!(told.trim_end(), format!("ok: lines 1 to {lines} are as they were written, head={head}"));

    // Without its beginning it is no log any more, but for whoever has archived it.
    let rotated =
        exit.stderr.lines().find_map(|line| line.split_once(" begins a new file: head=")).unwrap().1;
    let mut ordered = all.clone();
    ordered.sort();
    let (code, told) = verify(&ordered[1..], &["--head", head]);
    let missing = format!("lines 1 to {} are missing", rotated.split_once(':').unwrap().0);
    assert!(code == Some(3) && told.contains(&missing), "{code:?} {told}");
    assert_eq!(verify(&ordered[1..], &["--head", head, "--after", rotated]).0, Some(0));
    let (code, told) = verify(&ordered[..ordered.len() - 1], &[]);
    assert!(code == Some(3) && told.contains("goes on in another file"), "{code:?} {told}");
    let texts: String = all.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let extracted = "\"act\":\"extract\",\"user\":\"-\",\"evidence\":\"20250209_112000_alert_3\",\
                     \"filter\":\"tcp and host 10.0.0.10 and host 10.0.0.20 and port 443\",\
                     \"result\":\"complete\"";
    assert!(texts.contains(extracted), "{texts}");

    let victim = all.iter().find(|path| fs::read_to_string(path).unwrap().contains("alert_2")).unwrap();
    let text = fs::read_to_string(victim).unwrap();
    let without: String =
        text.lines().filter(|line| !line.contains("alert_2")).flat_map(|line| [line, "\n"]).collect();
    for changed in [without, text.replace("alert_2", "alert_9")] {
        fs::write(victim, changed).unwrap();
        let (code, told) = verify(&all, &["--head", head]);
        assert_eq!(code, Some(3), "{told}");
        assert!(!told.contains("ok:"), "{told}");
    }
    assert_eq!(verify(&all, &["--head", "nonsense"]).0, Some(2));
    assert_eq!(verify(&[], &[]).0, Some(2));
}
