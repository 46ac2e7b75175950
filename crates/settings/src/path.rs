//! Dotted keys: `turn.users[1].name`, as people and messages write them.

use crate::tree::Step;

/// Reads a dotted key; anything that is not an index in brackets is a name.
pub(crate) fn parse(key: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for part in key.split('.').filter(|part| !part.is_empty()) {
        let (name, indexes) = part.split_once('[').unwrap_or((part, ""));
        if !name.is_empty() {
            steps.push(Step::Key(name.to_owned()));
        }
        let indexes = indexes.split('[').map(|index| index.trim_end_matches(']'));
        steps.extend(indexes.filter_map(|index| index.parse().ok()).map(Step::Index));
    }
    steps
}

/// Writes steps as a dotted key.
pub(crate) fn display(steps: &[Step]) -> String {
    let mut key = String::new();
    for step in steps {
        match step {
            Step::Key(name) => {
                if !key.is_empty() {
                    key.push('.');
                }
                key.push_str(name);
            }
            Step::Index(index) => key.push_str(&format!("[{index}]")),
        }
    }
    key
}

/// Tells whether a value under this key must never be shown.
pub(crate) fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["secret", "password", "credential", "users", "key"]
        .iter()
        .any(|word| key.contains(word))
}
