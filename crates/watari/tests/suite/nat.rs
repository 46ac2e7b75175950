//! `watari nat` against the suite's own RFC 5780 on loopback, where no NAT is.

use std::net::UdpSocket;

use serde_json::Value;

use crate::support::{Running, answer, folder, text};

/// A suite with both loopback addresses on two free ports, and the first of the four listeners.
fn suite(state: &std::path::Path) -> (Running, String) {
    let ports = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let [one, other] = ports.map(|socket| socket.local_addr().unwrap().port());
    let addresses = r#"stun.behaviour.addresses=[{ local = "127.0.0.1" }, { local = "127.0.0.2" }]"#;
    let ports = format!("stun.behaviour.ports=[{one}, {other}]");
    let listen = r#"stun.listen=["127.0.0.1:0"]"#;
    let running = Running::start(state, &["--set", addresses, "--set", &ports, "--set", listen]);
    (running, format!("127.0.0.1:{one}"))
}

#[test]
fn on_loopback_there_is_no_nat_and_peers_connect_directly() {
    let (_folder, state) = folder();
    let (_suite, server) = suite(&state);
    let output = answer(&["nat", "--json", &server]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["nat"], false, "{report}");
    assert_eq!(report["mapping"]["found"], "endpoint_independent", "{report}");
    assert_eq!(report["filtering"]["found"], "endpoint_independent", "{report}");
    assert_eq!(report["hairpinning"]["unknown"], "no_nat", "{report}");
    assert_eq!(report["webrtc"]["relay"], "never", "{report}");

    let output = answer(&["nat", &format!("stun:{server}"), "-4", "--local", "127.0.0.1"]);
    let words = text(&output.stdout);
    assert!(
        words.starts_with(&format!("No NAT, as {server} sees it\n")),
        "{words}"
    );
    assert!(
        words.contains("WebRTC connects directly with every peer"),
        "{words}"
    );
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
}

#[test]
fn the_relay_alone_tells_the_public_address_and_no_more() {
    let (_folder, state) = folder();
    let suite = Running::start(&state, &[]);
    let relay = suite.url("stun");
    let output = answer(&["nat", &relay]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let words = text(&output.stdout);
    assert!(
        words.contains("only the public address could be learned"),
        "{words}"
    );
    let json = answer(&["nat", "--json", &relay]).stdout;
    let report: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(report["mapping"]["unknown"], "no_second_address", "{report}");
    assert_eq!(report["second_address"], Value::Null, "{report}");
}

#[test]
fn a_server_that_is_not_there_is_exit_code_69() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let output = answer(&["nat", "--timeout", "1s", &address]);
    assert_eq!(output.status.code(), Some(69));
    assert!(
        text(&output.stderr).contains("neither over UDP nor over TCP"),
        "{}",
        text(&output.stderr)
    );

    drop(silent);
    let output = answer(&["nat", "--json", &address]);
    assert_eq!(output.status.code(), Some(69));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["error"], "closed", "{report}");

    let output = answer(&["nat", "-6", "127.0.0.1"]);
    assert_eq!(output.status.code(), Some(69));
    assert!(
        text(&output.stderr).contains("no IPv6 address"),
        "{}",
        text(&output.stderr)
    );
}
