//! The documented file, and what is refused.

use settings::{Source, load_text};

use super::*;
use crate::standalone::Settings;

fn load(text: &str) -> Result<Settings, String> {
    let source = Source {
        env: Vec::new(),
        ..Source::new("WATARI_").file(Some("turn-server.toml".into()))
    };
    load_text(text, &source).map_err(|mistakes| mistakes.to_string())
}

/// Keys whose examples name files that this machine does not have.
const WITH_FILES: [&str; 3] = ["shared_secret_file", "token_file", "certificates"];

/// The stand-alone server needs somebody who may use it.
fn with_secret(text: &str) -> String {
    text.replace("shared_secrets = []", "shared_secrets = [\"north\"]")
}

fn refused(text: &str) -> String {
    load(text).expect_err("a mistake")
}

#[test]
fn the_documented_file_is_the_default() {
    let mut settings = load(&with_secret(DEFAULT_FILE)).unwrap();
    assert_eq!(
        std::mem::take(&mut settings.turn.shared_secrets),
        ["north".into()]
    );
    assert_eq!(settings, Settings::default());
}

#[test]
fn every_key_in_a_comment_can_be_used_as_it_stands() {
    let uncommented: String = DEFAULT_FILE
        .lines()
        .map(|line| {
            match line
                .strip_prefix("# ")
                .and_then(|text| Some((text, text.split_once(" = ")?.0)))
            {
                Some((text, key)) if !key.contains(' ') && !WITH_FILES.contains(&key) => text,
                _ => line,
            }
        })
        .filter(|line| !line.ends_with("= []"))
        .map(|line| format!("{line}\n"))
        .collect();
    let settings = load(&uncommented).unwrap();
    assert_eq!(settings.turn.users.len(), 2);
    assert_eq!(settings.turn.oauth.keys.len(), 1);
    assert_eq!(settings.turn.peers.deny.len(), 3);
    assert_eq!(settings.turn.relay.addresses.len(), 1);
}

#[test]
fn an_unknown_key_is_refused_in_every_table() {
    for table in [
        "turn",
        "turn.oauth",
        "turn.admin",
        "turn.relay",
        "turn.tls",
        "turn.dtls",
        "turn.lifetimes",
        "turn.peers",
        "turn.limits",
        "turn.streams",
        "turn.proxy_protocol",
        "turn.shared_port",
        "turn.tcp_relay",
        "metrics",
        "log",
    ] {
        let header = format!("\n[{table}]\n");
        let text = with_secret(DEFAULT_FILE).replacen(&header, &format!("{header}lisen = 1\n"), 1);
        let message = refused(&text);
        assert!(message.contains("lisen"), "{table}: {message}");
    }
    let message = refused("[turn]\nshared_secrets = [\"a\"]\nrelay.addresses = [{ locl = \"10.0.0.1\" }]\n");
    assert!(message.contains("locl"), "{message}");
}

#[test]
fn all_mistakes_are_told_at_once_with_their_lines() {
    let message = refused(
        "[turn]\nlisten = [\"nowhere\"]\nrealm = \"a\\\"b\"\nshared_secrets = [\"\"]\n\
         relay.min_port = 60000\nrelay.max_port = 50000\n[turn.peers]\nallow = [\"10.0.0.1/8\"]\n\
         [turn.limits]\nallocations_per_user = 0\n",
    );
    for part in [
        "toml:2:",
        "toml:3:",
        "turn.realm",
        "toml:4:",
        "shared_secrets[0]",
        "toml:5:",
        "turn.relay.min_port",
        "toml:8:",
        "10.0.0.0/8",
        "toml:10:",
        "allocations_per_user",
    ] {
        assert!(message.contains(part), "{part} is missing in\n{message}");
    }
}

#[test]
fn ports_of_services_are_not_for_relays() {
    let with = |port: u16| format!("[turn]\nrelay.min_port = {port}\nshared_secrets = [\"a\"]\n");
    assert!(load(&with(1024)).is_ok());
    for port in [1, 1023] {
        let message = refused(&with(port));
        assert!(
            message.contains("turn.relay.min_port: must be at least 1024"),
            "{message}"
        );
    }
}

#[test]
fn a_realm_that_would_silence_the_first_answer_is_a_mistake() {
    let with = |realm: &str| format!("[turn]\nrealm = \"{realm}\"\nshared_secrets = [\"a\"]\n");
    let message = refused(&with("turn.eu-central-1.example-co.com1"));
    assert!(
        message.contains("toml:2:") && message.contains("33 bytes"),
        "{message}"
    );
    assert!(load(&with("turn.eu-central-1.example-co.com")).is_ok());
}

#[test]
fn a_key_of_an_authorization_server_is_enough() {
    let with = |more: &str| {
        format!(
            "[turn.oauth]\nkeys = [{{ kid = \"a\", key = \"MDEyMzQ1Njc4OTAxMjM0NQ\", algorithm = \"A128GCM\" }}]\n{more}"
        )
    };
    let settings = load(&with("")).unwrap();
    assert_eq!(settings.turn.oauth.server_name, "", "the realm");
    assert!(load(&with("server_name = \"turn.example.org\"\n")).is_ok());
    assert!(refused(&with("server_name = \"a\\\"b\"\n")).contains("turn.oauth.server_name"));
    assert!(refused(&with("allocations_per_key = 0\n")).contains("allocations_per_key"));
}

#[test]
fn every_mistake_in_keys_of_authorization_servers_is_told() {
    let message = refused(
        "[turn]\nshared_secrets = [\"a\"]\n[turn.oauth]\nkeys = [\n\
         { kid = \"one\", key = \"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEK\" },\n\
         { kid = \"one\", key = \"no base64!\" },\n\
         { kid = \"\", key = \"MDEyMzQ1Njc4OTAxMjM0NQ==\", algorithm = \"A256GCM\" },\n]\n",
    );
    for part in [
        "keys[0].key: is 33 bytes long, but A256GCM takes 32",
        "keys[1].kid: \"one\" is the id of an earlier key",
        "keys[1].key: is not base64",
        "keys[2].kid: must have 1 to 508 bytes",
        "keys[2].key: is 16 bytes long, but A256GCM takes 32",
    ] {
        assert!(message.contains(part), "{part} is missing in\n{message}");
    }
    let unused = refused("[turn]\nshared_secrets = [\"a\"]\noauth.server_name = \"turn.example.org\"\n");
    assert!(unused.contains("of no use without oauth.keys"), "{unused}");
    let unknown = refused("[turn.oauth]\nkeys = [{ kid = \"a\", key = \"\", algorithm = \"HS256\" }]\n");
    assert!(unknown.contains("A256GCM"), "{unknown}");
}

#[test]
fn without_users_and_secrets_the_stand_alone_server_says_what_to_set() {
    let message = refused("");
    for part in [
        "turn.shared_secrets",
        "turn.shared_secret_file",
        "[turn.users]",
        "[turn.oauth]",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn listening_twice_on_a_port_is_a_mistake() {
    let message = refused("[turn]\nshared_secrets = [\"a\"]\nlisten = [\"0.0.0.0:1\", \"127.0.0.1:1\"]\n");
    assert!(
        message.contains("turn.listen[1]: 0.0.0.0:1 takes this port"),
        "{message}"
    );
}

#[test]
fn web_connections_are_not_passed_on_to_this_server_itself() {
    let with = |listen: &str, upstream: &str| {
        load(&format!(
            "[turn]\nshared_secrets = [\"a\"]\n{listen}\n[turn.shared_port]\nupstream = \"{upstream}\"\n"
        ))
    };
    for (listen, upstream) in [
        ("", "127.0.0.1:3478"),
        ("", "[::1]:3478"),
        ("", "0.0.0.0:3478"),
        ("listen = [\"127.0.0.1:443\"]", "0.0.0.0:443"),
        ("listen_tcp = [\"192.0.2.1:443\"]", "192.0.2.1:443"),
        ("listen_tls = [\"127.0.0.1:443\"]", "127.0.0.1:443"),
    ] {
        let message = with(listen, upstream).expect_err(upstream);
        assert!(
            message.contains("turn.shared_port.upstream: is this server itself"),
            "{message}"
        );
    }
    for (listen, upstream) in [
        ("", "127.0.0.1:8443"),
        ("", "192.0.2.1:3478"),
        ("listen = [\"192.0.2.1:443\"]", "127.0.0.1:443"),
        ("listen_tcp = [\"127.0.0.1:443\"]", "127.0.0.1:3478"),
    ] {
        with(listen, upstream).expect(upstream);
    }
}

#[test]
fn a_secret_file_must_exist_and_hold_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let text = format!("[turn]\nshared_secret_file = \"{}\"\n", path.display());
    assert!(refused(&text).contains("cannot be read"));
    std::fs::write(&path, "\n  \n").unwrap();
    assert!(refused(&text).contains("holds no secret"));
    std::fs::write(&path, "north\nsouth\n").unwrap();
    assert!(load(&text).is_ok());
}

#[test]
fn an_administrators_token_is_long_enough_and_given_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "0123456789abcdef\n").unwrap();
    let with = |lines: &str| format!("[turn]\nshared_secrets = [\"a\"]\n[turn.admin]\n{lines}\n");
    let file = format!("token_file = \"{}\"", path.display());
    assert!(load(&with(&file)).is_ok());
    let message = refused(&with(&format!("token = \"0123456789abcdef\"\n{file}")));
    assert!(
        message.contains("turn.admin.token_file: give either"),
        "{message}"
    );
    for wrong in ["", "0123456789abcde", "0123456789 abcdef", "0123456789abcdé"] {
        let message = refused(&with(&format!("token = \"{wrong}\"")));
        assert!(
            message.contains(":4:9: turn.admin.token: must have 16"),
            "{message}"
        );
    }
    std::fs::write(&path, "short").unwrap();
    assert!(refused(&with(&file)).contains("turn.admin.token_file: must have 16"));
    assert!(refused(&with("token_file = \"/nowhere\"")).contains("cannot be read"));
}

#[test]
fn passwords_and_secrets_are_not_printed() {
    let settings =
        load("[turn]\nshared_secrets = [\"north\"]\nusers = { alice = \"wonderland\" }\n").unwrap();
    let printed = format!("{settings:?}");
    assert!(
        !printed.contains("north") && !printed.contains("wonderland"),
        "{printed}"
    );
}
