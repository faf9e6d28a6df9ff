//! Rights are given up once the sockets are open.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use pcapx_recorder::privileges::Account;

use crate::namespace::{alone, alone_as_root};
use crate::program::Program;
use crate::veth::{FAR, NEAR, assert_same, connect, frames, numbered, send};

/// A line of a process's status, without its name.
fn status(pid: u32, field: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field}")).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn assert_powerless(pid: u32) {
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(status(pid, set), "0000000000000000", "{set}");
    }
    assert_eq!(status(pid, "NoNewPrivs"), "1");
}

#[test]
fn capabilities_are_given_up_by_a_user_who_stays() {
    alone("privileges::capabilities_are_given_up_by_a_user_who_stays", || {
        connect();
        let program = Program::start(&format!("-i far -u {}", rustix::process::getuid().as_raw()));
        assert_powerless(program.pid());
        let sent = numbered(300, 100);
        send(&sent, NEAR, FAR);
        let ended = program.stop();
        ended.assert_complete();
        assert_same(&frames(ended.packets), &sent);
    });
}

#[test]
fn root_becomes_the_user_and_goes_on_recording() {
    alone_as_root("privileges::root_becomes_the_user_and_goes_on_recording", || {
        if Account::find("nobody").is_err() {
            pcapx_testkit::tool::skipped("there is no user nobody");
            return;
        }
        connect();
        let program = Program::launch("-i far --threads 2 -u nobody");
        // Nobody may reach the folder, which the test's own root has made.
        fs::set_permissions(program.dump().parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
        program.logged("recording far", 1);
        assert_powerless(program.pid());
        let ids = |field| status(program.pid(), field);
        let user = ids("Uid");
        let user = user.split(' ').next().unwrap();
        assert_ne!(user, "0");
        assert_eq!(ids("Uid"), [user; 4].join(" "));
        assert!(!ids("Gid").split(' ').any(|group| group == "0"), "{}", ids("Gid"));
        assert!(!ids("Groups").split(' ').any(|group| group == "0"), "{}", ids("Groups"));
        let owner = fs::metadata(program.dump()).unwrap().uid().to_string();
        assert_eq!(owner, user);

        let sent = numbered(2000, 1000);
        send(&sent, NEAR, FAR);
        let ended = program.stop();
        ended.assert_complete();
        assert_same(&frames(ended.packets), &sent);
    });
}

#[test]
fn who_cannot_become_another_user_is_told_what_to_do() {
    alone("privileges::who_cannot_become_another_user_is_told_what_to_do", || {
        connect();
        let ended = Program::launch("-i far -u 65534").end();
        assert_eq!(ended.code, Some(1), "{}", ended.log);
        for word in ["cannot become the user", "root", "AmbientCapabilities="] {
            assert!(ended.log.contains(word), "{}", ended.log);
        }
        let ended = Program::launch("-i far -u nobody-of-that-name").end();
        assert!(ended.log.contains("no user \"nobody-of-that-name\""), "{}", ended.log);
    });
}
