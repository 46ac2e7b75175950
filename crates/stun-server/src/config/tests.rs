//! The documented file, and what is refused.

use settings::{Source, load_text};

use super::*;
use crate::standalone::Settings;

fn load(text: &str) -> Result<Settings, String> {
    let source = Source {
        env: Vec::new(),
        ..Source::new("WATARI_").file(Some("stun-server.toml".into()))
    };
    load_text(text, &source).map_err(|mistakes| mistakes.to_string())
}

fn refused(text: &str) -> String {
    load(text).expect_err("a mistake")
}

#[test]
fn the_documented_file_is_the_default() {
    assert_eq!(load(DEFAULT_FILE).unwrap(), Settings::default());
}

#[test]
fn every_key_in_a_comment_can_be_used_as_it_stands() {
    let example = DEFAULT_FILE
        .lines()
        .find_map(|line| line.strip_prefix("# addresses = "))
        .unwrap();
    let settings = load(&DEFAULT_FILE.replace("addresses = []", &format!("addresses = {example}"))).unwrap();
    assert_eq!(settings.stun.behaviour.addresses.len(), 2);
}

#[test]
fn an_unknown_key_is_refused_in_every_table() {
    for table in [
        "stun",
        "stun.behaviour",
        "stun.tls",
        "stun.streams",
        "metrics",
        "log",
    ] {
        let header = format!("\n[{table}]\n");
        let message = refused(&DEFAULT_FILE.replacen(&header, &format!("{header}lisen = 1\n"), 1));
        assert!(message.contains("lisen"), "{table}: {message}");
    }
}

#[test]
fn two_addresses_and_two_ports_must_differ() {
    let behaviour = |addresses: &str, ports: &str| {
        let text = format!("[stun.behaviour]\naddresses = [{addresses}]\nports = {ports}\n");
        load(&text).map_err(|message| message.lines().next().unwrap_or_default().to_owned())
    };
    let (one, other) = ("{ local = \"127.0.0.1\" }", "{ local = \"127.0.0.2\" }");
    assert!(behaviour(&format!("{one}, {other}"), "[1, 2]").is_ok());
    for (addresses, ports, key) in [
        (one.to_owned(), "[1, 2]", "stun.behaviour.addresses"),
        (format!("{one}, {one}"), "[1, 2]", "stun.behaviour.addresses"),
        (
            format!("{one}, {{ local = \"::1\" }}"),
            "[1, 2]",
            "stun.behaviour.addresses",
        ),
        (format!("{one}, {other}"), "[1, 1]", "stun.behaviour.ports"),
        (format!("{one}, {other}"), "[0, 1]", "stun.behaviour.ports"),
    ] {
        let message = behaviour(&addresses, ports).expect_err("a mistake");
        assert!(message.contains(key), "{addresses} {ports}: {message}");
    }
}

#[test]
fn listening_twice_on_a_port_is_a_mistake() {
    let message = refused("[stun]\nlisten = [\"[::]:1\", \"[::1]:1\"]\n");
    assert!(
        message.contains("stun.listen: [::]:1 and [::1]:1 take the same port"),
        "{message}"
    );
}

#[test]
fn nothing_to_listen_on_is_a_mistake() {
    assert!(refused("[stun]\nlisten = []\n").contains("stun.listen"));
}
