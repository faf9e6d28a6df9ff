//! Guessing passwords does not keep those out who know them.

use pcapx_core::config::Secret;
use pcapx_testkit::process::{Service, Siege, Site};

use crate::LISTENER;

/// Guesses from hundreds of addresses, against a plain password and against its hash: everybody who is right gets in.
fn besiege(siege: Siege) {
    for (kind, password) in [("plain", "right".to_owned()), ("argon2id", Secret::hash("right").unwrap())] {
        let mut site = Site::new();
        site.set("listener_auth_user", "u").set("listener_auth_pass", password);
        let service = Service::start_with_log_in_file(LISTENER, &site);
        let besieged = siege.lay(&service, "/");
        eprintln!("listener, {kind}: {besieged}");
        assert!(besieged.refused.is_empty() && besieged.right.iter().all(|times| !times.is_empty()));
    }
}

#[test]
fn guesses_from_many_addresses_keep_nobody_out_who_is_right() {
    besiege(Siege { addresses: 50, per_minute: 60_000, guesses: 1_000 });
}

#[test]
#[ignore = "takes two minutes: cargo test --release -p pcapx-listener --test listener hundreds -- --ignored --nocapture"]
fn a_hundred_thousand_guesses_a_minute_from_hundreds_of_addresses_keep_nobody_out_who_is_right() {
    besiege(Siege { addresses: 300, per_minute: 105_000, guesses: 100_000 });
}
