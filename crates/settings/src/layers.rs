//! The environment and the flags, laid over the file.

use crate::{
    Source,
    mistake::{Mistake, Place},
    path,
    tree::{Node, Step},
};

/// Lays `PREFIX_TABLE__KEY` variables over the tree; two underscores separate levels.
pub(crate) fn environment(source: &Source, root: &mut Node, found: &mut Vec<Mistake>) {
    let mut variables: Vec<_> = source.env.iter().collect();
    variables.sort();
    for (name, value) in variables {
        let Some(rest) = name.strip_prefix(source.env_prefix) else {
            continue;
        };
        if source.reserved.contains(&rest) || is_injected_by_kubernetes(rest) {
            continue;
        }
        let key = rest.to_lowercase().replace("__", ".");
        lay(root, &key, value, Place::Env(name.clone()), found);
    }
}

/// Lays the flags over the tree, in their order.
pub(crate) fn flags(source: &Source, root: &mut Node, found: &mut Vec<Mistake>) {
    for set in &source.overrides {
        lay(root, &set.key, &set.value, Place::Flag(set.flag.clone()), found);
    }
}

fn lay(root: &mut Node, key: &str, value: &str, place: Place, found: &mut Vec<Mistake>) {
    let steps = path::parse(key);
    let mut refuse = |what: &str| {
        let key = path::display(&steps);
        found.push(Mistake {
            place: place.clone(),
            key,
            what: what.into(),
            hint: None,
        });
    };
    if steps.is_empty() {
        return refuse("names no setting");
    }
    if steps.iter().any(|step| matches!(step, Step::Index(_))) {
        return refuse("one element of a list cannot be set, give the whole list");
    }
    if root
        .insert(&steps, Node::from_text(value, place.clone()))
        .is_err()
    {
        refuse("goes below a value that is not a table");
    }
}

/// In a Kubernetes pod, a Service named like the program puts `WATARI_SERVICE_HOST`, `WATARI_PORT` and
/// `WATARI_PORT_3478_UDP_ADDR` into the environment; those are not meant for us.
fn is_injected_by_kubernetes(rest: &str) -> bool {
    let numbered = |tail: &str| tail.starts_with(|c: char| c.is_ascii_digit());
    rest == "PORT"
        || rest == "SERVICE_HOST"
        || rest == "SERVICE_PORT"
        || rest.starts_with("SERVICE_PORT_")
        || rest.strip_prefix("PORT_").is_some_and(numbered)
}
