//! What was set to what, and which of it is something else than before.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::{
    Check, Mistakes, Report,
    mistake::Place,
    tree::{Kind, Node},
};

/// Settings, and the keys that made them.
#[derive(Debug, Clone)]
pub struct Loaded<T> {
    /// The settings.
    pub value: T,
    /// What was set, in whatever layer.
    pub keys: Keys,
}

/// What was set; keys that nobody wrote have their default and are not here.
#[derive(Clone)]
pub struct Keys(Table);

/// The dotted keys that differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Those that were asked about, by the names they were asked about.
    pub among: Vec<&'static str>,
    /// All others whose difference makes one.
    pub others: Vec<String>,
}

impl Keys {
    pub(crate) fn of(root: &Node) -> Self {
        let table = root.to_value().try_into();
        Self(table.unwrap_or_default())
    }
}

impl std::fmt::Debug for Keys {
    /// There are secrets among the values.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(..)")
    }
}

impl<T: DeserializeOwned + PartialEq> Loaded<T> {
    /// Compares with what was set before. `asked` names keys; one of a table stands for everything in it.
    ///
    /// A key that is not asked about and was only written out, or moved to another layer, is none of the changes.
    pub fn changes_since(&self, before: &Keys, asked: &[&'static str]) -> Changes {
        let mut paths = Vec::new();
        differing(&before.0, &self.keys.0, &mut Vec::new(), &mut paths);
        let mut changes = Changes::default();
        for path in paths {
            let key = path.join(".");
            match asked.iter().find(|asked| holds(asked, &key)) {
                Some(asked) if changes.among.contains(asked) => {}
                Some(asked) => changes.among.push(asked),
                None if self.depends_on(&path, &before.0) => changes.others.push(key),
                None => {}
            }
        }
        changes
    }

    /// What a program goes by that was started with other settings and is told these: in all that is `asked` about these
    /// hold, in the rest those of the `start`. A key of a table stands for everything in it.
    ///
    /// # Errors
    /// What is wrong with the two together, though nothing is with either alone.
    pub fn taking(&self, start: &Keys, asked: &[&str]) -> Result<T, Mistakes>
    where
        T: Check,
    {
        let mut both = start.0.clone();
        for key in asked {
            let path: Vec<_> = key.split('.').map(str::to_owned).collect();
            put(&mut both, &path, at(&self.keys.0, &path));
        }
        // The values are from two readings: none of them has a line.
        let place = Place::File {
            file: "together with what takes effect at the next start".to_owned(),
            line: 0,
            column: 0,
        };
        let root = Node {
            key_place: place.clone(),
            place,
            kind: Kind::Table(BTreeMap::new()),
        };
        let mut found = Vec::new();
        match T::deserialize(Value::Table(both)) {
            Ok(value) => {
                value.check(&mut Report::new(&root, &[], &mut found));
                if found.is_empty() {
                    return Ok(value);
                }
            }
            Err(error) => found.push(root.mistake(&[], error.message())),
        }
        Err(Mistakes::new(found))
    }

    /// Whether these settings would be others if the value at `path` were what it was before.
    fn depends_on(&self, path: &[String], before: &Table) -> bool {
        let mut other = self.keys.0.clone();
        put(&mut other, path, at(before, path));
        T::deserialize(Value::Table(other)).map_or(true, |other| other != self.value)
    }
}

fn holds(table: &str, key: &str) -> bool {
    key.strip_prefix(table)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Finds the paths of what is not the same, as deep as there are tables.
fn differing(before: &Table, now: &Table, within: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let gone = before.keys().filter(|key| !now.contains_key(*key));
    let empty = Table::new();
    for key in now.keys().chain(gone) {
        within.push(key.clone());
        match (before.get(key), now.get(key)) {
            (before, now) if before == now => {}
            (Some(Value::Table(before)), Some(Value::Table(now))) => differing(before, now, within, found),
            (Some(Value::Table(before)), None) => differing(before, &empty, within, found),
            (None, Some(Value::Table(now))) => differing(&empty, now, within, found),
            (_, _) => found.push(within.clone()),
        }
        within.pop();
    }
}

fn at<'a>(table: &'a Table, path: &[String]) -> Option<&'a Value> {
    let (last, tables) = path.split_last()?;
    let mut table = table;
    for key in tables {
        table = table.get(key)?.as_table()?;
    }
    table.get(last)
}

/// Sets or removes what is at `path`.
fn put(table: &mut Table, path: &[String], value: Option<&Value>) {
    let Some((key, rest)) = path.split_first() else {
        return;
    };
    if value.is_none() && !table.contains_key(key) {
        return;
    }
    if rest.is_empty() {
        match value {
            Some(value) => drop(table.insert(key.clone(), value.clone())),
            None => drop(table.remove(key)),
        }
    } else if let Value::Table(inner) = table
        .entry(key.clone())
        .or_insert_with(|| Value::Table(Table::new()))
    {
        put(inner, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::{Source, whole};

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Tea {
        sort: String,
        cups: u8,
        guests: BTreeMap<String, String>,
        pot: Pot,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Pot {
        litres: u8,
        lids: Vec<u8>,
    }

    impl Default for Tea {
        fn default() -> Self {
            Self {
                sort: "green".to_owned(),
                cups: 2,
                guests: BTreeMap::new(),
                pot: Pot::default(),
            }
        }
    }

    impl Check for Tea {
        fn check(&self, report: &mut Report<'_>) {
            if self.cups < self.pot.litres {
                report.mistake("cups", "must be at least pot.litres");
            }
        }
    }

    fn load(text: &str, variables: &[(&str, &str)]) -> Loaded<Tea> {
        let env = variables
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        let source = Source {
            env: env.collect(),
            ..Source::new("TEA_")
        };
        whole(text, &source).unwrap()
    }

    fn changes(before: &str, now: &str) -> Changes {
        let before = load(before, &[]);
        load(now, &[]).changes_since(&before.keys, &["guests", "pot.lids"])
    }

    fn others(keys: &[&str]) -> Changes {
        Changes {
            among: Vec::new(),
            others: keys.iter().map(|key| (*key).to_owned()).collect(),
        }
    }

    #[test]
    fn what_nobody_asked_about_is_told_by_key_set_changed_or_gone() {
        assert_eq!(changes("cups = 3", "cups = 4"), others(&["cups"]));
        assert_eq!(
            changes("", "cups = 4\npot.litres = 1"),
            others(&["cups", "pot.litres"])
        );
        assert_eq!(changes("[pot]\nlitres = 1", ""), others(&["pot.litres"]));
        assert_eq!(changes("cups = 3", "cups = 3"), Changes::default());
    }

    #[test]
    fn what_was_asked_about_is_told_by_that_name_once() {
        let told = changes(
            "guests = { ann = \"a\", ben = \"b\" }",
            "guests = { ann = \"c\" }\npot = { lids = [1] }\ncups = 9",
        );
        assert_eq!(told.among, ["guests", "pot.lids"]);
        assert_eq!(told.others, ["cups"]);
    }

    #[test]
    fn a_name_that_only_begins_like_another_is_another() {
        let before = load("", &[]);
        let told = load("cups = 3", &[]).changes_since(&before.keys, &["cup"]);
        assert_eq!(told, others(&["cups"]));
    }

    #[test]
    fn a_default_that_is_written_out_is_no_change() {
        assert_eq!(
            changes("", "cups = 2\nsort = \"green\"\n[pot]"),
            Changes::default()
        );
        assert_eq!(changes("cups = 2", "sort = \"black\""), others(&["sort"]));
    }

    #[test]
    fn a_value_that_moved_to_the_environment_is_no_change() {
        let before = load("cups = 3\nsort = \"black\"", &[]);
        let now = load("", &[("TEA_CUPS", "3"), ("TEA_SORT", "black")]);
        assert_eq!(now.changes_since(&before.keys, &[]), Changes::default());
    }

    #[test]
    fn what_is_asked_about_is_taken_and_the_rest_is_that_of_the_start() {
        let start = load("cups = 3\nguests = { ann = \"a\" }\n[pot]\nlitres = 1", &[]);
        let now = load("sort = \"black\"\n[pot]\nlids = [1]", &[]);
        let taken = now.taking(&start.keys, &["guests", "pot.lids"]).unwrap();
        let (guests, lids) = (BTreeMap::new(), vec![1]);
        let pot = Pot { litres: 1, lids };
        let sort = "green".to_owned();
        assert_eq!(
            taken,
            Tea {
                sort,
                cups: 3,
                guests,
                pot
            }
        );
    }

    #[test]
    fn what_does_not_go_together_is_refused_though_each_is_fine_alone() {
        let start = load("cups = 2", &[]);
        let now = load("cups = 4\n[pot]\nlitres = 3", &[]);
        let refused = now.taking(&start.keys, &["pot"]).unwrap_err().to_string();
        assert_eq!(
            refused,
            "together with what takes effect at the next start: cups: must be at least pot.litres"
        );
    }

    #[test]
    fn keys_do_not_show_their_values() {
        let keys = load("sort = \"secret\"", &[]).keys;
        assert!(!format!("{keys:?}").contains("secret"));
    }
}
