//! `watari up` as a user runs it.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::MetadataExt,
    thread,
    time::{Duration, Instant},
};

use turn_credentials::{Secret, derive_password, parse_username};

use crate::support::{EPHEMERAL, Running, answer, folder, free_port, page, page_asked_for_as, text, watari};

#[test]
fn the_suite_starts_within_a_second_serves_and_ends_when_asked() {
    let (_folder, state) = folder();
    let start = Instant::now();
    let suite = Running::start(&state, &[]);
    // A machine busy with other tests may be slow; the log line of a quiet one says about 50 ms.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());

    let (status, body) = page(&suite.url("page"));
    assert_eq!(status, 200);
    assert!(body.contains("<html"), "{body}");
    let base = suite.url("metrics").replace("/metrics", "");
    assert_eq!(page(&format!("{base}/healthz")), (200, "ok\n".into()));
    let (status, body) = page(&format!("{base}/readyz"));
    assert_eq!(status, 200, "{body}");
    assert!(body.contains(r#"{"turn":true,"web":true}"#), "{body}");
    assert!(
        page(&suite.url("metrics"))
            .1
            .contains("process_start_time_seconds")
    );

    suite.signal("TERM");
    let (code, took, log) = suite.wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn ctrl_c_ends_it_although_a_browser_keeps_its_connection() {
    let (_folder, state) = folder();
    let suite = Running::start(&state, &[]);
    let host = suite.url("page").replace("http://localhost", "127.0.0.1");
    let _idle = TcpStream::connect(host.trim_end_matches('/')).unwrap();
    suite.signal("INT");
    let (code, took, log) = suite.wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn while_it_drains_it_is_alive_and_not_ready() {
    let (_folder, state) = folder();
    let suite = Running::start(&state, &[]);
    let _slow = never_ending_request(&suite);
    suite.signal("TERM");
    thread::sleep(Duration::from_millis(300));
    let base = suite.url("metrics").replace("/metrics", "");
    assert_eq!(page(&format!("{base}/healthz")).0, 200);
    let (status, body) = page(&format!("{base}/readyz"));
    assert_eq!(status, 503, "{body}");
    assert!(body.contains(r#""draining":true"#), "{body}");
    let (code, _, log) = suite.wait();
    assert_eq!(code, Some(0), "{log}");
}

/// A request that holds the drain up.
fn never_ending_request(suite: &Running) -> TcpStream {
    let host = suite.url("page").replace("http://localhost", "127.0.0.1");
    let mut slow = TcpStream::connect(host.trim_end_matches('/')).unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n").unwrap();
    thread::sleep(Duration::from_millis(300));
    slow
}

#[test]
fn a_second_ctrl_c_does_not_wait_for_anybody() {
    let (_folder, state) = folder();
    let suite = Running::start(&state, &[]);
    let _slow = never_ending_request(&suite);
    suite.signal("INT");
    thread::sleep(Duration::from_millis(300));
    suite.signal("INT");
    let (code, took, log) = suite.wait();
    assert_eq!(code, Some(130), "{log}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn credentials_of_the_endpoint_open_the_relay_of_the_suite() {
    let (_folder, state) = folder();
    let suite = Running::start(&state, &[]);
    let file: toml::Table = fs::read_to_string(state.join("secrets.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let endpoint = suite.url("credentials");
    assert_eq!(page(&format!("{endpoint}?service=turn")).0, 403);
    let key = file["api_key"].as_str().unwrap();
    let (status, body) = page(&format!("{endpoint}?service=turn&username=alice&key={key}"));
    assert_eq!(status, 200, "{body}");
    let minted: serde_json::Value = serde_json::from_str(&body).unwrap();
    let secret = Secret::new(file["turn_secret"].as_str().unwrap());
    assert_eq!(
        minted["password"],
        derive_password(&secret, minted["username"].as_str().unwrap())
    );
    assert_eq!(
        minted["uris"][0],
        suite.url("turn"),
        "localhost is where the relay listens"
    );
}

#[test]
fn credentials_have_the_separator_that_the_relay_expects() {
    let (_folder, state) = folder();
    let suite = Running::start(&state, &["--set", "turn.username_separator=|"]);
    let file: toml::Table = fs::read_to_string(state.join("secrets.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let key = file["api_key"].as_str().unwrap();
    let endpoint = suite.url("credentials");
    let (_, body) = page(&format!("{endpoint}?service=turn&username=alice&key={key}"));
    let minted: serde_json::Value = serde_json::from_str(&body).unwrap();
    let username = minted["username"].as_str().unwrap();
    let parsed = parse_username(username, '|').unwrap();
    assert!(parsed.user_id.starts_with("alice"), "{username}");
    let secret = Secret::new(file["turn_secret"].as_str().unwrap());
    assert_eq!(minted["password"], derive_password(&secret, username));
}

#[cfg(target_os = "linux")] // elsewhere 127.0.0.2 is nobody's address
#[test]
fn a_relay_on_one_address_is_named_by_it_only_to_this_machine() {
    let (_folder, state) = folder();
    let relay = ["--listen-turn", "127.0.0.2:0"];
    let flags = [
        &EPHEMERAL[..2],
        &EPHEMERAL[4..],
        &relay,
        &["--state", state.to_str().unwrap()],
    ];
    let suite = Running::start_as(&flags.concat());
    let file: toml::Table = fs::read_to_string(state.join("secrets.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let endpoint = format!(
        "{}?service=turn&username=alice&key={}",
        suite.url("credentials"),
        file["api_key"].as_str().unwrap()
    );
    let uri = |(status, body): (u16, String)| {
        assert_eq!(status, 200, "{body}");
        let minted: serde_json::Value = serde_json::from_str(&body).unwrap();
        minted["uris"][0].as_str().unwrap().to_owned()
    };
    let own = suite.url("turn");
    assert!(own.starts_with("turn:127.0.0.2:"), "{own}");
    assert_eq!(uri(page(&endpoint)), own);
    assert_eq!(
        uri(page_asked_for_as("call.example:3001", &endpoint)),
        own.replace("127.0.0.2", "call.example"),
        "behind a 1:1 NAT only the name leads here"
    );
}

#[cfg(target_os = "linux")] // elsewhere 127.0.0.2 is nobody's address
#[test]
fn with_two_addresses_behaviour_discovery_runs_too() {
    let (_folder, state) = folder();
    let ports = format!("stun.behaviour.ports=[{}, {}]", free_port(), free_port());
    let addresses = "stun.behaviour.addresses=[{local = \"127.0.0.1\"}, {local = \"127.0.0.2\"}]";
    let suite = Running::start(
        &state,
        &["--set", addresses, "--set", &ports, "--set", "stun.listen=[]"],
    );
    assert_eq!(
        suite.announced["stun"].as_array().unwrap().len(),
        5,
        "{}",
        suite.announced
    );
    let (status, body) = page(&suite.url("metrics").replace("metrics", "readyz"));
    assert_eq!(status, 200, "{body}");
    assert!(body.contains(r#""stun":true"#), "{body}");
    suite.signal("TERM");
    assert_eq!(suite.wait().0, Some(0));
}

#[test]
fn without_json_a_table_says_where_everything_is_and_how_to_stop() {
    let (_folder, state) = folder();
    let mut child = watari()
        .args(EPHEMERAL)
        .arg("--state")
        .arg(&state)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut table = String::new();
    let mut out = child.stdout.take().unwrap();
    let mut bytes = [0; 4096];
    while !table.contains("Ctrl-C") {
        let read = out.read(&mut bytes).unwrap();
        assert!(read > 0, "ended after: {table}");
        table.push_str(&text(&bytes[..read]));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let command = table.split("For another application: ").nth(1).unwrap();
    let words: Vec<_> = command.lines().next().unwrap().split(' ').collect();
    let minted = answer(&words[1..]);
    assert_eq!(minted.status.code(), Some(0), "{}", text(&minted.stderr));
    let relay = table
        .split("TURN         ")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap();
    assert!(
        text(&minted.stdout).contains(relay),
        "{relay}: {}",
        text(&minted.stdout)
    );
    for word in [
        "http://localhost:",
        "/metrics",
        "/readyz",
        "secrets.toml",
        "watari credentials",
    ] {
        assert!(table.contains(word), "{word} is missing in: {table}");
    }
    assert!(
        !table.contains('\x1b'),
        "no colours where nobody sees them: {table}"
    );
}

#[test]
fn a_port_in_use_is_named_with_a_remedy() {
    let (_folder, state) = folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = answer(
        &[
            &["up", "--state", state.to_str().unwrap(), "--listen-web", &address],
            &EPHEMERAL[2..],
        ]
        .concat(),
    );
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{said}");
    for word in [&address, "in use", "ss -ltnp", "--listen-web", "web.listen"] {
        assert!(said.contains(word), "{word} is missing in: {said}");
    }
}

#[test]
fn a_second_suite_does_not_take_the_datagrams_of_the_first() {
    let (_folder, state) = folder();
    let first = Running::start(&state, &[]);
    let turn = first.url("turn");
    let port = turn
        .trim_start_matches("turn:127.0.0.1:")
        .trim_end_matches("?transport=udp");
    let address = format!("127.0.0.1:{port}");
    let output = answer(
        &[
            &[
                "up",
                "--state",
                state.to_str().unwrap(),
                "--listen-turn",
                &address,
            ],
            &EPHEMERAL[..2],
            &EPHEMERAL[4..],
        ]
        .concat(),
    );
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{said}");
    for word in [
        &address,
        "Another program holds the port",
        "ss -lunp",
        "turn.listen",
    ] {
        assert!(said.contains(word), "{word} is missing in: {said}");
    }
}

#[test]
fn secrets_are_minted_once_and_for_the_owner_only() {
    let (_folder, state) = folder();
    let file = state.join("secrets.toml");
    drop(Running::start(&state, &[]));
    let first = fs::read_to_string(&file).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(&state).unwrap().mode() & 0o7777, 0o700);
    let suite = Running::start(&state, &[]);
    assert_eq!(fs::read_to_string(&file).unwrap(), first);
    suite.signal("TERM");
    let (code, _, log) = suite.wait();
    assert_eq!(code, Some(0));
    let secret = first
        .lines()
        .find_map(|line| line.strip_prefix("turn_secret = "))
        .unwrap();
    assert!(
        !log.contains(secret.trim_matches('"')),
        "secrets are never logged"
    );
}

#[test]
fn bad_settings_stop_the_start_with_every_mistake() {
    let (folder, state) = folder();
    let file = folder.path().join("watari.toml");
    fs::write(&file, "[web]\nlissen = []\n\n[metrics]\nlisten = \"nowhere\"\n").unwrap();
    let arguments = [
        "up",
        "--config",
        file.to_str().unwrap(),
        "--state",
        state.to_str().unwrap(),
        "--set",
        "log.fliter=info",
    ];
    let output = answer(&arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(78), "{said}");
    for word in [
        "3 mistakes",
        "watari.toml:2:1: web.lissen: unknown key (did you mean `listen`?)",
        "watari.toml:5:10: metrics.listen: invalid socket address syntax",
        "--set log.fliter: unknown key (did you mean `filter`?)",
    ] {
        assert!(said.contains(word), "{word} is missing in: {said}");
    }
    assert!(!state.exists(), "nothing is minted for a start that fails");
}
