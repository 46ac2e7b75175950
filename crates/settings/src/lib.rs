//! A TOML file, environment and flags laid over it, every mistake reported with its place.
//!
//! [`load`] reads the file into a tree in which every value remembers where it was written, lays the
//! environment and the flags over it, and deserializes. A value that does not fit becomes a [`Mistake`],
//! leaves the tree, and the rest is tried again, so that one run shows everything there is to correct.
//! What a type alone cannot say is checked by [`Check`], whose complaints find their line by key.
//!
//! Shapes that lose the place of a mistake: `#[serde(flatten)]` and `#[serde(untagged)]`.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "tests fail loudly"))]

mod document;
mod layers;
mod loaded;
mod mistake;
mod path;
mod report;
mod schema;
mod tree;
mod wording;

use std::{fs, path::PathBuf};

use serde::de::DeserializeOwned;

pub use loaded::{Changes, Keys, Loaded};
pub use mistake::{Mistake, Mistakes, Place};
pub use report::{Check, Report};
pub use schema::schema;

use tree::{Node, Step};

/// Says where settings come from; later layers win: file, environment, flags.
#[derive(Debug, Clone)]
pub struct Source {
    /// The TOML file; without one only the environment, the flags and the defaults count.
    pub file: Option<PathBuf>,
    /// What names of environment variables start with, underscore included: `WATARI_`.
    pub env_prefix: &'static str,
    /// Names after the prefix that mean something else (`STATE` for `WATARI_STATE`). One that ends in two
    /// underscores (`WEB__`) is a table of another program that reads the same environment: its variables
    /// are left alone unless these settings have a table of that name too.
    pub reserved: &'static [&'static str],
    /// The environment; [`Source::new`] takes that of the process.
    pub env: Vec<(String, String)>,
    /// What flags set.
    pub overrides: Vec<Override>,
}

/// One setting given on the command line.
#[derive(Debug, Clone)]
pub struct Override {
    /// How the user wrote it, for messages: `--listen-web`.
    pub flag: String,
    /// The dotted key it sets.
    pub key: String,
    /// A TOML value, or plain text.
    pub value: String,
}

impl Source {
    /// Starts from the environment of this process, with no file and no flags.
    pub fn new(env_prefix: &'static str) -> Self {
        let env = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with(env_prefix))
            .collect();
        Self {
            file: None,
            env_prefix,
            reserved: &[],
            env,
            overrides: Vec::new(),
        }
    }

    /// Reads this file below the other layers.
    #[must_use]
    pub fn file(mut self, path: Option<PathBuf>) -> Self {
        self.file = path;
        self
    }

    /// Leaves these names (without the prefix) to others.
    #[must_use]
    pub fn reserved(mut self, names: &'static [&'static str]) -> Self {
        self.reserved = names;
        self
    }

    /// Adds what `--set key=value` asks for.
    pub fn set(&mut self, key: &str, value: &str) {
        self.flag(&format!("--set {key}"), key, value);
    }

    /// Adds what a flag of its own asks for.
    pub fn flag(&mut self, flag: &str, key: &str, value: &str) {
        self.overrides.push(Override {
            flag: flag.into(),
            key: key.into(),
            value: value.into(),
        });
    }
}

/// Loads and checks `T`, or lists every mistake there is.
pub fn load<T: DeserializeOwned + Check>(source: &Source) -> Result<T, Mistakes> {
    load_with_keys(source).map(|loaded| loaded.value)
}

/// The same, and remembers which keys were set to what, to be compared with what is loaded later.
pub fn load_with_keys<T: DeserializeOwned + Check>(source: &Source) -> Result<Loaded<T>, Mistakes> {
    let text = read(source)?;
    whole(text.as_deref().unwrap_or(""), source)
}

/// Loads `T` from this text in place of the file's; `source.file` only names it in messages.
pub fn load_text<T: DeserializeOwned + Check>(text: &str, source: &Source) -> Result<T, Mistakes> {
    whole(text, source).map(|loaded| loaded.value)
}

fn whole<T: DeserializeOwned + Check>(text: &str, source: &Source) -> Result<Loaded<T>, Mistakes> {
    let file = source
        .file
        .as_ref()
        .map_or_else(|| "settings".into(), |path| path.display().to_string());
    let mut found = Vec::new();
    let mut root = document::parse(text, &file, &mut found);
    if !found.is_empty() {
        return Err(Mistakes::new(found));
    }
    layers::environment(source, &known_keys::<T>(), &mut root, &mut found);
    layers::flags(source, &mut root, &mut found);

    let pruned = Pruned::deserialize(root, &mut found);
    if let Some(value) = &pruned.value {
        let mut report = Report::new(&pruned.root, &pruned.removed, &mut found);
        T::check(value, &mut report);
    }
    match pruned.value {
        Some(value) if found.is_empty() => Ok(Loaded {
            value,
            keys: Keys::of(&pruned.root),
        }),
        Some(_) | None => Err(Mistakes::new(found)),
    }
}

/// The keys of the topmost table, as serde lists them when it meets one that cannot be.
fn known_keys<T: DeserializeOwned>() -> Vec<String> {
    let impossible = toml::Table::from_iter([("\n".to_owned(), toml::Value::Boolean(true))]);
    T::deserialize(impossible)
        .err()
        .map_or_else(Vec::new, |error| wording::known_keys(error.message()))
}

fn read(source: &Source) -> Result<Option<String>, Mistakes> {
    let Some(path) = &source.file else { return Ok(None) };
    fs::read_to_string(path).map(Some).map_err(|error| {
        Mistakes::new(vec![Mistake {
            place: Place::File {
                file: path.display().to_string(),
                line: 0,
                column: 0,
            },
            key: String::new(),
            what: format!("cannot be read: {error}"),
            hint: None,
        }])
    })
}

/// What is left of the tree once everything that does not fit has been taken out.
struct Pruned<T> {
    value: Option<T>,
    root: Node,
    removed: Vec<Vec<Step>>,
}

impl<T: DeserializeOwned> Pruned<T> {
    /// Tries, notes the mistake, removes its cause, and tries again. Each turn shortens the tree or a value's
    /// list of readings, so it ends.
    fn deserialize(mut root: Node, found: &mut Vec<Mistake>) -> Self {
        let mut removed: Vec<Vec<Step>> = Vec::new();
        loop {
            let error = match serde_path_to_error::deserialize(root.to_value()) {
                Ok(value) => {
                    return Self {
                        value: Some(value),
                        root,
                        removed,
                    };
                }
                Err(error) => error,
            };
            let steps = root.steps_to(error.path());
            let message = error.inner().message();
            if root.read_otherwise(&steps, message) {
                continue;
            }
            // A table lacks a field only because its bad value was removed: that is already said.
            let follows = wording::is_missing(message) && removed.iter().any(|gone| gone.starts_with(&steps));
            if !follows {
                found.push(root.mistake(&steps, message));
            }
            if steps.is_empty() {
                return Self {
                    value: None,
                    root,
                    removed,
                };
            }
            root.remove(&steps);
            removed.push(steps);
        }
    }
}

#[cfg(test)]
mod tests;
