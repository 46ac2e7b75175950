//! From a ClientHello to a session.

use std::time::{Duration, Instant};

use dtls_cookie::{COOKIE, ClientHello};

use crate::{
    Path, SessionId,
    counters::{DropReason, Outcome},
    session::{Progress, Session},
    sessions::{Next, Sessions, Transmit, transmit},
    sieve::Sieve,
    table::Stage,
};

/// RFC 6347 §4.2.4.1: a second, then twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// OpenSSL has a clock of its own; a flight is sent again when both agree that it is time.
pub(crate) const SLACK: Duration = Duration::from_millis(20);
/// Datagrams of one handshake. It takes two to four; more only when they are sent again.
const MAX_DATAGRAMS: u32 = 32;

impl Sessions {
    /// Decides about a hello. Whoever has no good cookie is asked to come again with one, and is forgotten.
    pub(crate) fn meet(&mut self, now: Instant, path: &Path, hello: &ClientHello<'_>) -> Next {
        if !self.contexts.are_there() {
            return Next::Drop(DropReason::NoCertificate);
        }
        if !self.cookies.recognise(now, path.way(), hello) {
            self.counters.cookies += 1;
            let cookie = self.cookies.mint(now, path.way(), hello);
            return Next::Challenge(hello.write_hello_verify_request(&cookie));
        }
        let tenants = self.table.tenants(path);
        let is_same = |id| {
            let entry = self.table.entry(id);
            entry.is_some_and(|entry| entry.cookie == hello.cookie())
        };
        if tenants.open.is_some_and(is_same) {
            return Next::Drop(DropReason::Repeated);
        }
        match tenants.opening {
            Some(opening) if is_same(opening) => Next::Handshake(opening),
            Some(opening) => {
                if self.settles(now, opening) {
                    return Next::Drop(DropReason::TooSoon);
                }
                // The client has begun anew, from the same address.
                self.admit(path, Some(opening))
            }
            None => self.admit(path, None),
        }
    }

    /// Whether a handshake is so young that no other one may take its place. Who has two cookies could have a
    /// signature for each datagram otherwise; a client that did begin anew says so again after this time.
    fn settles(&self, now: Instant, id: SessionId) -> bool {
        let entry = self.table.entry(id);
        entry.is_some_and(|entry| match entry.stage {
            Stage::Opening { settles_at, .. } => now < settles_at,
            Stage::Open { .. } => false,
        })
    }

    /// Makes room for one more handshake, in place of `former`, if there may be one.
    fn admit(&mut self, path: &Path, former: Option<SessionId>) -> Next {
        // The former one goes, so that it takes no place.
        let leaving = u8::from(former.is_some());
        let beside = self.table.of_address(path.client.ip()) - u32::from(leaving);
        let in_all = self.table.len() - usize::from(leaving);
        if beside >= self.limits.per_address || in_all >= self.limits.sessions {
            return Next::Drop(DropReason::Full);
        }
        if self.beginnings == 0 {
            return Next::Drop(DropReason::Busy);
        }
        self.beginnings -= 1;
        if let Some(former) = former {
            self.give_up(former, Outcome::Evicted);
        }
        if self.table.half_open() >= self.limits.half_open
            && let Some(oldest) = self.table.oldest_opening()
        {
            self.give_up(oldest, Outcome::Evicted);
        }
        Next::Begin
    }

    /// Begins a session with a hello whose cookie is good.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        path: &Path,
        hello: &ClientHello<'_>,
        datagram: &[u8],
        out: &mut impl Transmit,
    ) {
        let mut sieve = Sieve::new(hello.message_sequence());
        let passed = sieve.pass(datagram);
        if passed < datagram.len() {
            self.counters.count_drop(DropReason::Unexpected);
        }
        let datagram = &datagram[..passed];
        let ssl = self.contexts.session().ok().flatten();
        let begun = ssl.and_then(|ssl| Session::begin(ssl, hello, datagram, &mut self.wire).ok());
        transmit(&mut self.wire, path, out);
        let Some((session, Progress::Waiting)) = begun else {
            self.counters.count_outcome(Outcome::Failed);
            return;
        };
        let stage = Stage::Opening {
            give_up_at: now + self.limits.handshake,
            pause: FIRST_PAUSE,
            datagrams: 1,
            sieve,
            settles_at: now + FIRST_PAUSE,
        };
        let mut cookie = [0; COOKIE];
        cookie.copy_from_slice(hello.cookie());
        let wakes_at = now + (FIRST_PAUSE + SLACK).min(self.limits.handshake);
        let id = self.table.insert(*path, session, cookie, stage, wakes_at);
        self.deadlines.push(wakes_at, id);
        self.after_change();
    }

    /// Goes on with a handshake; tells whether it is done.
    pub(crate) fn go_on(
        &mut self,
        now: Instant,
        id: SessionId,
        datagram: &[u8],
        out: &mut impl Transmit,
    ) -> bool {
        let Some(entry) = self.table.entry_mut(id) else {
            return false;
        };
        let Stage::Opening { datagrams, sieve, .. } = &mut entry.stage else {
            return false;
        };
        *datagrams += 1;
        let mut progress = Progress::Failed;
        if *datagrams <= MAX_DATAGRAMS {
            let passed = sieve.pass(datagram);
            if passed < datagram.len() {
                self.counters.count_drop(DropReason::Unexpected);
            }
            if passed == 0 {
                return false;
            }
            progress = entry.session.handshake(&datagram[..passed], &mut self.wire);
            transmit(&mut self.wire, &entry.path, out);
        }
        match progress {
            Progress::Waiting => {}
            Progress::Failed => self.give_up(id, Outcome::Failed),
            Progress::Done => self.opened(now, id),
        }
        progress == Progress::Done
    }

    /// Takes that a handshake is done: only now does the session take the place of another one.
    fn opened(&mut self, now: Instant, id: SessionId) {
        self.counters.count_outcome(Outcome::Completed);
        if let Some(former) = self.table.opened(id, now) {
            self.end(former);
        }
        self.wake(id, now + self.limits.idle);
        self.after_change();
    }
}
