//! Clients over TCP and TLS, a connection each.

use std::{io, net::SocketAddr};

use datagram_io::{Batch, ConnectionId, Origin, Readiness};
use mio::Registry;
use stun_wire::stream::{Frame, next_frame};

use super::{stream::Stream, token};
use crate::{Error, plan::Tls};

/// Bytes that are read at once.
const READ: usize = 64 << 10;

/// The connections of clients; one has the index of its client.
pub(super) struct Streams {
    server: SocketAddr,
    tls: Option<Tls>,
    streams: Vec<Option<Stream>>,
    /// Those that have something to write.
    unwritten: Vec<u32>,
    scratch: Vec<u8>,
    unsent: u64,
}

impl Streams {
    pub(super) fn new(server: SocketAddr, clients: u32, tls: Option<Tls>) -> Self {
        Self {
            server,
            tls,
            streams: (0..clients).map(|_| None).collect(),
            unwritten: Vec::new(),
            scratch: vec![0; READ],
            unsent: 0,
        }
    }

    pub(super) fn connect(&mut self, client: u32, registry: &Registry) -> Result<(), Error> {
        let stream = Stream::connect(self.server, self.tls.as_ref(), registry, token(client));
        self.streams[client as usize] = Some(stream.map_err(|error| self.failed(&error))?);
        self.unwritten.push(client);
        Ok(())
    }

    pub(super) fn send(&mut self, client: u32, frame: &[u8]) -> Result<(), Error> {
        let Some(stream) = &mut self.streams[client as usize] else {
            return Ok(());
        };
        match stream.send(frame) {
            Ok(true) => {
                if self.unwritten.last() != Some(&client) {
                    self.unwritten.push(client);
                }
                Ok(())
            }
            Ok(false) => {
                self.unsent += 1;
                Ok(())
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    pub(super) fn flush(&mut self) -> Result<(), Error> {
        while let Some(client) = self.unwritten.pop() {
            if let Some(stream) = &mut self.streams[client as usize]
                && let Err(error) = stream.flush()
            {
                return Err(self.failed(&error));
            }
        }
        Ok(())
    }

    /// Reads a connection that is ready, and puts each whole frame into a slot.
    pub(super) fn receive(&mut self, client: u32, batch: &mut Batch) -> Result<Readiness, Error> {
        let Some(stream) = &mut self.streams[client as usize] else {
            return Ok(Readiness::Drained);
        };
        // A connection that has become writable is named, too.
        if let Err(error) = stream.flush() {
            return Err(self.failed(&error));
        }
        let more = match stream.read(&mut self.scratch) {
            Ok(more) => more,
            Err(error) => return Err(self.failed(&error)),
        };
        let origin = Origin::Connection(ConnectionId {
            index: client,
            generation: 0,
        });
        loop {
            match next_frame(&stream.inbox[stream.taken..]) {
                Frame::Complete { .. } if batch.is_full() => return Ok(Readiness::More),
                Frame::Complete { len, .. } => {
                    let frame = &stream.inbox[stream.taken..stream.taken + len];
                    batch.free_mut()[0].put(origin, frame, self.server, self.server);
                    batch.commit(1);
                    stream.taken += len;
                }
                Frame::NeedMore(_) if more => return Ok(Readiness::More),
                Frame::NeedMore(_) => return Ok(Readiness::Drained),
                Frame::Invalid => {
                    let error = io::Error::other("the server sent neither STUN nor ChannelData");
                    return Err(self.failed(&error));
                }
            }
        }
    }

    pub(super) fn unsent(&self) -> u64 {
        self.unsent
    }

    fn failed(&self, error: &io::Error) -> Error {
        // Where nobody listens, it is not for the others.
        let others = if error.kind() == io::ErrorKind::ConnectionRefused {
            0
        } else {
            self.streams.iter().flatten().count().saturating_sub(1)
        };
        Error::Connection {
            server: self.server,
            reason: error.to_string(),
            others,
        }
    }
}
