//! `watari check-config` as people and scripts use it.

use std::{fs, path::Path, process::Output};

use serde_json::Value;

use crate::support::{answer, folder, text, watari};

fn written(folder: &Path, name: &str, lines: &str) -> String {
    let file = folder.join(name);
    fs::write(&file, lines).unwrap();
    file.to_str().unwrap().to_owned()
}

fn json(output: &Output) -> Value {
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_default_config_checks_as_fine() {
    let (folder, _) = folder();
    let file = folder.path().join("watari.toml");
    fs::write(&file, answer(&["default-config"]).stdout).unwrap();
    let output = answer(&["check-config", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(
        text(&output.stdout).contains("127.0.0.1:3001, [::1]:3001"),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn check_lists_mistakes_for_scripts_too() {
    let (folder, _) = folder();
    let file = folder.path().join("watari.toml");
    fs::write(&file, "[metrics]\nlisten = 5\nlog = 1\n").unwrap();
    let output = answer(&["check-config", "--json", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(78));
    let answered = json(&output);
    assert_eq!(answered["ok"], false);
    assert_eq!(answered["mistakes"][0]["line"], 2);
    assert_eq!(answered["mistakes"][0]["key"], "metrics.listen");
    assert_eq!(answered["mistakes"][1]["line"], 3);
}

#[test]
fn mistakes_of_all_files_are_said_at_once_each_with_its_place_and_the_nearest_name() {
    let (folder, _) = folder();
    let suite = written(
        folder.path(),
        "watari.toml",
        "[turn]\nrelm = \"a\"\n[metrics]\nlisten = 5\n",
    );
    let turn = written(
        folder.path(),
        "turn-server.toml",
        "[turn]\nshared_secrets = [\"a\"]\nworkers = \"many\"\n",
    );
    let stun = written(folder.path(), "stun-server.toml", "[stun]\nworkers = 1\n");
    let output = answer(&["check-config", &suite, &turn, &stun]);
    assert_eq!(output.status.code(), Some(78));
    let said = text(&output.stderr);
    for part in [
        "there are 3 mistakes in the settings",
        &format!("{suite}:2:1: turn.relm: "),
        "did you mean `realm`",
        &format!("{suite}:4:10: metrics.listen: "),
        &format!("{turn}:3:11: turn.workers: "),
    ] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }
    let fine = text(&output.stdout);
    assert!(fine.contains(&format!("{stun} is fine.\n")), "{fine}");
}

#[test]
fn a_file_is_checked_as_the_server_reads_it_that_it_is_for() {
    let (folder, _) = folder();
    // The suite mints a secret; a TURN server alone needs one, and knows no [web].
    let lines = "[turn]\nrealm = \"a\"\n";
    let (named, other) = (
        written(folder.path(), "turn-server.toml", lines),
        written(folder.path(), "relay.toml", lines),
    );
    for (arguments, code, server) in [
        (&["check-config", "--json", &other][..], 0, "watari"),
        (&["check-config", "--json", &named], 78, "turn-server"),
        (
            &["check-config", "--json", "--server", "turn", &other],
            78,
            "turn-server",
        ),
        (
            &["check-config", "--json", "--server", "suite", &named],
            0,
            "watari",
        ),
        (
            &["check-config", "--json", "--server", "stun", &other],
            78,
            "stun-server",
        ),
    ] {
        let output = answer(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert_eq!(json(&output)["files"][0]["server"], server, "{arguments:?}");
    }
    let output = answer(&["check-config", "--set", "turn.shared_secrets=[\"a\"]", &named]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(said.contains("is fine.\n  checked for turn-server"), "{said}");
}

#[test]
fn files_that_the_settings_name_are_looked_at() {
    let (folder, _) = folder();
    let lines = "[turn]\nshared_secrets = [\"a\"]\n[turn.tls]\ncertificates = [{ certificate = \"/nowhere/a\", key = \"/nowhere/b\" }]\n";
    for name in ["turn-server.toml", "watari.toml"] {
        let file = written(folder.path(), name, lines);
        let output = answer(&["check-config", "--json", &file]);
        assert_eq!(output.status.code(), Some(78), "{name}");
        let found = &json(&output)["mistakes"][0];
        assert_eq!(found["file"], file.as_str());
        assert!(found["what"].as_str().unwrap().contains("/nowhere/a"), "{found}");
    }
}

#[test]
fn a_mistake_in_the_environment_is_said_once_and_a_file_named_there_is_checked() {
    let (folder, _) = folder();
    let stun = written(folder.path(), "stun-server.toml", "");
    let told = |arguments: &[&str], name: &str, value: &str| {
        let output = watari().args(arguments).env(name, value).output().unwrap();
        (output.status.code(), json(&output))
    };
    let (code, answered) = told(
        &["check-config", "--json", &stun, &stun],
        "WATARI_STUN__WORKRS",
        "1",
    );
    assert_eq!(code, Some(78));
    assert_eq!(answered["mistakes"].as_array().unwrap().len(), 1, "{answered}");
    assert_eq!(answered["mistakes"][0]["environment"], "WATARI_STUN__WORKRS");
    let (code, answered) = told(&["check-config", "--json"], "WATARI_CONFIG", &stun);
    assert_eq!(code, Some(0), "{answered}");
    assert_eq!(answered["files"][0]["file"], stun.as_str());
}
