//! The command line, and a folder that is not there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use pcapx_testkit::process::{Service, Site, request};

const BINARY: &str = env!("CARGO_BIN_EXE_pcapx-fileserver");

fn run(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn check_says_what_would_be_bound_and_served() {
    let mut site = Site::new();
    site.set("fileserver_port", 8081).set("allowed_ips", vec!["10.0.0.5/24", "::1"]);
    site.set("fileserver_auth_user", "sycope").set("fileserver_auth_pass", "hunter2");
    let (code, stdout, stderr) = run(site.command(BINARY).arg("--check"));
    assert_eq!(code, Some(0), "{stderr}");
    let lines: Vec<&str> = stdout.lines().collect();
    let configuration = format!("ok: configuration {}", site.config_path().display());
    let folder = format!("ok: output_dir {}", site.output_dir().display());
    assert_eq!(
        lines,
        [
            configuration.as_str(),
            "ok: listens on 127.0.0.1:8081",
            "ok: authentication basic",
            "ok: clients 10.0.0.0/24, ::1/128",
            &folder
        ]
    );
    assert!(!stdout.contains("hunter2"));
}

#[test]
fn check_tells_a_folder_that_may_come_from_one_that_cannot() {
    let mut site = Site::new();
    let folder = site.path().join("later");
    site.set("output_dir", folder.to_str().unwrap()).set("unknown_key", 1);
    let (code, stdout, _) = run(site.command(BINARY).arg("--check"));
    let warning =
        format!("warning: output_dir {} is not there yet; until then every file is 404", folder.display());
    assert_eq!((code, stdout.lines().last()), (Some(0), Some(warning.as_str())));
    assert!(
        stdout.lines().any(|line| line.starts_with("warning: ") && line.contains("unknown_key")),
        "{stdout}"
    );
    assert!(!folder.exists());
    fs::write(&folder, "a file").unwrap();
    let (code, stdout, _) = run(site.command(BINARY).arg("--check"));
    let error = format!("error: output_dir {} is not a directory; every file is 404", folder.display());
    assert_eq!((code, stdout.lines().last()), (Some(3), Some(error.as_str())));
}

#[test]
fn check_fails_on_a_bad_configuration() {
    let mut site = Site::new();
    site.set("allowed_ips", vec!["10.0.0.300"]).unset("output_dir");
    let (code, stdout, stderr) = run(site.command(BINARY).arg("--check"));
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("10.0.0.300") && stderr.contains("output_dir"), "{stderr}");
    let (code, _, stderr) = run(&mut site.command(BINARY));
    assert_eq!(code, Some(1), "{stderr}");
    let (code, _, stderr) = run(Command::new(BINARY).args(["--config", "/nonexistent/config.json"]));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("/nonexistent/config.json"), "{stderr}");
}

#[test]
fn help_and_version() {
    let (code, stdout, _) = run(Command::new(BINARY).arg("--help"));
    assert_eq!(code, Some(0));
    for part in ["--config", "--check", "Examples:", "curl -C -", "$PCAPX_CONFIG", "Exit codes:", "PCAPX_LOG"]
    {
        assert!(stdout.contains(part), "{part} is missing:\n{stdout}");
    }
    let (code, stdout, _) = run(Command::new(BINARY).arg("--version"));
    assert_eq!(
        (code, stdout.as_str()),
        (Some(0), concat!("pcapx-fileserver ", env!("CARGO_PKG_VERSION"), "\n"))
    );
    assert_eq!(run(Command::new(BINARY).arg("--nonsense")).0, Some(2));
}

#[test]
fn one_ready_line_on_stdout_and_the_log_on_stderr() {
    let site = Site::new();
    let service = Service::start(BINARY, &site);
    let ready = format!("pcapx-fileserver: listening on http://{}", service.address());
    let exit = service.stop();
    assert_eq!(exit.stdout, ready);
    assert!(exit.status.success() && exit.stderr.contains("SIGTERM"), "{}", exit.stderr);
}

#[test]
fn a_port_in_use_is_named() {
    let site = Site::new();
    let service = Service::start(BINARY, &site);
    let mut second = Site::new();
    second.set("fileserver_port", service.address().port());
    let (code, stdout, stderr) = run(&mut second.command(BINARY));
    assert_eq!((code, stdout.as_str()), (Some(3), ""));
    assert!(stderr.contains(&format!("cannot listen on {}", service.address())), "{stderr}");
}

#[test]
fn a_folder_that_appears_later_is_served_then() {
    let site = Site::new();
    fs::remove_dir(site.output_dir()).unwrap();
    let service = Service::start(BINARY, &site);
    service.wait_for_log(|line| line.contains("WARN") && line.contains("is not there yet"));
    let status = || request(service.address(), "GET", "/a.pcap", &[], b"").status;
    assert_eq!(status(), 404);
    assert!(!site.output_dir().exists(), "the service made the folder");
    fs::create_dir(site.output_dir()).unwrap();
    fs::write(site.output_dir().join("a.pcap"), "packets").unwrap();
    assert_eq!(status(), 200);
    fs::rename(site.output_dir(), site.path().join("moved")).unwrap();
    assert_eq!(status(), 404);
}

#[test]
fn a_read_only_folder_is_enough() {
    let site = Site::new();
    let path = site.output_dir().join("a.pcap");
    fs::write(&path, "packets").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(site.output_dir(), fs::Permissions::from_mode(0o555)).unwrap();
    let service = Service::start(BINARY, &site);
    assert_eq!(request(service.address(), "GET", "/a.pcap", &[], b"").text(), "packets");
    drop(service);
    fs::set_permissions(site.output_dir(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(fs::read_dir(site.output_dir()).unwrap().count(), 1);
}

#[test]
fn check_looks_at_the_folder_of_the_audit_log() {
    let mut site = Site::new();
    let folder = site.path().join("audit");
    site.set("audit_log", folder.to_str().unwrap());
    let (code, stdout, _) = run(site.command(BINARY).arg("--check"));
    let error = format!("error: audit_log: {}: ", folder.display());
    assert!(code == Some(3) && stdout.lines().any(|line| line.starts_with(&error)), "{stdout}");
    fs::create_dir(&folder).unwrap();
    let (code, stdout, _) = run(site.command(BINARY).arg("--check"));
    let fine = format!("ok: audit_log {}", folder.display());
    assert!(code == Some(0) && stdout.lines().any(|line| line == fine), "{stdout}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "it looks and changes nothing");
}
