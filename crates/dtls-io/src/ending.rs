//! How sessions end, and when they are looked at.

use std::time::Instant;

use crate::{
    SessionId,
    counters::Outcome,
    handshake::SLACK,
    session::Progress,
    sessions::{Sessions, Transmit, transmit},
    table::Stage,
};

/// Deadlines handled at a time, so that many at once do not hold up the datagrams.
const MAX_WAKES: usize = 256;

impl Sessions {
    /// Sends flights again, gives up handshakes and ends silent sessions: up to 256 a call. **Call it again while
    /// `poll_timeout` is not in the future.**
    pub fn handle_timeout(&mut self, now: Instant, out: &mut impl Transmit) {
        for _ in 0..MAX_WAKES {
            let Some((at, id)) = self.deadlines.pop_due(now) else {
                break;
            };
            let Some(entry) = self.table.entry(id).filter(|entry| entry.wakes_at == at) else {
                continue;
            };
            match entry.stage {
                Stage::Opening { give_up_at, .. } if give_up_at <= now => self.give_up(id, Outcome::TimedOut),
                Stage::Opening { .. } => self.resend(now, id, out),
                Stage::Open { held: true, .. } => {}
                Stage::Open { heard_at, .. } if heard_at + self.limits.idle > now => {
                    self.wake(id, heard_at + self.limits.idle);
                }
                Stage::Open { .. } => {
                    self.say_goodbye(id, out);
                    self.end(id);
                }
            }
        }
        self.after_change();
    }

    /// Takes that a session has an allocation now, or has none any more: only then does silence end it.
    pub fn hold(&mut self, now: Instant, id: SessionId, has_allocation: bool) {
        let Some(entry) = self.table.entry_mut(id) else {
            return;
        };
        let Stage::Open { heard_at, held } = &mut entry.stage else {
            return;
        };
        *held = has_allocation;
        if !has_allocation {
            // It may have been silent for as long as the allocation lived.
            *heard_at = now;
            self.wake(id, now + self.limits.idle);
            self.after_change();
        }
    }

    /// Sends the last flight of a handshake again.
    fn resend(&mut self, now: Instant, id: SessionId, out: &mut impl Transmit) {
        let Some(entry) = self.table.entry_mut(id) else {
            return;
        };
        let progress = entry.session.go_on(&mut self.wire);
        transmit(&mut self.wire, &entry.path, out);
        if progress != Progress::Waiting {
            self.give_up(id, Outcome::Failed);
            return;
        }
        if let Stage::Opening {
            give_up_at, pause, ..
        } = &mut entry.stage
        {
            *pause *= 2;
            let at = (now + *pause + SLACK).min(*give_up_at);
            self.wake(id, at);
        }
    }

    /// Ends a handshake that has not come to a session.
    pub(crate) fn give_up(&mut self, id: SessionId, outcome: Outcome) {
        self.counters.count_outcome(outcome);
        self.table.remove(id);
        self.after_change();
    }

    /// Tells the client that its session ends.
    pub(crate) fn say_goodbye(&mut self, id: SessionId, out: &mut impl Transmit) {
        if let Some(entry) = self.table.entry_mut(id)
            && matches!(entry.stage, Stage::Open { .. })
        {
            entry.session.close(&mut self.wire);
            transmit(&mut self.wire, &entry.path, out);
        }
    }

    /// Forgets a session.
    pub(crate) fn end(&mut self, id: SessionId) {
        if let Some(entry) = self.table.remove(id) {
            self.ended.push_back((id, entry.path));
        }
        self.after_change();
    }

    /// Has the session looked at then.
    pub(crate) fn wake(&mut self, id: SessionId, at: Instant) {
        if let Some(entry) = self.table.entry_mut(id) {
            entry.wakes_at = at;
            self.deadlines.push(at, id);
        }
    }

    /// Keeps the heap in proportion to the sessions, and the gauges true.
    pub(crate) fn after_change(&mut self) {
        let table = &self.table;
        let (all, half_open) = (table.len(), table.half_open());
        self.counters.half_open = half_open as u64;
        self.counters.open = (all - half_open) as u64;
        self.deadlines.tidy(all, |at, id| {
            table.entry(id).is_some_and(|entry| entry.wakes_at == at)
        });
    }
}
