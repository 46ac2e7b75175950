//! What a member was told last, in case it has to be told again.

use std::collections::VecDeque;

use super::notice::Notice;

/// Bounds what is kept for one member.
#[derive(Debug, Clone, Copy)]
pub struct HistoryLimits {
    /// Notices.
    pub messages: usize,
    /// Bytes, roughly.
    pub bytes: usize,
    /// Bytes kept for all members together; when they are used up, each keeps what it has place for.
    pub total: usize,
}

/// Numbers notices from 1 and keeps the newest.
#[derive(Debug, Default)]
pub(super) struct History {
    kept: VecDeque<Notice>,
    bytes: usize,
    /// The number of the newest.
    last: u64,
}

impl History {
    /// Numbers and keeps a notice; the oldest give way to it.
    pub(super) fn push(&mut self, notice: &Notice, limits: HistoryLimits) -> u64 {
        self.last += 1;
        self.bytes += notice.weight();
        self.kept.push_back(notice.clone());
        while self.kept.len() > limits.messages || self.bytes > limits.bytes {
            let Some(oldest) = self.kept.pop_front() else {
                break;
            };
            self.bytes -= oldest.weight();
        }
        self.last
    }

    /// All that is kept, the newest last.
    pub(super) fn kept(&self) -> Vec<Notice> {
        self.kept.iter().cloned().collect()
    }

    /// Goes on after the notice with the number `last`, with these kept.
    pub(super) fn load(last: u64, kept: Vec<Notice>) -> Self {
        // More than were ever told cannot be.
        let spare = kept
            .len()
            .saturating_sub(usize::try_from(last).unwrap_or(usize::MAX));
        let kept: VecDeque<_> = kept.into_iter().skip(spare).collect();
        let bytes = kept.iter().map(Notice::weight).sum();
        Self { kept, bytes, last }
    }

    /// Keeps nothing that was told so far.
    pub(super) fn clear(&mut self) {
        self.kept.clear();
        self.bytes = 0;
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Tells whether everything after `seen` is still there.
    pub(super) fn reaches(&self, seen: u64) -> bool {
        seen <= self.last && self.last - seen <= self.kept.len() as u64
    }

    /// What came after `seen`, with its numbers; `None` when some of it is gone or `seen` was never told.
    pub(super) fn after(&self, seen: u64) -> Option<Vec<(u64, Notice)>> {
        self.reaches(seen).then(|| self.newest_after(seen))
    }

    /// As much of what came after `seen` as is still there.
    pub(super) fn newest_after(&self, seen: u64) -> Vec<(u64, Notice)> {
        let first = self.last - self.kept.len() as u64 + 1;
        let numbered = (first..).zip(self.kept.iter().cloned());
        numbered.skip_while(|(number, _)| *number <= seen).collect()
    }
}
