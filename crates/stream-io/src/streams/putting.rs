//! Connections that another worker has accepted.

use std::{io, time::Instant};

use mio::Interest;

use super::{Streams, Taken, token};
use crate::connection::{Connection, Phase};

impl Streams {
    /// Takes in a connection that [`Streams::take`] gave in another worker, with what was read of it and what is to
    /// be sent.
    ///
    /// # Errors
    /// If it cannot be registered; it is closed then.
    pub fn put(&mut self, taken: Taken, now: Instant) -> io::Result<()> {
        let mut io = taken.stream;
        let id = self.places.vacant();
        let turn = self.turn_of(id.index);
        self.registry
            .register(&mut io, token(turn), Interest::READABLE | Interest::WRITABLE)?;
        let mut connection = Connection::new(io, taken.client, taken.server, taken.member, now);
        connection.phase = match taken.tls {
            Some(session) => Phase::Secure(session),
            None => Phase::Plain,
        };
        connection.has_moved = true;
        connection.unread = taken.unread;
        connection.unsent = taken.unsent;
        self.counters.open[usize::from(connection.is_secure())] += 1;
        self.places.fill(id, connection);
        // What was read before is no event.
        self.turns.add(turn);
        self.list(id.index);
        self.schedule(id.index);
        Ok(())
    }
}
