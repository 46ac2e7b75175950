mod documents;

use std::path::PathBuf;

use settings::Source;

use super::*;

/// The sample with its examples (`# key = …`) put in force.
fn with_examples() -> String {
    let uncommented = SAMPLE.lines().map(|line| {
        line.strip_prefix("# ")
            .filter(|rest| is_setting(rest))
            .unwrap_or(line)
    });
    let mut lines: Vec<&str> = Vec::new();
    for line in uncommented {
        // An example of a key that has a default stands below it and takes its place.
        let key = line.split(" = ").next().filter(|_| is_setting(line));
        match lines
            .iter_mut()
            .rev()
            .take_while(|above| !above.starts_with('['))
            .find(|above| key.is_some_and(|key| above.split(" = ").next() == Some(key)))
        {
            Some(above) => *above = line,
            None => lines.push(line),
        }
    }
    lines.join("\n")
}

/// `key = …`, unlike a sentence.
fn is_setting(line: &str) -> bool {
    let key = line.split(" = ").next().unwrap_or("").trim_matches('"');
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_@.".contains(c);
    line.contains(" = ") && key.chars().all(is_name)
}

fn load(text: &str) -> Result<Suite, settings::Mistakes> {
    let source = Source {
        env: Vec::new(),
        ..Source::new(ENV_PREFIX).file(Some(PathBuf::from("watari.toml")))
    };
    settings::load_text(text, &source)
}

/// Every table of the document with its dotted name, the root's being empty.
fn tables(name: &str, table: &toml::Table, found: &mut Vec<(String, Vec<String>)>) {
    found.push((name.to_owned(), table.keys().cloned().collect()));
    for (key, value) in table {
        if let toml::Value::Table(inner) = value {
            let name = if name.is_empty() {
                key.clone()
            } else {
                format!("{name}.{key}")
            };
            tables(&name, inner, found);
        }
    }
}

fn sample_tables() -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    tables("", &with_examples().parse().unwrap(), &mut found);
    // Names of users and hosts are the operator's, and of the two keys for a token an example has one.
    let free = ["turn.users", "turn.shared_port.names", "signaling.ice.admin"];
    found.retain(|(table, _)| !free.contains(&table.as_str()));
    found
}

#[test]
fn the_sample_says_the_defaults() {
    let loaded = load(SAMPLE).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(format!("{loaded:#?}"), format!("{:#?}", Suite::default()));
}

#[test]
fn the_examples_in_the_sample_are_valid() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "north\n").unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "0123456789abcdef\n").unwrap();
    let pem = folder.path().join("pair.pem");
    let made = rcgen::generate_simple_self_signed(["turn.example.org".to_owned()]).unwrap();
    std::fs::write(&pem, made.cert.pem() + &made.signing_key.serialize_pem()).unwrap();
    let text = with_examples()
        .replace("/live/stun.example.org/", "/live/turn.example.org/")
        .replace("/etc/watari/directory-ca.pem", &pem.display().to_string())
        .replace(
            "/etc/letsencrypt/live/turn.example.org/fullchain.pem",
            &pem.display().to_string(),
        )
        .replace(
            "/etc/letsencrypt/live/turn.example.org/privkey.pem",
            &pem.display().to_string(),
        )
        .replace("/etc/watari/turn-secret", &secret.display().to_string())
        .replace("/etc/watari/turn-admin-token", &token.display().to_string())
        // Either this or the file.
        .replace("secret = \"the same as there\"\n", "")
        .replace("token = \"0123456789abcdef0123456789abcdef\"\n", "")
        // Either this or the nodes.
        .replace("\nadmin = {", "\n# admin = {");
    let loaded = load(&text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(loaded.state.folder, Some(PathBuf::from("/srv/watari")));
    assert_eq!(loaded.turn.users.len(), 2);
    assert_eq!(loaded.turn.tls.certificates.len(), 1);
    assert_eq!(loaded.stun.tls.certificates.len(), 1);
    assert_eq!(loaded.signaling.ice.nodes.len(), 2);
}

#[test]
fn the_sample_has_every_key_of_every_table() {
    for (table, mut keys) in sample_tables() {
        let header = if table.is_empty() {
            String::new()
        } else {
            format!("[{table}]\n")
        };
        let refusal = toml::from_str::<Suite>(&format!("{header}bogus = 1\n")).unwrap_err();
        let mut known: Vec<_> = refusal
            .message()
            .split('`')
            .skip(3)
            .step_by(2)
            .map(str::to_owned)
            .collect();
        // The suite serves signaling beside its page and refuses this key.
        known.retain(|key| (table.as_str(), key.as_str()) != ("signaling", "listen"));
        known.sort();
        keys.sort();
        assert_eq!(
            keys, known,
            "table [{table}]: left in the sample, right in the code"
        );
    }
}

#[test]
fn a_slip_in_any_key_is_answered_with_its_line_and_the_right_name() {
    for (table, keys) in sample_tables().into_iter().filter(|(table, _)| !table.is_empty()) {
        for key in keys {
            let slip = format!("{}q", key);
            let text = format!("# a comment\n[{table}]\n{slip} = 1\n");
            let mistakes = load(&text).unwrap_err().to_string();
            let expected = format!("watari.toml:3:1: {table}.{slip}: unknown key (did you mean `{key}`?)");
            assert_eq!(mistakes, expected);
        }
    }
}

#[test]
fn a_key_that_would_do_nothing_is_refused() {
    let text = "[web]\nlisten = []\nsignaling = \"https://a.example\"\n\
                [signaling]\nlisten = \"127.0.0.1:1\"\nice.secret = \"north\"\n";
    let mistakes = load(text).unwrap_err().to_string();
    for place in [
        ":3:13: web.signaling",
        ":5:10: signaling.listen",
        ":6:14: signaling.ice.secret",
    ] {
        assert!(mistakes.contains(place), "{place} is missing in: {mistakes}");
    }
}

#[test]
fn the_administrator_of_the_suites_own_relay_is_not_another_machines() {
    let admin = "admin = { url = \"http://a.example\", token = \"0123456789abcdef\" }";
    let mistakes = load(&format!("[signaling.ice]\n{admin}\n"))
        .unwrap_err()
        .to_string();
    assert!(
        mistakes.contains("watari.toml:2:1: signaling.ice.admin: is of another"),
        "{mistakes}"
    );
    let foreign = "urls = [\"turn:a.example\"]\nsecret = \"north\"";
    load(&format!("[signaling.ice]\n{admin}\n{foreign}\n")).unwrap();
    let nodes = "nodes = [{ name = \"a\", urls = [\"turn:a.example\"] }]";
    load(&format!("[signaling.ice]\n{nodes}\nsecret = \"north\"\n")).unwrap();
    load(&format!("[signaling.ice]\n{nodes}\n")).unwrap();
}

#[test]
fn a_node_without_any_secret_of_the_settings_is_noticed() {
    let nodes = "[signaling.ice]\nnodes = [{ name = \"a\", urls = [\"turn:a.example\"] }, \
                 { name = \"b\", urls = [\"turn:b.example\"], secret = \"south\" }, \
                 { name = \"c\", urls = [\"turn:c.example\"], secret_file = \"/c\" }]\n";
    let bare = |text: &str| {
        let suite = load(text).unwrap();
        suite
            .nodes_without_secret()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(bare(nodes), ["a"]);
    assert_eq!(bare(&format!("{nodes}secret = \"north\"\n")), [""; 0]);
    assert_eq!(bare(&format!("{nodes}secret_file = \"/n\"\n")), [""; 0]);
}

#[test]
fn whatever_the_file_holds_loading_it_ends_with_settings_or_mistakes() {
    let sample = with_examples();
    // Cut off anywhere, and with any one line gone to pieces.
    for end in (0..sample.len())
        .step_by(13)
        .filter(|end| sample.is_char_boundary(*end))
    {
        if let Err(mistakes) = load(&sample[..end]) {
            assert!(mistakes.iter().count() > 0, "refused without a word at {end}");
        }
    }
    let lines: Vec<&str> = sample.lines().collect();
    for (index, line) in lines.iter().enumerate().filter(|(_, line)| is_setting(line)) {
        for wrong in [
            "[[1, {}], 2026-01-01]",
            "-9223372036854775808",
            "\"\\u0000渡\"",
            "{ a.b = inf }",
            "=",
        ] {
            let mut changed = lines.clone();
            let (key, _) = line.split_once(" = ").unwrap();
            let replaced = format!("{key} = {wrong}");
            changed[index] = &replaced;
            let mistakes = load(&changed.join("\n"))
                .err()
                .map(|mistakes| mistakes.to_string());
            let place = format!("watari.toml:{}:", index + 1);
            // A few keys take any text; everything else must point to the line.
            let takes_text = wrong.starts_with('"');
            assert!(
                takes_text || mistakes.unwrap_or_default().contains(&place),
                "{replaced} in line {}",
                index + 1
            );
        }
    }
}
