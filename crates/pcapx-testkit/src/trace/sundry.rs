//! What stands between the long flows: DNS, ICMP, ARP, fragments, SCTP.

use std::net::Ipv4Addr;

use super::dice::Dice;
use super::flow::{Path, World};
use crate::packet::{Arp, Ethernet, Icmp, Icmpv6, Sctp, Udp};

/// Of ten thousand turns, how many are not a burst of a flow. A turn has one to three frames.
pub(super) const TURNS_OF_10_000: u32 = 900;

/// The frames of one turn.
pub(super) fn turn(world: &World, path: Path, dice: &mut Dice) -> Vec<Vec<u8>> {
    let (id, port) = (dice.roll() as u32, dice.between(32_768, 61_000) as u16);
    match dice.below(100) {
        0..60 => {
            let (query_len, answer_len) = (dice.between(30, 60), dice.between(60, 460));
            let query = Udp::new(port, 53).payload(world.payload(query_len, dice));
            let answer = Udp::new(53, port).payload(world.payload(answer_len, dice));
            vec![path.frame(true, &query), path.frame(false, &answer)]
        }
        60..85 => {
            let (id, sequence, body) = (id as u16, (id >> 16) as u16, world.payload(56, dice));
            if path.is_v6() {
                let (request, reply) =
                    (Icmpv6::echo_request(id, sequence, body), Icmpv6::echo_reply(id, sequence, body));
                vec![path.frame(true, &request), path.frame(false, &reply)]
            } else {
                let (request, reply) =
                    (Icmp::echo_request(id, sequence, body), Icmp::echo_reply(id, sequence, body));
                vec![path.frame(true, &request), path.frame(false, &reply)]
            }
        }
        85..91 => {
            let [host, router] = [dice.between(2, 250) as u8, 1].map(|last| {
                let site = path.site as u8;
                ([2, 0, 0, site, 0, last], Ipv4Addr::new(10, 10 + site, 0, last))
            });
            let broadcast = Ethernet::between(host.0, [0xff; 6]).padded();
            let answer = Ethernet::between(router.0, host.0).padded();
            vec![
                broadcast.carry(&Arp::request(host, router.1).network()),
                answer.carry(&Arp::reply(router, host).network()),
            ]
        }
        91..97 => {
            let len = dice.between(2000, 4200);
            path.fragments(&Udp::new(port, 2049).payload(world.payload(len, dice)), id)
        }
        _ => {
            let len = dice.between(20, 200);
            vec![path.frame(true, &Sctp::new(port, 2905).payload(world.payload(len, dice)))]
        }
    }
}
