//! Checks that a type alone cannot make, reported by key.

use crate::{
    mistake::Mistake,
    path,
    tree::{Node, Step},
};

/// A configuration that can judge its own values.
pub trait Check {
    /// Reports everything wrong, not only the first; called once the values have their types.
    fn check(&self, report: &mut Report<'_>);
}

/// Collects what [`Check`] finds and looks up where each key was written.
#[derive(Debug)]
pub struct Report<'a> {
    root: &'a Node,
    removed: &'a [Vec<Step>],
    found: &'a mut Vec<Mistake>,
    within: Vec<Step>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(root: &'a Node, removed: &'a [Vec<Step>], found: &'a mut Vec<Mistake>) -> Self {
        Self {
            root,
            removed,
            found,
            within: Vec::new(),
        }
    }

    /// Notes a mistake at `key`, dotted and relative to the table being checked: `relay.ports`, `users[1].name`.
    ///
    /// A key that is not written anywhere is placed at its nearest table that is.
    pub fn mistake(&mut self, key: &str, what: impl Into<String>) {
        let mut steps = self.within.clone();
        steps.extend(path::parse(key));
        if self.removed.iter().any(|gone| stands_in_for(&steps, gone)) {
            return;
        }
        let place = self.root.nearest_place(&steps);
        self.found.push(Mistake {
            place,
            key: path::display(&steps),
            what: what.into(),
            hint: None,
        });
    }

    /// Checks a table below this one; keys reported inside are relative to it.
    pub fn within(&mut self, table: &str, check: impl FnOnce(&mut Self)) {
        let outer = self.within.len();
        self.within.extend(path::parse(table));
        check(self);
        self.within.truncate(outer);
    }
}

/// Whether the value at `steps` is not what was written: it is a default, or a list that lost an element, because a
/// mistake already reported was taken out.
fn stands_in_for(steps: &[Step], gone: &[Step]) -> bool {
    steps.starts_with(gone)
        || gone
            .strip_prefix(steps)
            .is_some_and(|rest| matches!(rest, [Step::Index(_), ..]))
}
