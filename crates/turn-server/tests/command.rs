//! The command, as a shell sees it.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpStream, UdpSocket},
    process::{Command, Output, Stdio},
};

const SECRET: [&str; 2] = ["--set", "turn.shared_secrets=[\"north\"]"];
const PAGES: [&str; 2] = ["--set", "metrics.listen=127.0.0.1:0"];

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turn-server"));
    command.args(arguments);
    command
}

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command(arguments).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

#[test]
fn exit_codes_tell_usage_configuration_and_ports_apart() {
    assert_eq!(run(&["--no-such-flag"]).0, Some(64));
    assert_eq!(run(&[&SECRET[..], &["--check"]].concat()).0, Some(0));

    let (code, said) = run(&[
        "--check",
        "--set",
        "turn.relm=a",
        "--set",
        "turn.relay.min_port=0",
    ]);
    assert_eq!(code, Some(78));
    for part in [
        "did you mean `realm`",
        "turn.relay.min_port",
        "turn.shared_secrets",
    ] {
        assert!(said.contains(part), "{part} is missing in\n{said}");
    }

    let holder = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let (code, said) = run(&[&SECRET[..], &PAGES, &["--listen", &address]].concat());
    assert_eq!(code, Some(69));
    assert!(said.contains(&address) && said.contains("ss -lunp"), "{said}");
}

#[test]
fn an_environment_may_hold_settings_of_other_servers_too() {
    let check = [&SECRET[..], &["--check"]].concat();
    let code = |name: &str| {
        let output = command(&check).env(name, "x").output().unwrap();
        output.status.code()
    };
    assert_eq!(code("WATARI_SIGNALING__ROOMS__CAPACITY"), Some(0));
    assert_eq!(code("WATARI_WEB__LISTEN"), Some(0));
    assert_eq!(code("WATARI_TURN__RELM"), Some(78));
    assert_eq!(code("WATARI_TRUN__REALM"), Some(78));
}

#[test]
fn completions_and_the_default_file_go_to_standard_output() {
    let output = |arguments: &[&str]| String::from_utf8(command(arguments).output().unwrap().stdout).unwrap();
    assert!(output(&["--completions", "bash"]).contains("--default-config"));
    assert_eq!(output(&["--default-config"]), turn_server::DEFAULT_FILE);
}

#[test]
fn it_is_ready_shows_metrics_and_a_term_signal_ends_it_cleanly() {
    let arguments = [&SECRET[..], &PAGES, &["--listen", "127.0.0.1:0"]].concat();
    let mut server = command(&arguments).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(server.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let line = lines.find(|line| line.contains("metrics at http://")).unwrap();
    let address = line
        .split("http://")
        .nth(1)
        .unwrap()
        .trim_end_matches("/metrics")
        .to_owned();
    for (path, part) in [
        ("/healthz", "ok"),
        ("/readyz", "\"turn\":true"),
        ("/metrics", "turn_allocations{"),
    ] {
        let mut page = TcpStream::connect(&address).unwrap();
        write!(page, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut text = String::new();
        page.read_to_string(&mut text).unwrap();
        assert!(text.contains("200 OK") && text.contains(part), "{path}: {text}");
    }
    let killed = Command::new("kill")
        .args(["-TERM", &server.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    assert_eq!(server.wait().unwrap().code(), Some(0));
}
