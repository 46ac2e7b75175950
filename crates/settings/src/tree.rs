//! The settings as a tree in which every value knows where it was written.

use std::collections::{BTreeMap, VecDeque};

use serde_path_to_error::{Path, Segment};
use toml::Value;

use crate::{
    mistake::{Mistake, Place},
    path, wording,
};

/// One step from a table or list to what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// A value and where it was written.
#[derive(Debug)]
pub(crate) struct Node {
    /// Of the key, when there is one: where an unknown key is reported.
    pub(crate) key_place: Place,
    pub(crate) place: Place,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Leaf(Value),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
    /// Text from the environment or a flag: what it may mean, likeliest first, and what was wrong with the
    /// first reading.
    Text {
        readings: VecDeque<Value>,
        complaint: Option<String>,
    },
}

impl Node {
    /// Reads text from outside the file: as a TOML value if it is one, else as it stands.
    pub(crate) fn from_text(text: &str, place: Place) -> Self {
        let parsed = |text: &str| {
            toml::from_str::<toml::Table>(&format!("v = {text}"))
                .ok()?
                .remove("v")
        };
        let mut readings = VecDeque::new();
        readings.extend(parsed(text).filter(|value| !value.is_str() || text.starts_with(['"', '\''])));
        readings.push_back(Value::String(text.to_owned()));
        let item = |item: &str| parsed(item).unwrap_or_else(|| Value::String(item.to_owned()));
        let list = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(item);
        readings.push_back(Value::Array(list.collect()));
        Self {
            key_place: place.clone(),
            place,
            kind: Kind::Text {
                readings,
                complaint: None,
            },
        }
    }

    /// The plain value, without places.
    pub(crate) fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Leaf(value) => value.clone(),
            Kind::List(items) => Value::Array(items.iter().map(Self::to_value).collect()),
            Kind::Table(entries) => Value::Table(
                entries
                    .iter()
                    .map(|(key, node)| (key.clone(), node.to_value()))
                    .collect(),
            ),
            Kind::Text { readings, .. } => readings.front().cloned().unwrap_or(Value::Array(Vec::new())),
        }
    }

    /// Follows an error's path as far as the tree goes.
    pub(crate) fn steps_to(&self, path: &Path) -> Vec<Step> {
        let mut node = self;
        let mut steps = Vec::new();
        for segment in path {
            let step = match segment {
                Segment::Seq { index } => Step::Index(*index),
                Segment::Map { key } | Segment::Enum { variant: key } => Step::Key(key.clone()),
                Segment::Unknown => break,
            };
            let Some(next) = node.child(&step) else { break };
            steps.push(step);
            node = next;
        }
        steps
    }

    /// Takes the next reading of a text that did not fit, if it has one.
    pub(crate) fn read_otherwise(&mut self, steps: &[Step], message: &str) -> bool {
        let Some(node) = self.at_mut(steps) else {
            return false;
        };
        let Kind::Text { readings, complaint } = &mut node.kind else {
            return false;
        };
        if !wording::is_type_or_value(message) || readings.len() < 2 {
            return false;
        }
        readings.pop_front();
        // Where a list is wanted, what counts is what is wrong with the list.
        if !wording::wants_list(message) {
            complaint.get_or_insert_with(|| message.to_owned());
        }
        true
    }

    /// Puts what serde said about the value at `steps` into words and gives it its place.
    pub(crate) fn mistake(&self, steps: &[Step], message: &str) -> Mistake {
        let key = path::display(steps);
        let node = self.at(steps).unwrap_or(self);
        let message = match &node.kind {
            Kind::Text {
                complaint: Some(first),
                ..
            } => first,
            Kind::Text { .. } | Kind::Leaf(_) | Kind::List(_) | Kind::Table(_) => message,
        };
        let said = wording::plain(message, path::is_secret(&key));
        let place = if said.about_key {
            &node.key_place
        } else {
            &node.place
        };
        Mistake {
            place: place.clone(),
            key,
            what: said.what,
            hint: said.hint,
        }
    }

    /// Removes what is at `steps`; the root stays.
    pub(crate) fn remove(&mut self, steps: &[Step]) {
        let Some((last, parents)) = steps.split_last() else {
            return;
        };
        let Some(parent) = self.at_mut(parents) else {
            return;
        };
        match (&mut parent.kind, last) {
            (Kind::Table(entries), Step::Key(key)) => drop(entries.remove(key)),
            (Kind::List(items), Step::Index(index)) => drop(items.remove(*index)),
            (Kind::Leaf(_) | Kind::Text { .. } | Kind::List(_) | Kind::Table(_), _) => {}
        }
    }

    /// Puts a node at `steps`, making the tables on the way; fails where something else is in the way.
    pub(crate) fn insert(&mut self, steps: &[Step], new: Self) -> Result<(), ()> {
        let Some((step, rest)) = steps.split_first() else {
            return Err(());
        };
        let (Kind::Table(entries), Step::Key(key)) = (&mut self.kind, step) else {
            return Err(());
        };
        if rest.is_empty() {
            entries.insert(key.clone(), new);
            return Ok(());
        }
        let between = || Self {
            key_place: new.place.clone(),
            place: new.place.clone(),
            kind: Kind::Table(BTreeMap::new()),
        };
        entries
            .entry(key.clone())
            .or_insert_with(between)
            .insert(rest, new)
    }

    /// The place of what is at `steps`, or of the nearest thing above it.
    pub(crate) fn nearest_place(&self, steps: &[Step]) -> Place {
        let mut node = self;
        for step in steps {
            let Some(next) = node.child(step) else {
                return node.key_place.clone();
            };
            node = next;
        }
        node.place.clone()
    }

    fn at(&self, steps: &[Step]) -> Option<&Self> {
        steps.iter().try_fold(self, |node, step| node.child(step))
    }

    fn at_mut(&mut self, steps: &[Step]) -> Option<&mut Self> {
        steps
            .iter()
            .try_fold(self, |node, step| match (&mut node.kind, step) {
                (Kind::Table(entries), Step::Key(key)) => entries.get_mut(key),
                (Kind::List(items), Step::Index(index)) => items.get_mut(*index),
                (Kind::Leaf(_) | Kind::Text { .. } | Kind::List(_) | Kind::Table(_), _) => None,
            })
    }

    fn child(&self, step: &Step) -> Option<&Self> {
        match (&self.kind, step) {
            (Kind::Table(entries), Step::Key(key)) => entries.get(key),
            (Kind::List(items), Step::Index(index)) => items.get(*index),
            (Kind::Leaf(_) | Kind::Text { .. } | Kind::List(_) | Kind::Table(_), _) => None,
        }
    }
}
