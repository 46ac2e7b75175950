//! Connections that go another way: out of the frames, but still in the worker's loop.

use std::{collections::VecDeque, net::SocketAddr};

use datagram_io::ConnectionId;
use mio::net::TcpStream;
use rustls::ServerConnection;

use super::Streams;
use crate::{Ending, Member, connection::Phase};

/// A connection taken out of a table, for whom its bytes are no frames any more.
pub struct Taken {
    /// The connection; it is registered nowhere and does not block.
    pub stream: TcpStream,
    /// The TLS session, if there is one: what is read belongs to it first.
    pub tls: Option<Box<ServerConnection>>,
    /// What was received behind the last frame, decrypted already.
    pub unread: Vec<u8>,
    /// What is still to be sent before anything else, not encrypted yet.
    pub unsent: VecDeque<u8>,
    /// The client.
    pub client: SocketAddr,
    /// The address of ours that it had reached.
    pub server: SocketAddr,
    /// Its place among those that are counted; drop it with the connection.
    pub member: Member,
}

impl Streams {
    /// Takes a connection out, and everything of it. It is not among those that [`Streams::next_ended`] gives.
    ///
    /// Nothing behind a ConnectionBind request was cut into frames: it ends the turn in which it is read, so that the
    /// worker can take the connection while it decides about that request.
    pub fn take(&mut self, id: ConnectionId) -> Option<Taken> {
        self.places
            .get(id)
            .filter(|connection| connection.ending.is_none())?;
        let (_, mut connection) = self.places.remove(id.index)?;
        self.counters.open[usize::from(connection.is_secure())] -= 1;
        self.counters.taken += 1;
        // It is about to be registered anew; that it was registered before makes no difference to the new owner.
        let _ = self.registry.deregister(&mut connection.io);
        let tls = match connection.phase {
            Phase::Secure(session) => Some(session),
            Phase::Header | Phase::Opening | Phase::Plain => None,
        };
        Some(Taken {
            stream: connection.io,
            tls,
            unread: connection.unread,
            unsent: connection.unsent,
            client: connection.client,
            server: connection.server,
            member: connection.member,
        })
    }

    /// Takes a connection out for another worker. That is done once, as a client needs no more: one that came from another worker
    /// ends instead, or it could keep two workers busy with moving it.
    pub fn take_for_another(&mut self, id: ConnectionId) -> Option<Taken> {
        if self.places.get(id)?.has_moved {
            self.leave(id.index, Ending::Wandering);
            return None;
        }
        self.take(id)
    }
}
