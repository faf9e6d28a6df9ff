//! The door as a whole: matrices of credentials and addresses, and what guessing costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use hyper::header::{AUTHORIZATION, HeaderName};
use pcapx_core::config::{Credentials, Secret};

use super::*;

const CHALLENGE: &str = "Basic realm=\"pcap-files\"";

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned()).unwrap()
}

fn auth(user: &str, password: &str, bearer: Option<&str>) -> Auth {
    Auth { basic: Credentials::new(user.to_owned(), secret(password)), bearer: bearer.map(secret) }
}

fn door(auth: &Auth) -> Door {
    Door::new("pcap-files", auth, &[], Arc::default())
}

fn basic(user: &str, password: &str) -> String {
    http_auth_basic::Credentials::new(user, password).as_http_header()
}

fn headers(values: &[&[u8]]) -> HeaderMap {
    let values = values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_bytes(value).unwrap()));
    values.collect::<Vec<(HeaderName, HeaderValue)>>().into_iter().collect()
}

fn from(address: &str) -> Context {
    let address: IpAddr = address.parse().unwrap();
    Context::new((address, 1).into(), address, None)
}

async fn ask(door: &Door, address: &str, values: &[&[u8]]) -> Result<Identity, Denied> {
    door.credentials(&headers(values), &from(address)).await
}

#[tokio::test]
async fn nothing_is_asked_when_nothing_is_set() {
    let open = door(&auth("", "", None));
    assert_eq!(ask(&open, "::1", &[]).await.unwrap(), Identity::Anonymous);
    assert_eq!(ask(&open, "::1", &[b"Basic !!"]).await.unwrap(), Identity::Anonymous);
}

#[tokio::test]
async fn the_right_credentials_pass() {
    let user = |name: &str| Identity::User(name.to_owned());
    let both = auth("sycope", "pass:word", Some("t0ken"));
    let hash = Secret::hash("pass:word").unwrap();
    let hashed = auth("sycope", &hash, Some(&Secret::hash("t0ken").unwrap()));
    for auth in [&both, &hashed] {
        for (value, identity) in [
            (basic("sycope", "pass:word"), user("sycope")),
            (basic("sycope", "pass:word").replace("Basic", "bAsIc"), user("sycope")),
            (basic("sycope", "pass:word").replace("Basic ", "Basic  "), user("sycope")),
            ("Bearer t0ken".to_owned(), Identity::Token),
            ("bearer t0ken".to_owned(), Identity::Token),
        ] {
            assert_eq!(ask(&door(auth), "::1", &[value.as_bytes()]).await.unwrap(), identity, "{value}");
        }
    }
    for (auth, value, identity) in [
        (auth("only-user", "", None), basic("only-user", ""), user("only-user")),
        (auth("", "only-pass", None), basic("", "only-pass"), user("")),
        (auth("", &hash, None), basic("", "pass:word"), user("")),
        (auth("łoś", "żółw", None), basic("łoś", "żółw"), user("łoś")),
        (auth("", "", Some("t0ken")), "Bearer t0ken".to_owned(), Identity::Token),
    ] {
        assert_eq!(ask(&door(&auth), "::1", &[value.as_bytes()]).await.unwrap(), identity, "{value}");
    }
}

#[tokio::test]
async fn everything_else_is_refused() {
    let plain = auth("sycope", "secret", None);
    let hashed = auth("sycope", &Secret::hash("secret").unwrap(), None);
    let token = auth("", "", Some("t0ken"));
    let right = basic("sycope", "secret");
    for auth in [&plain, &hashed] {
        for (values, why) in [
            (vec![], "no credentials"),
            (vec![right.as_bytes(), right.as_bytes()], "several Authorization headers"),
            (vec![basic("sycope", "secreT").as_bytes()], "wrong credentials"),
            (vec![basic("sycope", "secretsecret").as_bytes()], "wrong credentials"),
            (vec![basic("sycope", "").as_bytes()], "wrong credentials"),
            (vec![basic("", "secret").as_bytes()], "wrong credentials"),
            (vec![basic("sycopa", "secret").as_bytes()], "wrong credentials"),
            (vec![basic("sycope:secret", "").as_bytes()], "wrong credentials"),
            (vec![b"Basic ====".as_slice()], "broken credentials"),
            (vec![b"Basic \xff".as_slice()], "broken credentials"),
            (vec![b"Basic".as_slice()], "broken credentials"),
            (vec![b"".as_slice()], "broken credentials"),
            (vec![b"Bearer secret".as_slice()], "wrong scheme"),
            (vec![right.replace("Basic ", "Digest ").as_bytes()], "wrong scheme"),
            (vec![right.replace("Basic ", "Basic").as_bytes()], "broken credentials"),
        ] {
            assert_refused(auth, &values, why).await;
        }
    }
    assert_refused(&token, &[b"Bearer t0kem"], "wrong credentials").await;
    assert_refused(&token, &[right.as_bytes()], "wrong scheme").await;
}

async fn assert_refused(auth: &Auth, values: &[&[u8]], why: &str) {
    let denied = ask(&door(auth), "::1", values).await.unwrap_err();
    assert_eq!(denied.to_string(), why, "{values:?}");
    let reply = denied.reply();
    assert_eq!((reply.status().as_u16(), reply.headers().get(RETRY_AFTER)), (401, None));
    assert_eq!(reply.headers()[WWW_AUTHENTICATE], CHALLENGE);
}

#[tokio::test]
async fn bearer_is_offered_beside_basic_where_it_is_taken() {
    let reply = ask(&door(&auth("u", "p", Some("t"))), "::1", &[]).await.unwrap_err().reply();
    let offered: Vec<_> = reply.headers().get_all(WWW_AUTHENTICATE).iter().collect();
    assert_eq!(offered, [CHALLENGE, "Bearer realm=\"pcap-files\""]);
}

#[test]
fn addresses_are_let_in_or_not() {
    let none = Door::new("x", &Auth::default(), &[], Arc::default());
    let some = Door::new("x", &Auth::default(), &["10.0.0.0/8".parse().unwrap()], Arc::default());
    for (address, allowed) in
        [("10.1.2.3", true), ("::ffff:10.1.2.3", true), ("11.0.0.1", false), ("::1", false)]
    {
        assert!(none.address(&from(address)).is_ok());
        assert_eq!(some.address(&from(address)).is_ok(), allowed, "{address}");
    }
    let denied = some.address(&from("11.0.0.1")).unwrap_err();
    let reply = denied.reply();
    assert_eq!((reply.status().as_u16(), denied.to_string().as_str()), (403, "address"));
    some.replace(&Auth::default(), &["::1".parse().unwrap()]);
    assert!(some.address(&from("10.1.2.3")).is_err() && some.address(&from("::1")).is_ok());
}

#[tokio::test]
async fn who_guesses_is_slowed_and_nobody_else_is() {
    let door = door(&auth("u", &Secret::hash("right").unwrap(), None));
    let (right, guess) = (basic("u", "right"), |n: u32| basic("u", &n.to_string()));
    assert!(ask(&door, "10.0.0.1", &[right.as_bytes()]).await.is_ok());
    let mut reasons = std::collections::BTreeMap::new();
    for n in 0..2 * BURST {
        let denied = ask(&door, "10.0.0.1", &[guess(n).as_bytes()]).await.unwrap_err();
        *reasons.entry(denied.to_string()).or_insert(0) += 1;
        let throttled = matches!(denied.refusal(), Refusal::Throttled(_));
        let reply = denied.reply();
        assert_eq!((reply.status().as_u16(), reply.headers().contains_key(RETRY_AFTER)), (401, throttled));
    }
    // The seconds that the guesses took let some more through.
    assert!(reasons["wrong credentials"] >= BURST && reasons.len() == 2, "{reasons:?}");
    // Known from this address, and new from another one.
    assert!(ask(&door, "10.0.0.1", &[right.as_bytes()]).await.is_ok());
    assert!(ask(&door, "10.0.0.2", &[right.as_bytes()]).await.is_ok());
    // Missing and broken credentials are no guesses.
    for _ in 0..2 * BURST {
        assert_eq!(ask(&door, "10.0.0.3", &[]).await.unwrap_err().refusal(), Refusal::Missing);
        assert!(ask(&door, "10.0.0.3", &[b"Basic ?"]).await.is_err());
    }
    assert!(ask(&door, "10.0.0.3", &[right.as_bytes()]).await.is_ok());
}

#[tokio::test]
async fn a_network_of_ipv6_is_one_guesser() {
    let door = door(&auth("u", "right", None));
    for n in 0..BURST {
        let address = format!("2001:db8::{n:x}");
        assert_eq!(
            ask(&door, &address, &[basic("u", "no").as_bytes()]).await.unwrap_err().refusal(),
            Refusal::Wrong
        );
    }
    let right = basic("u", "right");
    let refusal = ask(&door, "2001:db8::ffff", &[right.as_bytes()]).await.unwrap_err().refusal();
    assert!(matches!(refusal, Refusal::Throttled(_)), "{refusal:?}");
    assert!(ask(&door, "2001:db8:0:1::1", &[right.as_bytes()]).await.is_ok());
}

#[tokio::test]
async fn new_rules_hold_at_once() {
    let door = door(&auth("u", "old", None));
    assert!(ask(&door, "::1", &[basic("u", "old").as_bytes()]).await.is_ok());
    door.replace(&auth("u", "new", None), &[]);
    assert!(ask(&door, "::1", &[basic("u", "old").as_bytes()]).await.is_err());
    assert!(ask(&door, "::1", &[basic("u", "new").as_bytes()]).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_credentials_many_times_at_once_are_verified_and_all_pass() {
    let door = Arc::new(door(&auth("u", &Secret::hash("right").unwrap(), None)));
    let asking: Vec<_> = (0..50)
        .map(|_| {
            let door = Arc::clone(&door);
            tokio::spawn(async move { ask(&door, "::1", &[basic("u", "right").as_bytes()]).await })
        })
        .collect();
    for asked in asking {
        assert_eq!(asked.await.unwrap().unwrap(), Identity::User("u".to_owned()));
    }
}

/// `right`, to be verified in some hundred microseconds: printf right | argon2 somesalt -id -t 1 -k 64 -p 1 -e
const QUICK_HASH: &str =
    "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ$fZiHVE1AsF0AMtmut3fuOlPdwciYdlpAcgvx1ky10Qg";

/// Asks until told to stop, each time with another password.
async fn guess(door: Arc<Door>, address: String, guessed: Arc<AtomicUsize>, stop: Arc<AtomicBool>) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let denied = ask(&door, &address, &[basic("u", &number.to_string()).as_bytes()]).await;
        assert_eq!(denied.unwrap_err().reply().status().as_u16(), 401);
        guessed.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_from_hundreds_of_addresses_refuse_nobody_who_is_right() {
    const ADDRESSES: usize = 600;
    let auths = ["u", "v"].map(|user| auth(user, QUICK_HASH, None));
    let door = Arc::new(door(&auths[0]));
    let (guessed, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let guessing: Vec<_> = (0..ADDRESSES)
        .flat_map(|n| [n, n])
        .map(|n| {
            let address = format!("10.0.{}.{}", n / 250, n % 250);
            tokio::spawn(guess(Arc::clone(&door), address, Arc::clone(&guessed), Arc::clone(&stop)))
        })
        .collect();
    for round in 0..20 {
        // Whoever was right is forgotten each time.
        let right = basic(["u", "v"][round % 2], "right");
        door.replace(&auths[round % 2], &[]);
        let so_far = guessed.load(Ordering::Relaxed);
        while guessed.load(Ordering::Relaxed) < so_far + ADDRESSES {
            tokio::task::yield_now().await;
        }
        for newcomer in 0..5 {
            let address = format!("192.0.2.{}", 10 * round + newcomer);
            let asked = ask(&door, &address, &[right.as_bytes()]).await;
            assert!(asked.is_ok(), "{round} {newcomer}: {asked:?}");
        }
    }
    stop.store(true, Ordering::Relaxed);
    for guessing in guessing {
        guessing.await.unwrap();
    }
}

#[tokio::test]
async fn the_right_credentials_are_worked_on_once_and_forgotten_with_the_rules() {
    let hashed = |user: &str| auth(user, QUICK_HASH, None);
    let door = door(&hashed("u"));
    let known = |user: &str| {
        let presented = Presented::Basic { user: user.to_owned(), password: "right".to_owned() };
        door.rules.get().known.judge(&presented)
    };
    assert_eq!(known("u"), None);
    assert!(ask(&door, "10.0.0.1", &[basic("u", "right").as_bytes()]).await.is_ok());
    assert_eq!((known("u"), known("v")), (Some(true), Some(false)));
    // A reload that leaves credentials as they are leaves what is known of them.
    door.replace(&hashed("u"), &["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(known("u"), Some(true));
    door.replace(&hashed("v"), &[]);
    assert_eq!((known("u"), known("v")), (None, None));
    assert!(ask(&door, "10.0.0.1", &[basic("u", "right").as_bytes()]).await.is_err());
    assert!(ask(&door, "10.0.0.1", &[basic("v", "right").as_bytes()]).await.is_ok());
    assert_eq!((known("u"), known("v")), (Some(false), Some(true)));
}
