//! What the recorder tells Prometheus, and Prometheus makes of it.

use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use pcapx_testkit::process::{Connection, PATIENCE, Reply, Service, Site, poll, request};
use pcapx_testkit::prometheus::{Prometheus, check_metrics};

use crate::apart::apart;
use crate::live::sibling;
use crate::recorder::{Place, Recorder};
use crate::traffic::Traffic;

/// Where a recorder tells its metrics.
#[track_caller]
fn address(recorder: &Recorder) -> SocketAddr {
    let line = || {
        let log = recorder.log();
        let (_, rest) = log.split_once("metrics on http://")?;
        rest.split_once('/')?.0.parse().ok()
    };
    poll(PATIENCE, line).unwrap_or_else(|| panic!("{}", recorder.log()))
}

fn get(server: SocketAddr) -> String {
    let reply = request(server, "GET", "/metrics", &[], b"");
    assert_eq!(reply.status, 200);
    reply.text()
}

fn value(page: &str, name: &str) -> Option<f64> {
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Some(line.parse().unwrap())
}

#[test]
fn figures_are_those_of_what_was_recorded() {
    apart("metrics::figures_are_those_of_what_was_recorded", || {
        let folder = tempfile::tempdir().unwrap();
        // Only what is sent to the port of the traffic; the loopback has the packets of this test as well.
        let recorder = Place::one_tree(folder.path()).record("-6 1000 -p 100 --metrics 0 -f udp");
        let server = address(&recorder);
        assert!(server.ip().is_loopback());
        let traffic = Traffic::start(2000, 500);
        assert!(poll(PATIENCE, || (traffic.sent() > 3000).then_some(())).is_some());
        let sent = traffic.stop() as f64;
        let page = poll(PATIENCE, || {
            let page = get(server);
            (value(&page, "pcapx_recorder_recorded_packets_total") == Some(sent)).then_some(page)
        });
        let page = page.unwrap_or_else(|| panic!("{sent}: {}", get(server)));
        check_metrics(server, &[]);
        for (name, told) in [
            ("pcapx_recorder_up", 1.0),
            ("pcapx_recorder_kernel_drops_total", 0.0),
            ("pcapx_recorder_drops_total", 0.0),
            ("pcapx_recorder_limit_bytes", f64::from(1000 << 20)),
        ] {
            assert_eq!(value(&page, name), Some(told), "{page}");
        }
        let number = |name| value(&page, name).unwrap_or_else(|| panic!("{name}: {page}"));
        // Those of TCP came and were left out.
        let came = number("pcapx_recorder_received_packets_total");
        let filtered = number("pcapx_recorder_filtered_packets_total");
        assert!(came > sent && (came - sent - filtered).abs() < 0.5, "{page}");
        assert!(number("pcapx_recorder_search_lag_seconds") < 60.0);
        assert_eq!(recorder.stop().0, Some(0));
    });
}

#[test]
fn nothing_else_is_to_be_had_and_nobody_keeps_others_waiting() {
    apart("metrics::nothing_else_is_to_be_had_and_nobody_keeps_others_waiting", || {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Place::one_tree(folder.path()).record("-6 1000 -p 100 --metrics 127.0.0.1:0");
        let server = address(&recorder);
        let ask = |bytes: &[u8]| -> Reply { Connection::open(server).exchange(bytes) };
        for (request, status) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], 404),
            (b"GET /../../etc/passwd HTTP/1.1\r\n\r\n", 404),
            (b"POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 405),
            (b"nonsense\r\n\r\n", 400),
            (&[b'x'; 8192], 400),
        ] {
            assert_eq!(ask(request).status, status, "{}", request.escape_ascii());
        }
        let mut head = Connection::open(server);
        assert!(head.send(b"HEAD /metrics HTTP/1.1\r\n\r\n"));
        assert_eq!(head.reply_to("HEAD").unwrap().status, 200);
        // Those who say nothing are left alone after a while, one after the other; who asks is answered then.
        let silent: Vec<_> = (0..2).map(|_| TcpStream::connect(server).unwrap()).collect();
        assert!(get(server).contains("pcapx_recorder_up"));
        for mut stream in silent {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
        }
        assert_eq!(recorder.stop().0, Some(0));
    });
}

#[test]
fn a_port_that_is_taken_keeps_nothing_from_being_recorded() {
    apart("metrics::a_port_that_is_taken_keeps_nothing_from_being_recorded", || {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let words = format!("-6 1000 -p 100 --metrics {}", taken.local_addr().unwrap());
        let recorder = Place::one_tree(folder.path()).record(&words);
        recorder.wait_for_log("cannot be had");
        recorder.wait_for_status(|status| status.searchable_up_to.is_some());
        drop(taken);
        assert!(get(address(&recorder)).contains("pcapx_recorder_up 1.0"));
        assert_eq!(recorder.stop().0, Some(0));
    });
}

#[test]
fn one_prometheus_scrapes_recorder_listener_and_fileserver() {
    apart("metrics::one_prometheus_scrapes_recorder_listener_and_fileserver", || {
        let (Some(listener), Some(fileserver)) = (sibling("pcapx-listener"), sibling("pcapx-fileserver"))
        else {
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let place = Place::one_tree(folder.path());
        let recorder = place.record("-6 1000 -p 100 --metrics 0 -f udp");
        let mut site = Site::new();
        site.set("timeline_dir", place.timeline.to_str().unwrap()).set("metrics", "open");
        let (listener, fileserver) = (Service::start(listener, &site), Service::start(fileserver, &site));
        let targets = [
            ("recorder", address(&recorder)),
            ("listener", listener.address()),
            ("fileserver", fileserver.address()),
        ];
        let Some(prometheus) = Prometheus::start(folder.path(), &targets, None) else { return };
        let traffic = Traffic::start(1000, 500);
        thread::sleep(Duration::from_millis(1500));
        let sent = traffic.stop() as f64;
        prometheus.wait_for("sum(up)", |up| (up - 3.0).abs() < f64::EPSILON);
        let is_sent = |value: f64| (value - sent).abs() < f64::EPSILON;
        for job in ["recorder", "listener"] {
            prometheus.wait_for(&format!("pcapx_recorder_recorded_packets_total{{job=\"{job}\"}}"), is_sent);
        }
        prometheus.wait_for("count(pcapx_build_info) by (x)", |count| (count - 3.0).abs() < f64::EPSILON);
        assert_eq!(recorder.stop().0, Some(0));
    });
}
