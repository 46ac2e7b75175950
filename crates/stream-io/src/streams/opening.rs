//! The first bytes of a connection: looked at without being taken, so that it can be given away as it came.

use std::{io::Read, net::SocketAddr};

use mio::net::TcpStream;
use rustls::ServerConnection;

use super::{Streams, reading::is_for_later};
use crate::{
    Destination, Ending, FirstBytes, Hello, ProxyHeader, Reception, Visitor,
    census::Network,
    connection::{Connection, Phase},
    hello::LONGEST,
    read_header, read_hello, tell_apart,
};

/// What looking at a connection came to.
enum Looked {
    /// It carries what is spoken here.
    Open,
    /// More has to come.
    Wait,
    /// The header of a proxy was taken: look again.
    Again,
    /// It is for the web.
    Web { is_tls: bool },
}

impl Streams {
    /// Finds out what a connection carries; false if it cannot be read yet or never will be.
    pub(super) fn open(&mut self, index: u32) -> bool {
        loop {
            let Some((_, connection)) = self.places.at(index) else {
                return false;
            };
            match look(connection, &mut self.scratch, &self.reception) {
                Ok(Looked::Open) => {
                    if connection.is_secure() {
                        self.counters.open[0] -= 1;
                        self.counters.open[1] += 1;
                    }
                    return true;
                }
                Ok(Looked::Again) => {}
                Ok(Looked::Wait) => return false,
                Ok(Looked::Web { is_tls }) => {
                    self.show_the_door(index, is_tls);
                    return false;
                }
                Err(ending) => {
                    self.leave(index, ending);
                    return false;
                }
            }
        }
    }

    /// Gives a connection of the web away.
    fn show_the_door(&mut self, index: u32, is_tls: bool) {
        let Some(door) = self.reception.door.clone() else {
            return self.leave(index, Ending::NoWeb);
        };
        let Some((_, mut connection)) = self.places.remove(index) else {
            return;
        };
        self.counters.open[0] -= 1;
        let ending = match self.registry.deregister(&mut connection.io) {
            Ok(()) => {
                let taken = door(Visitor {
                    stream: connection.io.into(),
                    peer: connection.client,
                    local: connection.server,
                    is_tls,
                    member: connection.member,
                });
                if taken { Ending::Web } else { Ending::WebRefused }
            }
            Err(_) => Ending::Reset,
        };
        self.counters.count_end(ending);
    }
}

fn look(connection: &mut Connection, scratch: &mut [u8], reception: &Reception) -> Result<Looked, Ending> {
    let seen = match connection.io.peek(&mut scratch[..LONGEST]) {
        Ok(0) => return Err(Ending::Client),
        Ok(seen) => seen,
        Err(error) if is_for_later(&error) => return Ok(Looked::Wait),
        Err(_) => return Err(Ending::Reset),
    };
    let bytes = &scratch[..seen];
    let looked = match connection.phase {
        Phase::Header => return take_header(connection, scratch, seen),
        Phase::Opening | Phase::Plain | Phase::Secure(_) => match tell_apart(bytes) {
            FirstBytes::Stun => {
                connection.phase = Phase::Plain;
                Looked::Open
            }
            FirstBytes::Tls => match read_hello(bytes, &reception.rules) {
                Hello::To(Destination::Turn) => {
                    connection.phase = Phase::Secure(begin(reception)?);
                    Looked::Open
                }
                Hello::To(Destination::Web) => Looked::Web { is_tls: true },
                Hello::Incomplete => return wait(connection),
                // The session finds out what is wrong, and tells the client by an alert.
                Hello::Invalid if reception.tls.is_some() => {
                    connection.phase = Phase::Secure(begin(reception)?);
                    Looked::Open
                }
                Hello::Invalid => return Err(Ending::Tls),
            },
            FirstBytes::Web => Looked::Web { is_tls: false },
            FirstBytes::Incomplete => return wait(connection),
            FirstBytes::Proxy => return Err(Ending::ProxyUnknown),
            FirstBytes::Unknown => return Err(Ending::Unknown),
        },
    };
    Ok(looked)
}

/// Nothing more comes from a client that has closed its side.
fn wait(connection: &Connection) -> Result<Looked, Ending> {
    if connection.hung_up {
        Err(Ending::Client)
    } else {
        Ok(Looked::Wait)
    }
}

fn begin(reception: &Reception) -> Result<Box<ServerConnection>, Ending> {
    let config = reception.tls.clone().ok_or(Ending::NoCertificate)?;
    let mut session = ServerConnection::new(config).map_err(|_| Ending::Tls)?;
    // What waits is bounded before it is encrypted; each frame is then taken as a whole.
    session.set_buffer_limit(None);
    Ok(Box::new(session))
}

/// Takes the header of a proxy, of which `seen` bytes are there, and believes it.
fn take_header(connection: &mut Connection, scratch: &mut [u8], seen: usize) -> Result<Looked, Ending> {
    let bytes = &scratch[..seen];
    let (len, client) = match read_header(bytes) {
        ProxyHeader::Complete { len, client } => (len, client),
        ProxyHeader::Incomplete => return wait(connection),
        ProxyHeader::Invalid if tell_apart(bytes) == FirstBytes::Proxy => return Err(Ending::ProxyInvalid),
        ProxyHeader::Invalid => return Err(Ending::ProxyMissing),
    };
    take(&mut connection.io, &mut scratch[..len])?;
    if let Some(client) = client {
        connection.client = SocketAddr::new(client.ip().to_canonical(), client.port());
        connection.member.join(Network::of(client.ip()))?;
    }
    connection.phase = Phase::Opening;
    Ok(Looked::Again)
}

/// Takes bytes that were seen to be there.
fn take(io: &mut TcpStream, bytes: &mut [u8]) -> Result<(), Ending> {
    io.read_exact(bytes).map_err(|_| Ending::Reset)
}
