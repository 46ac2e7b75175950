//! New connections: counted first, then set up.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use datagram_io::Readiness;
use mio::{Interest, net::TcpStream};

use super::{Streams, token};
use crate::{
    Ending,
    census::{Member, Network},
    connection::{Connection, Phase},
    deadlines::Sleeper,
};

/// Connections taken in one turn of a listener.
const AT_ONCE: usize = 16;
/// How long a listener rests when the system has no descriptor or memory: its clients wait in the kernel meanwhile.
const REST: Duration = Duration::from_millis(250);

impl Streams {
    pub(super) fn accept(&mut self, listener: usize, now: Instant) -> Readiness {
        for _ in 0..AT_ONCE {
            match self.listeners[listener].io.accept() {
                Ok((io, client)) => {
                    if let Err(ending) = self.admit(io, client, now) {
                        self.counters.count_end(ending);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Readiness::Drained,
                Err(error) if is_exhaustion(&error) => {
                    self.counters.accept_failed += 1;
                    self.rest(listener, now);
                    return Readiness::Drained;
                }
                // The client went away while it waited, or a signal came.
                Err(_) => {}
            }
        }
        Readiness::More
    }

    fn admit(&mut self, io: TcpStream, client: SocketAddr, now: Instant) -> Result<(), Ending> {
        let mut member = self.census.enter()?;
        // Whom a proxy forwards is only known from its header.
        if !self.reception.is_proxy(client.ip()) {
            member.join(Network::of(client.ip()))?;
        }
        self.set_up(io, client, member, now).map_err(|_| Ending::NotSetUp)
    }

    fn set_up(
        &mut self,
        mut io: TcpStream,
        client: SocketAddr,
        member: Member,
        now: Instant,
    ) -> io::Result<()> {
        let server = io.local_addr()?;
        io.set_nodelay(true)?;
        let id = self.places.vacant();
        let turn = self.turn_of(id.index);
        self.registry
            .register(&mut io, token(turn), Interest::READABLE | Interest::WRITABLE)?;
        let mut connection = Connection::new(io, client, server, member, now);
        if self.reception.is_proxy(client.ip()) {
            connection.phase = Phase::Header;
        }
        self.places.fill(id, connection);
        self.counters.open[0] += 1;
        self.schedule(id.index);
        Ok(())
    }

    /// Tries again later: no event will tell when descriptors are free.
    fn rest(&mut self, listener: usize, now: Instant) {
        let at = now + REST;
        self.listeners[listener].resumes_at = Some(at);
        let sleeper = Sleeper {
            index: listener as u32,
            generation: 0,
        };
        self.deadlines.push(at, sleeper);
    }

    /// Takes that a listener has rested.
    pub(super) fn resume(&mut self, listener: usize, at: Instant) {
        if self.listeners[listener]
            .resumes_at
            .take_if(|due| *due <= at)
            .is_some()
        {
            self.turns.add(listener as u32);
        }
    }
}

fn is_exhaustion(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    )
}
