//! Clients that come by DTLS: their sessions, between the listeners and the core.

mod figures;

use std::{
    num::NonZero,
    ops::Range,
    time::{Duration, Instant},
};

use certificates::Certificates;
use datagram_io::{Batch, HEADROOM, Origin, Outgoing, Slot, SocketId, Sockets};
use dtls_io::{Limits, Path, Received, SessionId, Sessions, Transmit};
use turn_core::{ConnectionId, FiveTuple, Link, ListenerId, Now, Packet, Transport};

pub(crate) use dtls_io::Counters;
pub(crate) use figures::Figure;

use super::{Worker, deciding::BINDING_REQUEST, names::listener};
use crate::config;

/// The first byte of a record of a handshake: only such are answered to whoever has no session.
const HANDSHAKE: u8 = 22;
/// Tells sessions from connections over TCP, whose numbers begin at 0.
const SESSION: u32 = 1 << 31;

/// Says what this was built with.
pub(crate) fn built_with() -> String {
    // "OpenSSL 3.0.22 25 Aug 2026"
    let name: Vec<_> = dtls_io::openssl_version().split(' ').take(2).collect();
    format!("DTLS ({})", name.join(" "))
}

/// The sessions of one worker; none where DTLS is switched off.
pub(crate) struct Dtls {
    sessions: Option<Sessions>,
    /// The worker that has them.
    worker: u16,
    /// What a worker without sessions has counted.
    nothing: Counters,
}

impl Dtls {
    /// Shares the limits of the server among its workers, as the kernel does with its clients.
    pub(crate) fn new(
        config: &config::Dtls,
        certificates: Certificates,
        secret: &[u8; 32],
        (worker, workers): (u16, NonZero<u16>),
    ) -> Self {
        let part_of = |limit: u32| limit.div_ceil(u32::from(workers.get())) as usize;
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let limits = Limits {
            sessions: part_of(config.sessions),
            half_open: part_of(config.half_open),
            per_address: config.sessions_per_address,
            handshake: seconds(config.handshake),
            idle: seconds(config.idle),
        };
        Self {
            sessions: config
                .enabled
                .then(|| Sessions::new(Instant::now(), limits, certificates, secret)),
            worker,
            nothing: Counters::default(),
        }
    }

    pub(crate) fn counters(&self) -> &Counters {
        self.sessions.as_ref().map_or(&self.nothing, Sessions::counters)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.sessions.as_ref()?.poll_timeout()
    }

    /// Lets some handshakes begin in this turn of the loop.
    pub(super) fn begin_round(&mut self) {
        if let Some(sessions) = &mut self.sessions {
            sessions.begin_round();
        }
    }

    /// Notes that a session has an allocation, or has it no more.
    pub(crate) fn hold(&mut self, now: Now, id: ConnectionId, has_allocation: bool) {
        if let (Some(session), Some(sessions)) = (self.session(id), &mut self.sessions) {
            sessions.hold(now.instant, session, has_allocation);
        }
    }

    /// Marks what lies in a slot at `plain` to be sent in a session.
    pub(crate) fn send<'a>(
        &mut self,
        slot: &'a mut Slot,
        id: ConnectionId,
        plain: Range<usize>,
    ) -> Option<&'a mut Outgoing> {
        let session = self.session(id)?;
        let sessions = self.sessions.as_mut()?;
        let sealed = sessions.seal(session, slot.buffer_mut(), plain)?;
        let Path { client, server, .. } = sealed.path;
        Some(slot.send(home(&sealed.path), sealed.window, server, client))
    }

    /// A client as the core knows it.
    fn client(&self, id: SessionId, path: &Path) -> FiveTuple {
        FiveTuple {
            link: Link::Connection(ConnectionId {
                worker: self.worker,
                index: id.index | SESSION,
                generation: id.generation,
            }),
            transport: Transport::Dtls,
            client: path.client,
            server: path.server,
        }
    }

    /// A session of this worker; others have theirs.
    fn session(&self, id: ConnectionId) -> Option<SessionId> {
        (id.worker == self.worker).then_some(SessionId {
            index: id.index & !SESSION,
            generation: id.generation,
        })
    }
}

impl Worker {
    /// Takes a datagram if it is of DTLS; tells whether it was.
    pub(super) fn decide_dtls(&mut self, now: Now, index: usize) -> bool {
        let slot = &mut self.batch.filled_mut()[index];
        let (Some(sessions), Some(path)) = (&mut self.dtls.sessions, path(slot, self.listeners)) else {
            return false;
        };
        if slot.payload().first() == Some(&HANDSHAKE) && !self.core.may_answer(stranger(&path)) {
            return true;
        }
        let mut out = Out {
            sockets: &mut self.sockets,
            slot: &mut self.deferred,
        };
        let window = slot.window();
        let mut received = sessions.receive(now.instant, &path, slot.buffer_mut(), window, &mut out);
        if let Received::Answer(window) = &received {
            slot.send(home(&path), window.clone(), path.server, path.client);
        }
        while let Received::Data { id, window, more } = received {
            let client = self.dtls.client(id, &path);
            self.decide_about(now, index, client, window);
            self.perform_outputs(now);
            if !more {
                break;
            }
            // What is marked in the slot leaves before another record takes its place.
            self.sockets.send(&mut self.batch);
            received = self.next_record(now, id, index);
        }
        self.end_sessions(now);
        true
    }

    /// Asks the core about plaintext in a slot.
    fn decide_about(&mut self, now: Now, index: usize, client: FiveTuple, plain: Range<usize>) {
        let buffer = self.batch.filled_mut()[index].buffer_mut();
        let binding = buffer[plain.clone()].starts_with(&BINDING_REQUEST);
        let mut packet = Packet::new(buffer, plain.start, plain.len());
        let verdict = self.core.handle_client(now, client, &mut packet);
        let decided = (verdict, packet.range(), packet.fields());
        self.obey(now, index, decided, binding);
    }

    fn next_record(&mut self, now: Now, id: SessionId, index: usize) -> Received {
        let Some(sessions) = &mut self.dtls.sessions else {
            return Received::Nothing;
        };
        let mut out = Out {
            sockets: &mut self.sockets,
            slot: &mut self.deferred,
        };
        let buffer = self.batch.filled_mut()[index].buffer_mut();
        sessions.next(now.instant, id, buffer, HEADROOM, &mut out)
    }

    /// Looks after sessions whose time has come.
    pub(super) fn handle_dtls_timeout(&mut self, now: Now) {
        let Some(sessions) = &mut self.dtls.sessions else {
            return;
        };
        if sessions.poll_timeout().is_some_and(|at| at <= now.instant) {
            let mut out = Out {
                sockets: &mut self.sockets,
                slot: &mut self.deferred,
            };
            sessions.handle_timeout(now.instant, &mut out);
            self.end_sessions(now);
            self.unpublished = true;
        }
    }

    /// Says goodbye to everybody.
    pub(super) fn close_dtls(&mut self) {
        if let Some(sessions) = &mut self.dtls.sessions {
            sessions.close(&mut Out {
                sockets: &mut self.sockets,
                slot: &mut self.deferred,
            });
        }
    }

    /// Ends the allocations of sessions that are gone.
    fn end_sessions(&mut self, now: Now) {
        while let Some((id, path)) = self.dtls.sessions.as_mut().and_then(Sessions::poll_ended) {
            let client = self.dtls.client(id, &path);
            self.core.client_disconnected(now, client);
            self.perform_outputs(now);
        }
    }
}

/// Whoever has no session there, or none yet.
fn stranger(path: &Path) -> FiveTuple {
    FiveTuple::udp(ListenerId(path.listener as u16), path.client, path.server)
}

/// The way a datagram came, if it is one of DTLS: RFC 7983 §7 gives it first bytes from 20 to 63.
fn path(slot: &Slot, listeners: u32) -> Option<Path> {
    match (slot.origin(), slot.payload().first()) {
        (Origin::Socket(id), Some(20..=63)) if id.index < listeners => Some(Path {
            listener: id.index,
            client: slot.source(),
            server: slot.destination(),
        }),
        _ => None,
    }
}

fn home(path: &Path) -> SocketId {
    listener(ListenerId(path.listener as u16))
}

/// Sends what is no answer in the slot of a datagram, one by one.
struct Out<'a> {
    sockets: &'a mut Sockets,
    slot: &'a mut Batch,
}

impl Transmit for Out<'_> {
    fn transmit(&mut self, path: &Path, datagram: &[u8]) {
        self.slot.commit(1);
        let slot = &mut self.slot.filled_mut()[0];
        slot.buffer_mut()[..datagram.len()].copy_from_slice(datagram);
        slot.send(home(path), 0..datagram.len(), path.server, path.client);
        self.sockets.send(self.slot);
        self.slot.clear();
    }
}
