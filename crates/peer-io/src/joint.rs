//! A peer's connection joined with a client's: two flows that begin and end together.

use std::{any::Any, io, net::TcpStream};

use rustls::ServerConnection;

use crate::{
    flow::{Flow, Step},
    side::Side,
    stream::Stream,
    tools::Tools,
};

/// A client's connection that is to carry a peer's bytes.
pub struct Client {
    /// Its socket.
    pub io: TcpStream,
    /// The session, if it is within TLS; the handshake is over.
    pub tls: Option<Box<ServerConnection>>,
    /// What was read from it and is for the peer.
    pub unread: Vec<u8>,
    /// What it is still to be sent before anything of the peer.
    pub unsent: Vec<u8>,
    /// Dropped when the connection ends.
    pub seat: Box<dyn Any + Send>,
}

pub(crate) struct Joint {
    pub(crate) client: Side,
    up: Flow,
    down: Flow,
    _seat: Box<dyn Any + Send>,
}

/// What one turn came to.
pub(crate) struct Turn {
    pub(crate) step: Step,
    /// Bytes taken from the client and from the peer.
    pub(crate) taken: [u64; 2],
}

impl Joint {
    pub(crate) fn new(client: Client) -> io::Result<Self> {
        client.io.set_nonblocking(true)?;
        let io = Stream::from_fd(client.io);
        io.set_nodelay();
        let mut up = Flow::after(client.unread);
        up.taken = up.held() as u64;
        Ok(Self {
            client: Side::new(io, client.tls),
            up,
            down: Flow::after(client.unsent),
            _seat: client.seat,
        })
    }

    /// Carries bytes both ways for one turn.
    pub(crate) fn carry(&mut self, peer: &mut Side, tools: &mut Tools) -> io::Result<Turn> {
        let up = self.up.carry(&mut self.client, peer, tools);
        let down = self.down.carry(peer, &mut self.client, tools);
        let taken = [&mut self.up, &mut self.down].map(|flow| std::mem::take(&mut flow.taken));
        let step = match (up?, down?) {
            (Step::Finished, Step::Finished) => Step::Finished,
            (Step::More, _) | (_, Step::More) => Step::More,
            (Step::Blocked | Step::Finished, Step::Blocked | Step::Finished) => Step::Blocked,
        };
        Ok(Turn { step, taken })
    }

    /// Gives back what held something.
    pub(crate) fn release(mut self, tools: &mut Tools) {
        self.up.release(tools);
        self.down.release(tools);
    }
}
