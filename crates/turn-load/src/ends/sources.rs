//! Clients over UDP, each with an address of its own.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use datagram_io::{SocketId, Sockets, open_listeners};

use super::id;

/// Clients that share a socket where they can.
const SHARED_BY: u32 = 64;

/// The first client of a socket on loopback; the others follow.
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 1);

/// The sockets of clients.
///
/// To a server on IPv4 loopback, all of 127.0.0.0/8 is ours to send from: up to 64 clients share a socket and its system
/// calls, and differ by address. Elsewhere each client has a socket, and they differ by port.
pub(super) struct Sources {
    locals: Vec<SocketAddr>,
    per_socket: u32,
}

impl Sources {
    pub(super) fn open(server: SocketAddr, clients: u32, sockets: &mut Sockets) -> io::Result<Self> {
        let can_share = cfg!(target_os = "linux") && server.is_ipv4() && server.ip().is_loopback();
        let per_socket = if can_share { SHARED_BY } else { 1 };
        let local = if can_share {
            IpAddr::from(Ipv4Addr::UNSPECIFIED)
        } else {
            datagram_io::local_address_towards(server.ip()).ok_or(io::ErrorKind::NetworkUnreachable)?
        };
        let mut locals = Vec::new();
        for index in 0..clients.div_ceil(per_socket) {
            for socket in open_listeners(SocketAddr::new(local, 0), 1)? {
                locals.push(socket.local_address());
                sockets.insert(id(index), socket)?;
            }
        }
        Ok(Self { locals, per_socket })
    }

    /// How many sockets there are; their indices start at 0.
    pub(super) fn sockets(&self) -> u32 {
        self.locals.len() as u32
    }

    pub(super) fn locals(&self) -> &[SocketAddr] {
        &self.locals
    }

    /// From where a client sends.
    pub(super) fn source_of(&self, client: u32) -> (SocketId, SocketAddr) {
        let index = client / self.per_socket;
        let mut local = self.locals[index as usize];
        if self.per_socket > 1 {
            local.set_ip(Ipv4Addr::from_bits(FIRST.to_bits() + client % self.per_socket).into());
        }
        (id(index), local)
    }

    /// Which client a datagram to this address of a socket is for.
    pub(super) fn client_at(&self, socket: u32, destination: SocketAddr) -> Option<u32> {
        if self.per_socket == 1 {
            return Some(socket);
        }
        let SocketAddr::V4(destination) = destination else {
            return None;
        };
        let place = destination.ip().to_bits().wrapping_sub(FIRST.to_bits());
        (place < self.per_socket).then_some(socket * self.per_socket + place)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_client_has_an_address_and_is_found_by_it() {
        for per_socket in [1, 64] {
            let local = SocketAddr::new("192.0.2.1".parse().unwrap(), 0);
            let locals = (1..=200).map(|port| SocketAddr::new(local.ip(), port)).collect();
            let sources = Sources { locals, per_socket };
            let mut addresses = BTreeSet::new();
            for client in 0..200 {
                let (socket, source) = sources.source_of(client);
                assert_eq!(sources.client_at(socket.index, source), Some(client));
                addresses.insert(source);
            }
            assert_eq!(addresses.len(), 200);
        }
        let sources = Sources {
            locals: vec!["0.0.0.0:1".parse().unwrap()],
            per_socket: 64,
        };
        for stranger in ["127.0.0.1:1", "127.1.0.65:1", "[::1]:1"] {
            assert_eq!(
                sources.client_at(0, stranger.parse().unwrap()),
                None,
                "{stranger}"
            );
        }
    }
}
