//! The entry points.

use std::{
    collections::VecDeque,
    ops::Range,
    time::{Duration, Instant},
};

use certificates::Certificates;
use dtls_cookie::{ClientHello, Content, Cookies, HELLO_VERIFY_REQUEST_LEN, HelloError, Record};

use crate::{
    Path, SessionId,
    contexts::Contexts,
    counters::{Counters, DropReason},
    deadlines::Deadlines,
    session::Read,
    table::{Stage, Table},
    wire::Wire,
};

/// Handshakes that begin in one turn of the worker's loop: a signature each, up to a millisecond. Connections over TLS
/// have as many.
const BEGINNINGS: u32 = 4;

/// How many sessions, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sessions, those whose handshake goes on included.
    pub sessions: usize,
    /// Handshakes at a time; one more ends the oldest.
    pub half_open: usize,
    /// Sessions of one IPv4 address or one /64 of IPv6.
    pub per_address: u32,
    /// How long a handshake may take.
    pub handshake: Duration,
    /// How long a session without an allocation may be silent.
    pub idle: Duration,
}

/// Sends datagrams that are no answer in the buffer of another: flights of a handshake, the last word of a session.
pub trait Transmit {
    /// Sends `datagram` to the client of `path`, from the server's address there.
    fn transmit(&mut self, path: &Path, datagram: &[u8]);
}

/// What a datagram came to. Where it is neither `Answer` nor `Data`, it was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// This part of the buffer goes back to the client.
    Answer(Range<usize>),
    /// This part of the buffer is plaintext. **If there is more, call [`Sessions::next`] before anything else.**
    Data {
        /// Whose.
        id: SessionId,
        /// Where in the buffer.
        window: Range<usize>,
        /// Whether the datagram may hold another record.
        more: bool,
    },
    /// Nothing for the core.
    Nothing,
}

/// A datagram in the buffer, and its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Where in the buffer.
    pub window: Range<usize>,
    /// Which way.
    pub path: Path,
}

/// The sessions of one worker.
pub struct Sessions {
    pub(crate) limits: Limits,
    pub(crate) cookies: Cookies,
    pub(crate) contexts: Contexts,
    pub(crate) table: Table,
    pub(crate) deadlines: Deadlines,
    pub(crate) wire: Wire,
    pub(crate) ended: VecDeque<(SessionId, Path)>,
    pub(crate) counters: Counters,
    /// Handshakes that may still begin in this turn of the worker's loop.
    pub(crate) beginnings: u32,
}

impl Sessions {
    /// Starts without sessions. `secret` is what cookies are made with. While there are no certificates, no handshake
    /// is answered; others are shown from the next handshake on.
    pub fn new(now: Instant, limits: Limits, certificates: Certificates, secret: &[u8; 32]) -> Self {
        Self {
            limits,
            cookies: Cookies::new(secret, now),
            contexts: Contexts::new(certificates),
            table: Table::default(),
            deadlines: Deadlines::default(),
            wire: Wire::default(),
            ended: VecDeque::new(),
            counters: Counters::default(),
            beginnings: 0,
        }
    }

    /// Lets some handshakes begin; those beyond them are dropped and come again.
    pub fn begin_round(&mut self) {
        self.beginnings = BEGINNINGS;
    }

    /// Takes the datagram that lies in `buffer` at `datagram`; plaintext or an answer begins where it began.
    pub fn receive(
        &mut self,
        now: Instant,
        path: &Path,
        buffer: &mut [u8],
        datagram: Range<usize>,
        out: &mut impl Transmit,
    ) -> Received {
        let at = datagram.start;
        let bytes = &buffer[datagram];
        let Some(record) = Record::parse(bytes, 0) else {
            return self.dropped(DropReason::Malformed);
        };
        let hello = ClientHello::of_record(bytes, &record);
        let next = match &hello {
            Ok(hello) => self.meet(now, path, hello),
            Err(HelloError::NotHello) => self.route(path, &record),
            Err(HelloError::Fragment) => Next::Drop(DropReason::Fragment),
            Err(HelloError::Malformed) => Next::Drop(DropReason::Malformed),
        };
        match (next, hello) {
            (Next::Challenge(answer), _) => {
                let window = at..at + answer.len();
                buffer[window.clone()].copy_from_slice(&answer);
                Received::Answer(window)
            }
            (Next::Begin, Ok(hello)) => {
                self.begin(now, path, &hello, bytes, out);
                Received::Nothing
            }
            (Next::Handshake(id), _) => {
                if self.go_on(now, id, bytes, out) {
                    // It may have come together with the end of the handshake.
                    return self.read(now, id, buffer, at, true, out);
                }
                Received::Nothing
            }
            (Next::Read(id), _) => {
                let more = !record.is_last(bytes);
                if let Some(entry) = self.table.entry_mut(id) {
                    entry.session.put(bytes, &mut self.wire);
                }
                let received = self.read(now, id, buffer, at, more, out);
                if received == Received::Nothing && record.content == Content::Application {
                    self.counters.count_drop(DropReason::Unreadable);
                }
                received
            }
            (Next::Drop(reason), _) => self.dropped(reason),
            (Next::Begin, Err(_)) => Received::Nothing,
        }
    }

    /// Reads on in the datagram that was received last, as [`Received::Data`] asks for; plaintext begins at `at`.
    pub fn next(
        &mut self,
        now: Instant,
        id: SessionId,
        buffer: &mut [u8],
        at: usize,
        out: &mut impl Transmit,
    ) -> Received {
        self.read(now, id, buffer, at, true, out)
    }

    /// Encrypts the plaintext that lies in `buffer` at `plain`; the datagram begins where the buffer begins.
    pub fn seal(&mut self, id: SessionId, buffer: &mut [u8], plain: Range<usize>) -> Option<Sealed> {
        let sealed = self.table.entry_mut(id).and_then(|entry| {
            entry.session.write(&buffer[plain], &mut self.wire);
            let datagram = self.wire.only()?;
            buffer.get_mut(..datagram.len())?.copy_from_slice(datagram);
            Some(Sealed {
                window: 0..datagram.len(),
                path: entry.path,
            })
        });
        self.wire.forget();
        if sealed.is_none() {
            self.counters.count_drop(DropReason::NotSealed);
        }
        sealed
    }

    /// Gives the next session that is over.
    pub fn poll_ended(&mut self) -> Option<(SessionId, Path)> {
        self.ended.pop_front()
    }

    /// Tells when [`Sessions::handle_timeout`] wants to be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Shows what was counted since the start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Sends what every session has at hand and says goodbye.
    pub fn close(&mut self, out: &mut impl Transmit) {
        let ids: Vec<_> = self.table.ids().collect();
        for id in ids {
            self.say_goodbye(id, out);
            self.end(id);
        }
    }

    /// Decides where a record belongs that begins no handshake.
    fn route(&self, path: &Path, record: &Record) -> Next {
        let tenants = self.table.tenants(path);
        let of_handshake = record.epoch == 0 || record.content == Content::Handshake;
        match (tenants.opening.filter(|_| of_handshake), tenants.open) {
            (Some(opening), _) => Next::Handshake(opening),
            (None, Some(open)) => Next::Read(open),
            (None, None) => Next::Drop(DropReason::NoSession),
        }
    }

    fn read(
        &mut self,
        now: Instant,
        id: SessionId,
        buffer: &mut [u8],
        at: usize,
        more: bool,
        out: &mut impl Transmit,
    ) -> Received {
        let Some(entry) = self.table.entry_mut(id) else {
            return Received::Nothing;
        };
        let read = entry.session.read(&mut buffer[at..], &mut self.wire);
        // The client may not have heard our last flight, or the session broke and OpenSSL says why.
        transmit(&mut self.wire, &entry.path, out);
        if let Read::Data(len) = read {
            if let Stage::Open { heard_at, .. } = &mut entry.stage {
                *heard_at = now;
            }
            return Received::Data {
                id,
                window: at..at + len,
                more,
            };
        }
        if read == Read::Closed {
            self.say_goodbye(id, out);
            self.end(id);
        }
        Received::Nothing
    }

    fn dropped(&mut self, reason: DropReason) -> Received {
        self.counters.count_drop(reason);
        Received::Nothing
    }
}

/// What is to be done with a datagram.
pub(crate) enum Next {
    Challenge([u8; HELLO_VERIFY_REQUEST_LEN]),
    Begin,
    Handshake(SessionId),
    Read(SessionId),
    Drop(DropReason),
}

/// Sends what a session has written.
pub(crate) fn transmit(wire: &mut Wire, path: &Path, out: &mut impl Transmit) {
    wire.take(|datagram| out.transmit(path, datagram));
}
