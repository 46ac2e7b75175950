use serde::Deserialize;

use super::*;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Suite {
    turn: Turn,
    log: Log,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Turn {
    listen: Vec<std::net::SocketAddr>,
    realm: String,
    channels: Channels,
    relay_ports: Ports,
    allow: Vec<ipnet::IpNet>,
    users: Vec<User>,
    shared_secret: String,
    workers: Option<u16>,
}

impl Default for Turn {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            realm: "watari".into(),
            channels: Channels::Rfc8656,
            relay_ports: Ports::default(),
            allow: Vec::new(),
            users: Vec::new(),
            shared_secret: String::new(),
            workers: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Channels {
    Rfc8656,
    Rfc5766,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Ports {
    min: u16,
    max: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self {
            min: 49_152,
            max: 65_535,
        }
    }
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    name: String,
    password: String,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Log {
    json: bool,
}

impl Check for Suite {
    fn check(&self, report: &mut Report<'_>) {
        report.within("turn", |report| {
            if self.turn.listen.len() == 1 {
                report.mistake("listen", "names one address, two are needed");
            }
            if self.turn.relay_ports.min > self.turn.relay_ports.max {
                report.mistake("relay_ports.min", "is greater than max");
            }
            for (index, user) in self.turn.users.iter().enumerate() {
                if user.name.is_empty() {
                    report.mistake(&format!("users[{index}].name"), "is empty");
                }
            }
        });
    }
}

fn source(env: &[(&str, &str)], sets: &[(&str, &str)]) -> Source {
    let env = env
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect();
    let mut source = Source {
        file: Some("watari.toml".into()),
        env_prefix: "WATARI_",
        reserved: &["STATE", "TURN__", "SIGNALING__"],
        env,
        overrides: Vec::new(),
    };
    for (key, value) in sets {
        source.set(key, value);
    }
    source
}

fn mistakes(text: &str, env: &[(&str, &str)], sets: &[(&str, &str)]) -> String {
    load_text::<Suite>(text, &source(env, sets))
        .unwrap_err()
        .to_string()
}

fn good(text: &str, env: &[(&str, &str)], sets: &[(&str, &str)]) -> Suite {
    load_text(text, &source(env, sets)).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

#[test]
fn nothing_at_all_is_the_default() {
    assert_eq!(good("", &[], &[]), Suite::default());
}

#[test]
fn every_mistake_is_listed_with_its_line_and_the_nearest_name() {
    let text = r#"[turn]
realm = 7
relm = "x"
channels = "rfc5767"
listen = ["127.0.0.1:3478", "nowhere", "[::1]:99999"]
allow = ["10.0.0.0/8", "10.0.0.0/33"]
workers = 70000

[turn.relay_ports]
min = 60000
max = 50000

[[turn.users]]
name = ""
password = "a"

[[turn.users]]
nam = "b"
password = 5

[turm]
x = 1

[log]
json = "yes"
"#;
    let listed = mistakes(text, &[], &[]);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(
        lines,
        [
            "watari.toml:2:9: turn.realm: is an integer 7, should be a string",
            "watari.toml:3:1: turn.relm: unknown key (did you mean `realm`?)",
            "watari.toml:4:12: turn.channels: \"rfc5767\" is not one of \"rfc8656\", \"rfc5766\" (did you mean `rfc5766`?)",
            "watari.toml:5:29: turn.listen[1]: invalid socket address syntax",
            "watari.toml:5:40: turn.listen[1]: invalid socket address syntax",
            "watari.toml:6:24: turn.allow[1]: invalid IP address syntax",
            "watari.toml:7:11: turn.workers: is an integer 70000, should be a whole number from 0 to 65535",
            "watari.toml:10:7: turn.relay_ports.min: is greater than max",
            "watari.toml:14:8: turn.users[0].name: is empty",
            "watari.toml:18:1: turn.users[1].nam: unknown key (did you mean `name`?)",
            "watari.toml:19:12: turn.users[1].password: is an integer, should be a string",
            "watari.toml:21:2: turm: unknown key (did you mean `turn`?)",
            "watari.toml:25:8: log.json: is a string \"yes\", should be true or false",
        ]
    );
}

#[test]
fn a_list_with_a_wrong_element_is_not_also_too_short() {
    let both = "[turn]\nlisten = ['127.0.0.1:1', 'here']";
    assert_eq!(
        mistakes(both, &[], &[]),
        "watari.toml:2:26: turn.listen[1]: invalid socket address syntax"
    );
    assert!(mistakes("[turn]\nlisten = ['127.0.0.1:1']", &[], &[]).contains("two are needed"));
}

#[test]
fn a_missing_field_is_reported_once_and_at_its_table() {
    let listed = mistakes("[[turn.users]]\nname = \"a\"\n", &[], &[]);
    assert_eq!(listed, "watari.toml:1:1: turn.users[0]: lacks the key `password`");
}

#[test]
fn later_layers_win_and_texts_find_their_type() {
    let text = "[turn]\nrealm = \"file\"\nlisten = [\"127.0.0.1:1\"]\n";
    let env = [
        ("WATARI_TURN__REALM", "1234"),
        ("WATARI_TURN__RELAY_PORTS__MIN", "50000"),
        ("WATARI_TURN__LISTEN", "127.0.0.1:5,[::1]:6"),
        ("WATARI_TURN__ALLOW", "10.0.0.0/8"),
        ("WATARI_TURN__USERS", "[{name = \"a\", password = \"b\"}]"),
        ("WATARI_LOG__JSON", "true"),
        ("WATARI_STATE", "/elsewhere"),
        ("WATARI_TEST_REQUIRE", "1"),
        ("WATARI_PORT_3478_UDP_ADDR", "10.0.0.1"),
        ("WATARI_TURN_PORT", "udp://10.0.0.1:3478"),
        ("WATARI_TURN_SERVICE_HOST", "10.0.0.1"),
    ];
    let loaded = good(
        text,
        &env,
        &[("turn.relay_ports.min", "50001"), ("turn.shared_secret", "true")],
    );
    assert_eq!(loaded.turn.realm, "1234");
    assert_eq!(loaded.turn.relay_ports.min, 50_001);
    assert_eq!(
        loaded.turn.listen,
        ["127.0.0.1:5".parse().unwrap(), "[::1]:6".parse().unwrap()]
    );
    assert_eq!(loaded.turn.allow, ["10.0.0.0/8".parse().unwrap()]);
    assert_eq!(
        loaded.turn.users,
        [User {
            name: "a".into(),
            password: "b".into()
        }]
    );
    assert_eq!(loaded.turn.shared_secret, "true");
    assert!(loaded.log.json);
}

#[test]
fn mistakes_in_environment_and_flags_name_their_own_place() {
    let env = [
        ("WATARI_TURN_REALM", "x"),
        ("WATARI_TRUN__REALM", "x"),
        ("WATARI_TURN__RELAY_PORTS__MIN", "70000"),
    ];
    let listed = mistakes(
        "[log]\njson = 1\n",
        &env,
        &[
            ("turn.relm", "x"),
            ("log.json.deep", "1"),
            ("turn.allow", "10.0.0.0/99"),
        ],
    );
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(
        lines,
        [
            "watari.toml:2:8: log.json: is an integer 1, should be true or false",
            "environment WATARI_TRUN__REALM: trun: unknown key (did you mean `turn`?)",
            "environment WATARI_TURN_REALM: names no setting: two underscores stand between table and key (did you mean WATARI_TURN__REALM?)",
            "environment WATARI_TURN__RELAY_PORTS__MIN: turn.relay_ports.min: is an integer 70000, should be a whole number from 0 to 65535",
            "--set log.json.deep: goes below a value that is not a table",
            "--set turn.allow: invalid IP address syntax",
            "--set turn.relm: unknown key (did you mean `realm`?)",
        ]
    );
}

#[test]
fn variables_of_a_neighbour_are_left_to_it_but_slips_in_ours_are_not() {
    let env = [
        ("WATARI_SIGNALING__LISTEN", "127.0.0.1:1"),
        ("WATARI_SIGNALING__ICE__PORT", "x"),
    ];
    assert_eq!(good("", &env, &[]), Suite::default());
    let listed = mistakes(
        "[signaling]\n",
        &[("WATARI_TURN__RELM", "x"), ("WATARI_SIGNALLING__LISTEN", "x")],
        &[("signaling.listen", "x")],
    );
    for part in [
        "watari.toml:1:",
        "environment WATARI_TURN__RELM: turn.relm",
        "environment WATARI_SIGNALLING__LISTEN: signalling",
    ] {
        assert!(listed.contains(part), "{part} is missing in\n{listed}");
    }
}

#[test]
fn text_that_is_not_toml_is_shown_with_a_caret() {
    let listed = mistakes("[turn]\nrealm = \"a\nworkers = = 2\n", &[], &[]);
    let lines: Vec<&str> = listed.lines().collect();
    assert!(lines[0].starts_with("watari.toml:2:11: "), "{listed}");
    assert_eq!(lines[1], "2 | realm = \"a");
    assert_eq!(lines[2], "              ^");
    assert!(
        lines.iter().any(|line| line.starts_with("watari.toml:3:11: ")),
        "{listed}"
    );
}

#[test]
fn secrets_are_never_shown() {
    for text in [
        "[turn]\nshared_secret = [\"hunter2\"]\n",
        "[turn]\nshared_secret = \"hunter2\n",
        "[turn]\nusers = [\n\"hunter2\n]\n",
        "[turn]\nusers = [\"hunter2\"]\n",
        "[[turn.users]]\nname = \"a\"\npassword = [\"hunter2\"]\n",
    ] {
        let listed = mistakes(text, &[], &[]);
        assert!(!listed.contains("hunter2"), "{listed}");
    }
    let listed = mistakes(
        "",
        &[("WATARI_TURN__SHARED_SECRET__X", "hunter2")],
        &[("turn.users", "hunter2")],
    );
    assert!(!listed.contains("hunter2"), "{listed}");
}

#[test]
fn an_unreadable_file_is_one_clear_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let source = source(&[], &[]).file(Some(folder.path().join("absent.toml")));
    let listed = load::<Suite>(&source).unwrap_err().to_string();
    assert!(
        listed.ends_with("absent.toml: cannot be read: No such file or directory (os error 2)"),
        "{listed}"
    );
}

#[test]
fn a_number_no_setting_could_hold_is_a_mistake() {
    let listed = mistakes("[turn]\nworkers = 99999999999999999999\n", &[], &[]);
    assert_eq!(
        listed,
        "watari.toml:2:11: turn.workers: is a number too large for any setting"
    );
}
