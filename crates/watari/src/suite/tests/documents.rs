//! What the documents say of settings, beside the sample that has them all.

use super::*;

const DOCUMENTS: [(&str, &str); 2] = [
    ("recipes.md", include_str!("../../../../../docs/recipes.md")),
    (
        "troubleshooting.md",
        include_str!("../../../../../docs/troubleshooting.md"),
    ),
];

/// The text outside fenced blocks, and the fenced blocks of TOML.
fn halves(document: &str) -> (String, Vec<String>) {
    let (mut prose, mut blocks) = (String::new(), Vec::new());
    for (index, part) in document.split("\n```").enumerate() {
        if index % 2 == 0 {
            // What follows the fence on its line is empty here and a language below.
            prose.push_str(part);
            prose.push('\n');
        } else if let Some(block) = part.strip_prefix("toml\n") {
            blocks.push(block.to_owned());
        }
    }
    (prose, blocks)
}

/// The settings that stand in backticks: `turn.realm`, `[turn.users]`, `turn.listen_tcp = []`.
fn settings_named(prose: &str) -> Vec<&str> {
    let of_ours = [
        "turn",
        "stun",
        "signaling",
        "web",
        "tls",
        "metrics",
        "log",
        "state",
    ];
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.".contains(c);
    prose
        .split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|code| code.split(" = ").next())
        .map(|code| code.trim_start_matches('[').trim_end_matches(']'))
        .filter(|name| name.contains('.') && name.chars().all(is_name))
        .filter(|name| {
            name.split('.')
                .next()
                .is_some_and(|first| of_ours.contains(&first))
        })
        .filter(|name| !name.ends_with(".example.org"))
        .collect()
}

/// Every key with its table in front, and every table.
fn settings_there_are() -> Vec<String> {
    let mut found = Vec::new();
    tables("", &with_examples().parse().unwrap(), &mut found);
    let keys = |(table, keys): &(String, Vec<String>)| -> Vec<String> {
        keys.iter().map(|key| format!("{table}.{key}")).collect()
    };
    let mut names: Vec<_> = found.iter().flat_map(keys).collect();
    names.extend(found.into_iter().map(|(table, _)| table));
    names
}

#[test]
fn every_setting_that_the_documents_name_exists() {
    let there_are = settings_there_are();
    for (file, document) in DOCUMENTS {
        let (prose, _) = halves(document);
        let named = settings_named(&prose);
        assert!(named.len() > 10, "{file}: only {named:?} were found");
        for name in named {
            assert!(
                there_are.iter().any(|known| known == name),
                "{file}: there is no setting {name}"
            );
        }
    }
}

#[test]
fn the_settings_files_in_the_documents_are_understood() {
    for (file, document) in DOCUMENTS {
        let (_, blocks) = halves(document);
        assert!(!blocks.is_empty(), "{file} has no TOML");
        for block in blocks {
            load(&block).unwrap_or_else(|mistakes| panic!("{file}:\n{block}\n{mistakes}"));
        }
    }
}
