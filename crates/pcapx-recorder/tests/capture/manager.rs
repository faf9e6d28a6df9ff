//! What a service manager hears.

use std::os::unix::net::UnixDatagram;

use pcapx_testkit::process::{PATIENCE, Signal};

use crate::namespace::alone;
use crate::program::Program;
use crate::veth::{FAR, connect};

#[test]
fn the_manager_hears_of_start_life_and_end() {
    alone("manager::the_manager_hears_of_start_life_and_end", || {
        connect();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let next = || {
            let mut message = [0; 1024];
            let length = socket.recv(&mut message).expect("the manager is told nothing");
            String::from_utf8(message[..length].to_vec()).unwrap()
        };
        let next_change = || loop {
            let message = next();
            if message != "WATCHDOG=1\n" {
                return message;
            }
        };
        let program = Program::start_managed(&format!("-i {FAR}"), &path);
        assert_eq!(next_change(), "STATUS=putting in order what an earlier recorder has left\n");
        let ready = next_change();
        let expected = format!("READY=1\nSTATUS=recording {FAR} (ETHERNET) to ");
        assert!(ready.starts_with(&expected), "{ready}");
        for _ in 0..5 {
            assert_eq!(next(), "WATCHDOG=1\n");
        }
        program.signal(Signal::TERM);
        assert!(next_change().starts_with("STOPPING=1\n"));
        program.end().assert_complete();
    });
}
