//! The environment and the flags, laid over the file.

use crate::{
    Source,
    mistake::{Mistake, Place},
    path,
    tree::{Node, Step},
};

/// Lays `PREFIX_TABLE__KEY` variables over the tree; two underscores separate levels. `known` are the keys of
/// the topmost table.
pub(crate) fn environment(source: &Source, known: &[String], root: &mut Node, found: &mut Vec<Mistake>) {
    let mut variables: Vec<_> = source.env.iter().collect();
    variables.sort();
    for (name, value) in variables {
        let Some(rest) = name.strip_prefix(source.env_prefix) else {
            continue;
        };
        if is_reserved(rest, source.reserved, known) {
            continue;
        }
        let key = rest.to_lowercase();
        match Meant::by(&key, known) {
            Meant::Setting => lay(
                root,
                &key.replace("__", "."),
                value,
                Place::Env(name.clone()),
                found,
            ),
            Meant::SettingBut { table, key } => found.push(Mistake {
                place: Place::Env(name.clone()),
                key: String::new(),
                what: "names no setting: two underscores stand between table and key".into(),
                hint: Some(format!(
                    "did you mean {}{}?",
                    source.env_prefix,
                    format!("{table}__{key}").to_uppercase()
                )),
            }),
            Meant::SomethingElse => {}
        }
    }
}

fn is_reserved(rest: &str, reserved: &[&str], known: &[String]) -> bool {
    reserved.iter().any(|name| match name.strip_suffix("__") {
        Some(table) => rest.starts_with(name) && !known.contains(&table.to_lowercase()),
        None => rest == *name,
    })
}

/// What a variable that has our prefix is for.
enum Meant<'a> {
    Setting,
    /// A setting in this table, but for a missing underscore.
    SettingBut {
        table: &'a str,
        key: &'a str,
    },
    /// A test, a build, or a Kubernetes Service of the same name.
    SomethingElse,
}

impl<'a> Meant<'a> {
    fn by(rest: &'a str, known: &'a [String]) -> Self {
        if rest.contains("__") || known.iter().any(|key| key == rest) {
            return Self::Setting;
        }
        let below = known.iter().find_map(|table| {
            let key = rest.strip_prefix(table.as_str())?.strip_prefix('_')?;
            (!is_injected_by_kubernetes(key)).then_some((table, key))
        });
        below.map_or(Self::SomethingElse, |(table, key)| Self::SettingBut {
            table,
            key,
        })
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

/// In a Kubernetes pod, a Service named `watari-turn` puts `WATARI_TURN_SERVICE_HOST`, `WATARI_TURN_PORT` and
/// `WATARI_TURN_PORT_3478_UDP_ADDR` into the environment; those are not meant for us.
fn is_injected_by_kubernetes(rest: &str) -> bool {
    let numbered = |tail: &str| tail.starts_with(|c: char| c.is_ascii_digit());
    rest == "port"
        || rest == "service_host"
        || rest == "service_port"
        || rest.starts_with("service_port_")
        || rest.strip_prefix("port_").is_some_and(numbered)
}
