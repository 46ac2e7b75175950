//! The other verbs as scripts use them.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
use turn_credentials::{Secret, derive_password, parse_username};

use crate::support::{Running, answer, folder, text, watari};

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {}", text(bytes)))
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn minted_credentials_are_those_the_server_derives() {
    let (folder, _) = folder();
    let secret_file = folder.path().join("secret");
    fs::write(&secret_file, "north\n").unwrap();
    let path = secret_file.to_str().unwrap();
    let output = answer(&[
        "credentials",
        "--secret-file",
        path,
        "--id",
        "@bob:hs",
        "--ttl",
        "1h",
        "--host",
        "::1",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let minted = json(&output.stdout);
    let username = minted["username"].as_str().unwrap();
    let parsed = parse_username(username, ':').unwrap();
    assert_eq!(parsed.user_id, "@bob:hs");
    assert!(
        (unix_now() + 3590..=unix_now() + 3600).contains(&parsed.expires_unix),
        "{username}"
    );
    assert_eq!(
        minted["password"],
        derive_password(&Secret::new("north"), username)
    );
    assert_eq!(minted["ttl"], 3600);
    assert_eq!(minted["uris"][0], "turn:[::1]:3478?transport=udp");
}

#[test]
fn ice_servers_are_what_rtcpeerconnection_takes() {
    let output = watari()
        .args([
            "credentials",
            "--format",
            "ice-servers",
            "--host",
            "turn.example.org",
            "--port",
            "5000",
        ])
        .env("WATARI_SECRET", "north")
        .output()
        .unwrap();
    let servers = &json(&output.stdout)["iceServers"];
    assert_eq!(servers[0]["urls"][0], "stun:turn.example.org:5000");
    let server = &servers[1];
    assert_eq!(server["urls"][0], "turn:turn.example.org:5000?transport=udp");
    let username = server["username"].as_str().unwrap();
    assert_eq!(
        server["credential"],
        derive_password(&Secret::new("north"), username)
    );
}

#[test]
fn credentials_come_from_the_state_folder_that_up_filled() {
    let (_folder, state) = folder();
    let arguments = ["credentials", "--state", state.to_str().unwrap()];
    let before = answer(&arguments);
    assert_eq!(before.status.code(), Some(78));
    assert!(
        text(&before.stderr).contains("start `watari up` once"),
        "{}",
        text(&before.stderr)
    );

    drop(Running::start(&state, &[]));
    let minted = json(&answer(&arguments).stdout);
    let file: toml::Table = fs::read_to_string(state.join("secrets.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let secret = Secret::new(file["turn_secret"].as_str().unwrap());
    assert_eq!(
        minted["password"],
        derive_password(&secret, minted["username"].as_str().unwrap())
    );
}

#[test]
fn credentials_follow_the_settings_that_up_has_and_flags_win() {
    let (folder, state) = folder();
    let file = folder.path().join("watari.toml");
    let settings = format!(
        "[turn]\nlisten = [\"127.0.0.1:0\"]\nusername_separator = \"|\"\n[web]\nlisten = []\n\
         [metrics]\nlisten = \"127.0.0.1:0\"\n[state]\nfolder = {state:?}\n"
    );
    fs::write(&file, &settings).unwrap();
    let config = ["--config", file.to_str().unwrap()];
    drop(Running::start_as(&config));
    fs::write(&file, settings.replace("127.0.0.1:0\"]", "127.0.0.1:5000\"]")).unwrap();

    let mint = |more: &[&str]| {
        let output = answer(&[&["credentials", "--id", "alice"], &config[..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        json(&output.stdout)
    };
    let minted = mint(&[]);
    let username = minted["username"].as_str().unwrap();
    assert_eq!(parse_username(username, '|').unwrap().user_id, "alice");
    let secrets: toml::Table = fs::read_to_string(state.join("secrets.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let secret = Secret::new(secrets["turn_secret"].as_str().unwrap());
    assert_eq!(minted["password"], derive_password(&secret, username));
    assert_eq!(minted["uris"][0], "turn:127.0.0.1:5000?transport=udp");

    let minted = mint(&[
        "--set",
        "turn.username_separator=-",
        "--port",
        "5001",
        "--host",
        "turn.example.org",
    ]);
    assert!(minted["username"].as_str().unwrap().ends_with("-alice"));
    assert_eq!(minted["uris"][0], "turn:turn.example.org:5001?transport=udp");
    let elsewhere = folder.path().join("elsewhere");
    let output = answer(
        &[
            &["credentials"],
            &config[..],
            &["--state", elsewhere.to_str().unwrap()],
        ]
        .concat(),
    );
    assert_eq!(output.status.code(), Some(78), "{}", text(&output.stdout));
}

#[test]
fn wrong_flags_exit_with_64_and_help_with_0() {
    for wrong in [
        &["--bogus"][..],
        &["up", "--set", "novalue"],
        &["credentials", "--ttl", "never"],
        &["credentials", "--host", "turn.example.org:3479"],
        &["credentials", "--host", "http://x y"],
        &["nat"],
        &["nat", "host:port"],
        &["nat", "-4", "-6", "127.0.0.1"],
        &["bench"],
        &["bench", "turn:127.0.0.1:9"],
        &["bench", "turn:127.0.0.1:9", "--user", "alice"],
        &["bench", "turn:127.0.0.1:9", "--password", "secret"],
        &[
            "bench",
            "turn:127.0.0.1:9",
            "--against",
            "turn:127.0.0.1:9",
            "--against-password",
            "secret",
        ],
        &["bench", "turn:127.0.0.1:9", "--target-ratio", "0.5"],
        &[
            "bench",
            "turn:127.0.0.1:9",
            "--user",
            "alice",
            "--password",
            "secret",
            "--duration",
            "240s",
        ],
        &["dance"],
    ] {
        assert_eq!(answer(wrong).status.code(), Some(64), "{wrong:?}");
    }
    for verb in [
        "up",
        "credentials",
        "nat",
        "bench",
        "check",
        "check-config",
        "default-config",
        "completions",
    ] {
        let output = answer(&[verb, "--help"]);
        assert_eq!(output.status.code(), Some(0));
        assert!(
            text(&output.stdout).contains("Example"),
            "{verb}: {}",
            text(&output.stdout)
        );
    }
    let version = text(&answer(&["--version"]).stdout);
    assert!(version.starts_with("watari 0."), "{version}");
    let built_with = if cfg!(feature = "dtls") {
        "DTLS (OpenSSL "
    } else {
        "without DTLS"
    };
    assert!(version.contains(built_with), "{version}");
}

#[test]
fn the_bench_hears_of_files_that_are_no_good_before_it_measures() {
    let (folder, _) = folder();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (blank, password, report) = (
        file("blank", " \n"),
        file("password", "secret\n"),
        file("report", "{}"),
    );
    let nowhere = folder.path().join("nowhere/file").to_str().unwrap().to_owned();
    // Nobody listens there: to measure would take longer than it is waited for.
    let told = |flags: &[&str]| {
        let output = answer(&[&["bench", "turn:127.0.0.1:9"], flags].concat());
        (output.status.code(), text(&output.stderr))
    };
    let user = ["--user", "alice", "--password-file", &password];
    for (flags, code, word) in [
        (&["--secret-file", &nowhere][..], 78, nowhere.as_str()),
        (&["--secret-file", &blank], 78, "is empty"),
        (&["--user", "alice", "--password-file", &nowhere], 78, &nowhere),
        (&["--user", "alice", "--password-file", &blank], 78, "is empty"),
        (
            &[&user[..], &["--continues", &nowhere]].concat(),
            78,
            "cannot read a report",
        ),
        (
            &[&user[..], &["--continues", &report]].concat(),
            78,
            "cannot read a report",
        ),
        (&[&user[..], &["--json", &nowhere]].concat(), 1, "cannot write"),
        (&[&user[..], &["--html", &nowhere]].concat(), 1, "cannot write"),
    ] {
        let (status, errors) = told(flags);
        assert_eq!(status, Some(code), "{flags:?}: {errors}");
        assert!(errors.contains(word), "{flags:?}: {errors}");
    }
}

#[test]
fn completions_know_the_verbs() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = text(&answer(&["completions", shell]).stdout);
        assert!(script.contains("default-config"), "{shell}");
    }
}

#[test]
fn every_verb_and_every_server_has_a_manual_page() {
    let (folder, _) = folder();
    let pages = folder.path().join("share/man");
    let output = answer(&["man-pages", pages.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let help = text(&answer(&["--help"]).stdout);
    let verbs = help
        .split_once("Commands:\n")
        .unwrap()
        .1
        .split("\n\n")
        .next()
        .unwrap();
    let verbs: Vec<_> = verbs
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|verb| !verb.is_empty() && *verb != "help")
        .map(|verb| format!("watari-{verb}.1"))
        .collect();
    assert!(verbs.len() > 8, "{help}");
    let servers =
        ["turn-server", "stun-server", "signaling", "demo-web"].map(|name| format!("watari-{name}.8"));
    let mut expected: Vec<_> = verbs.into_iter().chain(servers).collect();
    expected.extend(["watari.1", "watari-bench-signaling.1"].map(String::from));
    expected.sort();
    let mut found: Vec<_> = fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, expected);
    for (page, part) in [
        ("watari-check.1", r"\-\-server"),
        ("watari-turn-server.8", "turn.realm=example.org"),
    ] {
        let page = fs::read_to_string(pages.join(page)).unwrap();
        assert!(page.contains(part), "{page}");
    }
}
