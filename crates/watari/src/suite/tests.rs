use std::path::PathBuf;

use settings::Source;

use super::*;

/// The sample with its defaults (`#key = …`) put in force, and its examples (`#   key = …`) on request.
fn sample(with_examples: bool) -> String {
    let uncommented = SAMPLE.lines().map(|line| {
        let Some(rest) = line.strip_prefix('#') else {
            return line;
        };
        let example = rest.strip_prefix("   ").filter(|_| with_examples);
        [Some(rest), example]
            .into_iter()
            .flatten()
            .find(|rest| is_setting(rest))
            .unwrap_or("")
    });
    uncommented.collect::<Vec<_>>().join("\n")
}

/// `key = …` or `[table]`, unlike a sentence.
fn is_setting(line: &str) -> bool {
    let key = line.split(" =").next().unwrap_or("");
    let is_key = line.contains(" = ")
        && key
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    is_key || (line.starts_with('[') && line.ends_with(']'))
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
    tables("", &sample(true).parse().unwrap(), &mut found);
    found
}

#[test]
fn the_sample_says_the_defaults() {
    let loaded = load(&sample(false)).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(format!("{loaded:#?}"), format!("{:#?}", Suite::default()));
    assert!(load(SAMPLE).is_ok(), "as printed, with everything commented out");
}

#[test]
fn the_examples_in_the_sample_are_valid() {
    let loaded = load(&sample(true)).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(loaded.state.folder, Some(PathBuf::from("/srv/watari")));
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
