//! The command, as a shell sees it.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

use std::{
    io::{BufRead, BufReader},
    net::UdpSocket,
    process::{Command, Output, Stdio},
};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stun-server"));
    command.args(arguments);
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

#[test]
fn exit_codes_tell_usage_configuration_and_ports_apart() {
    assert_eq!(run(&["--no-such-flag"]).status.code(), Some(64));
    assert_eq!(run(&["--check"]).status.code(), Some(0));

    let wrong = run(&[
        "--check",
        "--set",
        "stun.lisen=1",
        "--set",
        "stun.behaviour.ports=[1,1]",
    ]);
    assert_eq!(wrong.status.code(), Some(78));
    let said = String::from_utf8(wrong.stderr).unwrap();
    assert!(said.contains("did you mean"), "{said}");

    let holder = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let taken = run(&["--listen", &address, "--set", "metrics.listen=127.0.0.1:0"]);
    assert_eq!(taken.status.code(), Some(69));
    let said = String::from_utf8(taken.stderr).unwrap();
    assert!(said.contains(&address) && said.contains("ss -lunp"), "{said}");
}

#[test]
fn a_term_signal_ends_it_cleanly_even_when_nobody_reads_its_log_any_more() {
    let arguments = ["--listen", "127.0.0.1:0", "--set", "metrics.listen=127.0.0.1:0"];
    let mut server = command(&arguments).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(server.stderr.take().unwrap()).lines();
    let ready = lines
        .map(Result::unwrap)
        .find(|line| line.contains("metrics at http://127.0.0.1:"));
    assert!(ready.is_some());
    let killed = Command::new("kill")
        .args(["-TERM", &server.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    assert_eq!(server.wait().unwrap().code(), Some(0));
}
