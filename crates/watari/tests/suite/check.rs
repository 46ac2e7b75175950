//! `watari check` at a suite that runs on this machine, and at one that does not.

use std::{
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{Running, answer, folder, free_port, page, text};

/// Settings that name where everything listens: what `up` and `check` have to agree upon.
fn settings(turn: u16, metrics: u16) -> Vec<String> {
    [
        format!("turn.listen=[\"127.0.0.1:{turn}\"]"),
        format!("metrics.listen=127.0.0.1:{metrics}"),
        "web.listen=[\"127.0.0.1:0\"]".to_owned(),
    ]
    .into_iter()
    .flat_map(|setting| ["--set".to_owned(), setting])
    .collect()
}

/// A suite that runs with these flags too, and all that it was started with; its state lives as long as the folder.
fn suite(more: &[&str]) -> (tempfile::TempDir, Vec<String>, Running) {
    let (folder, state) = folder();
    let mut arguments = settings(free_port(), free_port());
    arguments.extend(["--state".to_owned(), state.to_str().unwrap().to_owned()]);
    arguments.extend(more.iter().map(|&flag| flag.to_owned()));
    let flags: Vec<_> = arguments.iter().map(String::as_str).collect();
    let running = Running::start_as(&flags);
    (folder, arguments, running)
}

/// What `watari check` finds with these arguments, and its exit code.
fn check(arguments: &[String]) -> (Option<i32>, Value) {
    let mut all = vec!["check", "--json"];
    all.extend(arguments.iter().map(String::as_str));
    let output = answer(&all);
    let told = serde_json::from_slice(&output.stdout);
    (
        output.status.code(),
        told.unwrap_or_else(|_| panic!("{}", text(&output.stderr))),
    )
}

/// The findings of a group, each as its grade and its words.
fn found<'a>(told: &'a Value, group: &str) -> Vec<(&'a str, &'a str)> {
    let findings = told["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["group"] == group)
        .map(|finding| {
            (
                finding["grade"].as_str().unwrap(),
                finding["what"].as_str().unwrap(),
            )
        })
        .collect()
}

/// How many allocations there are once those that were ended are no longer counted.
fn allocations_left(running: &Running) -> u32 {
    let start = Instant::now();
    loop {
        let left = allocations(running);
        if left == 0 || start.elapsed() > Duration::from_secs(5) {
            return left;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn allocations(running: &Running) -> u32 {
    let (_, metrics) = page(&running.url("metrics"));
    let lines = metrics
        .lines()
        .filter(|line| line.starts_with("turn_allocations{"));
    let counts: Vec<u32> = lines
        .map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
        .collect();
    assert!(!counts.is_empty(), "{metrics}");
    counts.iter().sum()
}

#[test]
fn a_suite_that_runs_is_allocated_at_and_relays() {
    let (_folder, mut arguments, running) = suite(&[]);
    let (code, told) = check(&arguments);
    assert_eq!(code, Some(0), "{told:#}");
    let relay = found(&told, "Relay");
    assert_eq!(relay.len(), 2, "{told:#}");
    for ((grade, what), transport) in relay.into_iter().zip(["UDP", "TCP"]) {
        assert_eq!(grade, "fine", "{what}");
        assert!(
            what.contains(&format!("TURN over {transport} at 127.0.0.1:")),
            "{what}"
        );
        assert!(what.contains("through and back"), "{what}");
    }
    assert_eq!(allocations_left(&running), 0, "what was tried has an end");
    let services = found(&told, "Services");
    assert!(services[0].1.contains("/readyz: ready"), "{told:#}");
    arguments.push("--offline".to_owned());
    let (_, told) = check(&arguments);
    assert!(
        found(&told, "Relay").is_empty() && found(&told, "Services").is_empty(),
        "{told:#}"
    );
}

#[test]
fn an_allocation_that_stays_alone_has_an_end_too() {
    let (_folder, arguments, running) = suite(&["--set", "turn.limits.allocations_per_user=1"]);
    let (code, told) = check(&arguments);
    assert_eq!(code, Some(1), "{told:#}");
    for (grade, what) in found(&told, "Relay") {
        assert_eq!(grade, "problem", "{what}");
        assert!(what.contains("error 486"), "{what}");
    }
    assert_eq!(allocations_left(&running), 0);
}

#[test]
fn a_listener_for_a_proxy_is_left_alone() {
    let (_folder, arguments, _running) = suite(&["--set", "turn.proxy_protocol.from=[\"127.0.0.0/8\"]"]);
    let (code, told) = check(&arguments);
    assert_eq!(code, Some(0), "{told:#}");
    let grades: Vec<_> = found(&told, "Relay").iter().map(|(grade, _)| *grade).collect();
    assert_eq!(grades, ["fine", "note"], "{told:#}");
}

#[test]
fn a_port_that_another_program_has_is_a_problem_and_the_program_is_named() {
    let (_folder, state) = folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let metrics = taken.local_addr().unwrap().port();
    let mut arguments = settings(free_port(), metrics);
    arguments.extend(["--state".to_owned(), state.to_str().unwrap().to_owned()]);
    let (code, told) = check(&arguments);
    assert_eq!(code, Some(1), "{told:#}");
    let named = format!("(process {})", std::process::id());
    let ports = found(&told, "Ports");
    let problem = ports.iter().find(|(grade, _)| *grade == "problem").unwrap();
    assert!(problem.1.contains(&format!("127.0.0.1:{metrics}")), "{problem:?}");
    assert!(problem.1.ends_with(&named), "{problem:?}");
    assert!(!state.exists(), "nothing is changed");
}

#[test]
fn a_certificate_that_acme_has_yet_to_bring_is_no_problem() {
    let (_folder, state) = folder();
    let mut arguments = settings(free_port(), free_port());
    let more = [
        "--set",
        "tls.acme.domains=[\"call.example.org\"]",
        "--set",
        "tls.acme.listen=[\"127.0.0.1:0\"]",
        "--set",
        "web.listen_https=[\"127.0.0.1:0\"]",
        "--state",
    ];
    arguments.extend(more.map(str::to_owned));
    arguments.push(state.to_str().unwrap().to_owned());
    let (code, told) = check(&arguments);
    assert_eq!(code, Some(0), "{told:#}");
    let certificates = found(&told, "Certificates");
    let name = certificates
        .iter()
        .find(|(_, what)| what.contains("call.example.org"));
    assert_eq!(name.unwrap().0, "note", "{told:#}");
}

#[test]
fn wrong_settings_are_told_as_check_config_tells_them() {
    let wrong = ["--json", "--set", "turn.relm=a"];
    let by = |verb: &'static str| answer(&[&[verb][..], &wrong].concat());
    let told = by("check");
    assert_eq!(told.status.code(), Some(78));
    assert_eq!(told, by("check-config"));
}
