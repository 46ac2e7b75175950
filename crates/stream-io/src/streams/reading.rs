//! From a stream to frames, each of them a datagram in a slot of its own.

use std::{
    io::{self, Read},
    time::Instant,
};

use datagram_io::{Batch, ConnectionId, Origin, Readiness};
use stun_wire::stream::{Frame, next_frame};

use super::{READ, Streams};
use crate::{
    Ending,
    connection::{Connection, Phase},
};

/// Frames taken from a connection in one turn.
const AT_ONCE: usize = 32;
/// The longest frame of whoever has no allocation: requests are much shorter, and there is nothing to relay.
const STRANGERS_FRAME: usize = 4096;
/// What is read at once in the clear from whoever has no allocation, and so may be kept while he does not read answers.
const STRANGERS_READ: usize = 8 << 10;
/// What a step of a TLS handshake costs of a round, in frames: it computes for a millisecond.
const HANDSHAKE: u32 = 64;
/// The type of a ConnectionBind request: what follows it is no frame (RFC 6062 §5.4).
const CONNECTION_BIND: [u8; 2] = [0x00, 0x0b];

/// What a read brought.
struct Filled {
    /// Bytes at the front of the scratch buffer.
    len: usize,
    /// Whether there may be more.
    more: bool,
}

/// What framing came to.
struct Framed {
    frames: usize,
    /// Bytes that were put into slots.
    used: usize,
    then: Then,
}

/// What stands behind the frames that were taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Nothing, or the beginning of a frame.
    Beginning,
    /// More frames, perhaps.
    Frames,
    /// Something that cannot be read on.
    Ending(Ending),
}

impl Streams {
    /// Reads once from a connection; what it cannot take now is kept for the next turn.
    pub(super) fn serve(&mut self, index: u32, now: Instant, batch: &mut Batch) -> Readiness {
        let Some((id, connection)) = self.places.at(index) else {
            return Readiness::Drained;
        };
        if connection.ending.is_some() {
            return Readiness::Drained;
        }
        if connection.is_opening() && !self.open(index) {
            return Readiness::Drained;
        }
        let Some(connection) = self.places.get_mut(id) else {
            return Readiness::Drained;
        };
        // Whoever does not read answers gets no further ones.
        let reserve = if connection.held {
            super::sending::RESERVE / 2
        } else {
            0
        };
        connection.paused = connection.unsent.len() > connection.patience(&self.reception.limits) + reserve;
        if connection.paused {
            return Readiness::Drained;
        }
        self.read(id, now, batch)
    }

    fn read(&mut self, id: ConnectionId, now: Instant, batch: &mut Batch) -> Readiness {
        let Some(connection) = self.places.get_mut(id) else {
            return Readiness::Drained;
        };
        if let Phase::Secure(session) = &connection.phase
            && session.is_handshaking()
        {
            self.round.budget = self.round.budget.saturating_sub(HANDSHAKE);
        }
        let filled = match fill(connection, &mut self.scratch, &mut self.sealed) {
            Ok(filled) => filled,
            Err(ending) => {
                // It may still be told why.
                self.list(id.index);
                self.leave(id.index, ending);
                return Readiness::Drained;
            }
        };
        if let Phase::Secure(session) = &connection.phase
            && session.wants_write()
            && !connection.listed
        {
            connection.listed = true;
            self.unsent.push(id.index);
        }
        let bytes = &self.scratch[..filled.len];
        let framed = frame(id, connection, bytes, batch);
        self.counters.received += framed.frames as u64;

        let rest = &bytes[framed.used..];
        if rest.is_empty() {
            self.pool.give_back(std::mem::take(&mut connection.unread));
        } else {
            if connection.unread.capacity() == 0 {
                connection.unread = self.pool.take(connection.held);
            }
            connection.unread.clear();
            connection.unread.extend_from_slice(rest);
        }
        let begun = framed.then == Then::Beginning && !rest.is_empty();
        connection.progressed(now, framed.frames, begun);

        let at_end = connection.at_end;
        let ending = match framed.then {
            Then::Ending(ending) => Some(ending),
            Then::Beginning if at_end => Some(Ending::Client),
            Then::Beginning | Then::Frames => None,
        };
        if let Some(ending) = ending {
            self.leave(id.index, ending);
            return Readiness::Drained;
        }
        self.schedule(id.index);
        if filled.more || framed.then == Then::Frames {
            Readiness::More
        } else {
            Readiness::Drained
        }
    }
}

/// Puts what is kept of the stream to the front of `scratch` and, unless that holds a frame, reads behind it.
fn fill(connection: &mut Connection, scratch: &mut [u8], sealed: &mut [u8]) -> Result<Filled, Ending> {
    let kept = connection.unread.len();
    scratch[..kept].copy_from_slice(&connection.unread);
    let holds_frame = matches!(next_frame(&scratch[..kept]), Frame::Complete { .. });
    if holds_frame || connection.at_end {
        // `mio` does not say again what it said before the slots were full.
        return Ok(Filled {
            len: kept,
            more: true,
        });
    }
    let behind = &mut scratch[kept..];
    let at_most = if connection.held { READ } else { STRANGERS_READ };
    let space = match connection.phase {
        Phase::Secure(_) => &mut *sealed,
        Phase::Header | Phase::Opening | Phase::Plain => &mut behind[..at_most],
    };
    let asked = space.len();
    let len = match connection.io.read(space) {
        Ok(len) => len,
        Err(error) if is_for_later(&error) => {
            return Ok(Filled {
                len: kept,
                more: error.kind() == io::ErrorKind::Interrupted,
            });
        }
        Err(_) => return Err(Ending::Reset),
    };
    connection.at_end = len == 0;
    // Less than asked for means that there was no more, unless the end of the stream is there already.
    let more = len == asked || (connection.hung_up && len > 0);
    let len = match &mut connection.phase {
        Phase::Secure(session) => {
            let opened = super::tls::open(session, &sealed[..len], behind).map_err(|_| Ending::Tls)?;
            connection.at_end |= opened.at_end;
            opened.len
        }
        Phase::Header | Phase::Opening | Phase::Plain => len,
    };
    Ok(Filled {
        len: kept + len,
        more,
    })
}

pub(super) fn is_for_later(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// Puts frames into the free slots of `batch`.
fn frame(id: ConnectionId, connection: &Connection, bytes: &[u8], batch: &mut Batch) -> Framed {
    let mut framed = Framed {
        frames: 0,
        used: 0,
        then: Then::Frames,
    };
    for slot in batch.free_mut().iter_mut().take(AT_ONCE) {
        let bytes = &bytes[framed.used..];
        let len = match next_frame(bytes) {
            Frame::Complete { len, .. } => len,
            Frame::NeedMore(missing) => {
                let too_long = !connection.held && bytes.len() + missing > STRANGERS_FRAME;
                framed.then = if too_long {
                    Then::Ending(Ending::LongFrame)
                } else {
                    Then::Beginning
                };
                break;
            }
            Frame::Invalid => {
                framed.then = Then::Ending(Ending::InvalidFrame);
                break;
            }
        };
        if !connection.held && len > STRANGERS_FRAME {
            framed.then = Then::Ending(Ending::LongFrame);
            break;
        }
        let frame = &bytes[..len];
        slot.put(
            Origin::Connection(id),
            frame,
            connection.client,
            connection.server,
        );
        framed.frames += 1;
        framed.used += len;
        if frame.starts_with(&CONNECTION_BIND) {
            break;
        }
    }
    batch.commit(framed.frames);
    framed
}
