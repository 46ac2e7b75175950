//! What was found, and what to do about it.

use serde::Serialize;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Grade {
    /// As it should be.
    Fine,
    /// Neither good nor bad, or not to be known from here.
    Note,
    /// It works, but may not for everyone or not for long.
    Warning,
    /// Something does not work.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) grade: Grade,
    pub(super) what: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) todo: Option<String>,
}

impl Finding {
    pub(super) fn fine(what: impl Into<String>) -> Self {
        Self::new(Grade::Fine, what, None)
    }

    pub(super) fn note(what: impl Into<String>) -> Self {
        Self::new(Grade::Note, what, None)
    }

    pub(super) fn warning(what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self::new(Grade::Warning, what, Some(todo.into()))
    }

    pub(super) fn problem(what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self::new(Grade::Problem, what, Some(todo.into()))
    }

    /// Says how a note becomes more than that.
    pub(super) fn or(mut self, todo: impl Into<String>) -> Self {
        self.todo = Some(todo.into());
        self
    }

    fn new(grade: Grade, what: impl Into<String>, todo: Option<String>) -> Self {
        Self {
            grade,
            what: what.into(),
            todo,
        }
    }
}
