//! Filter text in both directions, and tcpdump as the judge of what is a filter and what it means.
//!
//! The tests with tcpdump start it once or twice for each text, which takes a few milliseconds. `PROPTEST_CASES` sets how
//! many texts are tried in place of the usual number.

mod bpf;
mod exprs;
mod tcpdump;
mod texts;

use pcapx_core::filter::{Expr, ParseError, parse};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};

use tcpdump::{Tcpdump, Verdict, skipped};

fn cases(usual: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual);
    ProptestConfig {
        cases,
        max_global_rejects: cases.saturating_mul(20),
        failure_persistence: None,
        ..Default::default()
    }
}

/// Whether libpcap may accept what this error refuses; the list is the one in the documentation of `parse`.
fn stricter_than_libpcap(error: &ParseError) -> bool {
    match error {
        ParseError::Unsupported { .. } | ParseError::Name { .. } => true,
        ParseError::OutOfRange { field, .. } => matches!(*field, "IP protocol number" | "Ethernet type"),
        ParseError::Malformed { problem, .. } => problem.contains("range of ports"),
        _ => false,
    }
}

/// [`agrees`], for a text that may turn out not to be fit for the comparison.
fn agrees_if_comparable(tcpdump: &Tcpdump, text: &str) -> Result<(), TestCaseError> {
    match parse(text) {
        Err(error) if stricter_than_libpcap(&error) => Err(TestCaseError::reject("stricter by design")),
        Err(_) if texts::may_ask_a_name_server(text) => Err(TestCaseError::reject("has a name")),
        _ => agrees(tcpdump, text),
    }
}

/// The same verdict, and where it is "a filter" the same meaning for the text and for what we make of it.
fn agrees(tcpdump: &Tcpdump, text: &str) -> Result<(), TestCaseError> {
    match (parse(text), tcpdump.compile(text)) {
        (Err(_), Verdict::Refused(_)) => Ok(()),
        (Err(error), _) => Err(TestCaseError::fail(format!("tcpdump accepts {text:?}, we say: {error}"))),
        (Ok(expr), Verdict::Refused(why)) => {
            Err(TestCaseError::fail(format!("tcpdump refuses {text:?} ({why}), we read {expr}")))
        }
        (Ok(expr), theirs) => same_meaning(theirs, tcpdump.compile(&expr.to_string()))
            .map_err(|why| TestCaseError::fail(format!("{text:?} became \"{expr}\": {why}"))),
    }
}

fn same_meaning(one: Verdict, other: Verdict) -> Result<(), String> {
    match (one, other) {
        (one, other) if one == other => Ok(()),
        (Verdict::Program(one), Verdict::Program(other)) => bpf::same_meaning(&one, &other)
            .map_err(|packet| format!("the programs differ on the packet {packet:02x?}")),
        (one, other) => Err(format!("{one:?} became {other:?}")),
    }
}

fn run<S: Strategy<Value = String>>(usual: u32, texts: S) {
    let Some(tcpdump) = Tcpdump::require() else { return };
    let outcome = TestRunner::new(cases(usual)).run(&texts, |text| agrees_if_comparable(&tcpdump, &text));
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

#[test]
fn tcpdump_agrees_on_the_corners_of_the_grammar() {
    let Some(tcpdump) = Tcpdump::require() else { return };
    for text in texts::CORNERS {
        agrees(&tcpdump, text).unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn tcpdump_agrees_on_written_filters() {
    run(400, texts::filter());
}

#[test]
fn tcpdump_agrees_on_mutilated_filters() {
    run(500, texts::mutilated());
}

#[test]
fn tcpdump_agrees_on_loose_words() {
    run(500, texts::loose_words());
}

#[test]
fn tcpdump_reads_what_we_write() {
    let Some(tcpdump) = Tcpdump::require() else { return };
    let outcome = TestRunner::new(cases(200)).run(&exprs::normal(), |expr| {
        let text = expr.to_string();
        prop_assert!(!matches!(tcpdump.compile(&text), Verdict::Refused(_)), "{}", text);
        agrees(&tcpdump, &text)
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// A name stands for what this system's services file says, or the system is said to differ.
#[test]
fn tcpdump_knows_the_ports_by_the_same_names() {
    let Some(tcpdump) = Tcpdump::require() else { return };
    let services = std::fs::read_to_string("/etc/services").unwrap_or_default();
    let mut compared = 0;
    for (name, meaning) in texts::services(&services) {
        let Ok(expr) = parse(&format!("port \\{name}")) else { continue };
        if expr != parse(&meaning).unwrap() {
            skipped(&format!(
                "this system's /etc/services makes {name} {meaning:?}, not {:?}",
                expr.to_string()
            ));
            continue;
        }
        assert_eq!(tcpdump.compile(&format!("port {name}")), tcpdump.compile(&expr.to_string()), "{name}");
        compared += 1;
    }
    if compared == 0 {
        skipped("no name of a port in /etc/services");
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn text_of_a_normal_expression_reads_back(expr in exprs::normal()) {
        prop_assert_eq!(parse(&expr.to_string()), Ok(expr));
    }

    #[test]
    fn text_of_any_expression_reads_back_normalised(expr in exprs::random()) {
        let normal = expr.clone().normalised();
        prop_assert_eq!(normal.clone().normalised(), normal.clone());
        let read = parse(&expr.to_string());
        // What is true of no packet or of every packet has a text only as a whole.
        if exprs::has_empty_join(&expr) {
            prop_assert!(read.is_ok());
        } else {
            prop_assert_eq!(read, Ok(normal));
        }
    }

    #[test]
    fn what_was_read_reads_back(text in texts::filter()) {
        if let Ok(expr) = parse(&text) {
            prop_assert_eq!(expr.clone().normalised(), expr.clone(), "{} is not normal", text);
            prop_assert_eq!(parse(&expr.to_string()), Ok(expr));
        }
    }

    #[test]
    fn no_text_panics_and_every_error_is_one_clean_line(text in texts::garbage()) {
        if let Err(error) = parse(&text) {
            prop_assert!(error.position() <= text.len());
            let message = error.to_string();
            prop_assert!(message.len() < 600, "{}", message);
            prop_assert!(message.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{:?}", message);
        }
    }
}

#[test]
fn an_expression_of_nothing_has_text() {
    assert_eq!(Expr::And(vec![]).to_string(), "");
    assert_eq!(Expr::Or(vec![]).to_string(), "ip and not ip");
    let nothing = Expr::And(vec![Expr::port(80), Expr::Or(vec![])]);
    assert_eq!(nothing.to_string(), "port 80 and (ip and not ip)");
    assert_eq!(nothing.normalised(), Expr::Or(vec![]));
    let everything = Expr::Or(vec![Expr::And(vec![]), Expr::port(80)]);
    assert_eq!(everything.to_string(), "(ip or not ip) or port 80");
    assert_eq!(everything.normalised(), Expr::And(vec![]));
}
