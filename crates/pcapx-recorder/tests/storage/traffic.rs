//! Numbered packets over the loopback, at a steady rate.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pcapx_core::time::Timestamp;
use pcapx_recorder::afpacket::Sender;
use pcapx_testkit::packet::{Ethernet, Ipv4, Udp};

/// What packets are sent together: fewer than the kernel queues on a loopback.
const TOGETHER_MOST: u64 = 64;
/// Bytes in front of a packet's number: Ethernet, IPv4, UDP.
const NUMBER_AT: usize = 14 + 20 + 8;
/// The port that all packets go to.
pub(crate) const PORT: u16 = 4009;

/// Sends until it is stopped or dropped.
pub(crate) struct Traffic {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    /// When each packet was sent, or a little before.
    times: Arc<Mutex<Vec<Timestamp>>>,
    thread: Option<JoinHandle<()>>,
}

impl Traffic {
    /// Sends so many packets of `len` bytes a second, numbered from 0 on.
    pub(crate) fn start(packets_per_second: u64, len: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (sent, times) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
        let thread = thread::spawn({
            let (stop, sent, times) = (Arc::clone(&stop), Arc::clone(&sent), Arc::clone(&times));
            move || {
                let sender = Sender::open("lo").unwrap();
                let begun = Instant::now();
                while !stop.load(Ordering::Relaxed) {
                    let due = begun.elapsed().as_micros() as u64 * packets_per_second / 1_000_000;
                    let from = sent.load(Ordering::Relaxed);
                    let some = due.saturating_sub(from).min(TOGETHER_MOST);
                    if some == 0 {
                        thread::sleep(Duration::from_millis(2));
                        continue;
                    }
                    let frames: Vec<_> = (from..from + some).map(|number| packet(number, len)).collect();
                    let now = Timestamp::now();
                    times.lock().unwrap().extend((0..some).map(|_| now));
                    sender.send(&frames).unwrap();
                    sent.store(from + some, Ordering::Relaxed);
                }
            }
        });
        Self { stop, sent, times, thread: Some(thread) }
    }

    /// How many packets were sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// The numbers of the packets that were certainly sent between two instants.
    pub(crate) fn between(&self, from: Timestamp, to: Timestamp) -> Range<u64> {
        let times = self.times.lock().unwrap();
        let first = times.partition_point(|&time| time < from) as u64;
        // The time was taken before a batch was sent: that of the next batch is after all of it.
        let latest = times.iter().copied().take_while(|&time| time < to).last();
        let last = times.partition_point(|&time| Some(time) < latest) as u64;
        first..last.max(first)
    }

    /// Stops sending, and answers how many packets were sent.
    pub(crate) fn stop(mut self) -> u64 {
        self.end();
        self.sent()
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.end();
    }
}

/// A packet of `len` bytes with a number.
pub(crate) fn packet(number: u64, len: usize) -> Vec<u8> {
    let mut payload = vec![number as u8; len.saturating_sub(NUMBER_AT).max(8)];
    payload[..8].copy_from_slice(&number.to_be_bytes());
    let udp = Udp::new(40_000, PORT).payload(&payload);
    Ethernet::new().carry(&Ipv4::new([127, 0, 0, 10], [127, 0, 0, 20]).carry(&udp))
}

/// The number in a packet; `None` for packets of others.
pub(crate) fn number(packet: &[u8]) -> Option<u64> {
    let port = packet.get(36..38)?;
    let is_ours = packet.get(12..14)? == [8, 0] && packet.get(23)? == &17 && port == PORT.to_be_bytes();
    let bytes = packet.get(NUMBER_AT..)?.first_chunk()?;
    is_ours.then_some(u64::from_be_bytes(*bytes))
}
