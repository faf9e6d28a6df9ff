//! The way out: running jobs finish, late ones are cancelled, nothing is left.

use std::net::TcpStream;

use pcapx_testkit::process::{Connection, PATIENCE, poll};

use crate::fake::{Fake, HELD, assert_dead};
use crate::{ALERT, ALERT_FILE, assert_result, evidence, post_bytes};

/// A child with a grandchild that never ends by itself.
const HANGS: &str = r#"
echo partial > "$output"
sh -c 'echo $$ > "$1/grandchild"; read line < "$1/release"' sh "$site" &
echo $$ > "$site/leader"
echo $$ >> "$site/started"
wait
"#;

#[test]
fn a_running_job_finishes_and_is_answered() {
    let mut fake = Fake::new(HELD);
    let mut service = fake.listener();
    let mut connection = Connection::open(service.address());
    connection.send(&post_bytes("/", ALERT.as_bytes()));
    fake.wait_for_starts(1);
    service.terminate();
    let refused = poll(PATIENCE, || TcpStream::connect(service.address()).is_err().then_some(()));
    assert!(refused.is_some(), "new connections are still taken");
    fake.release(1);
    assert_result(&connection.reply().unwrap(), &format!("http://127.0.0.1:0/{ALERT_FILE}"));
    let exit = service.wait(PATIENCE).unwrap();
    assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
    assert_eq!(evidence(&fake.site), [ALERT_FILE]);
}

#[test]
fn a_job_whose_client_left_is_waited_for() {
    let mut fake = Fake::new(HELD);
    let mut service = fake.listener();
    let mut connection = Connection::open(service.address());
    connection.send(&post_bytes("/", ALERT.as_bytes()));
    fake.wait_for_starts(1);
    drop(connection);
    service.terminate();
    service.wait_for_log(|line| line.contains("SIGTERM"));
    fake.release(1);
    let exit = service.wait(PATIENCE).unwrap();
    assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
    assert_eq!(evidence(&fake.site), [ALERT_FILE]);
    assert!(exit.stderr.contains(" outcome=complete "), "{}", exit.stderr);
}

#[test]
fn a_job_over_the_drain_time_is_answered_with_its_link_and_done_by_the_next_start() {
    let mut fake = Fake::new(HANGS);
    fake.site.set("drain_timeout", 1);
    let mut service = fake.listener();
    let mut connection = Connection::open(service.address());
    connection.send(&post_bytes("/", ALERT.as_bytes()));
    fake.wait_for_starts(1);
    let (leader, grandchild) = (fake.pid("leader"), fake.pid("grandchild"));
    service.terminate();
    assert_result(&connection.reply().unwrap(), &format!("http://127.0.0.1:0/{ALERT_FILE}"));
    let exit = service.wait(PATIENCE).unwrap();
    assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
    assert_dead(leader);
    assert_dead(grandchild);
    assert!(evidence(&fake.site).is_empty(), "{:?}", evidence(&fake.site));
    assert!(exit.stderr.contains(" goes on after a restart"), "{}", exit.stderr);

    fake.script("echo packets > \"$output\"");
    let again = fake.listener();
    again.wait_for_log(|line| line.contains("job id=") && line.contains(" outcome=complete "));
    assert_eq!(evidence(&fake.site), [ALERT_FILE]);
}

#[test]
fn a_second_signal_ends_at_once() {
    let fake = Fake::new(HANGS);
    let mut service = fake.listener();
    let mut connection = Connection::open(service.address());
    connection.send(&post_bytes("/", ALERT.as_bytes()));
    fake.wait_for_starts(1);
    let (leader, grandchild) = (fake.pid("leader"), fake.pid("grandchild"));
    service.terminate();
    service.wait_for_log(|line| line.contains("SIGTERM: stopping"));
    service.terminate();
    // The drain time is 30 s.
    let exit = service.wait(std::time::Duration::from_secs(15)).unwrap();
    assert_eq!(exit.status.code(), Some(0), "{}", exit.stderr);
    assert_dead(leader);
    assert_dead(grandchild);
    assert!(evidence(&fake.site).is_empty(), "{:?}", evidence(&fake.site));
}
