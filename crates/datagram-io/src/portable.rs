//! One `recv_from` or `send_to` per datagram: works wherever `mio` does.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use crate::{Backend, Batch, Received, Reported, Sent, Slot, Socket, local_address_towards, socket::plain};

/// The back end for kernels without batched system calls.
///
/// It cannot ask which local address a datagram was sent to. On a wildcard listener it reports loopback
/// for a client on loopback and otherwise the address of the default route, found once; a host with
/// several addresses lists them in `listen` instead.
pub struct Portable {
    v4: IpAddr,
    v6: IpAddr,
}

impl Portable {
    /// Makes the back end. No packet is sent.
    pub fn new() -> Self {
        let towards = |remote: IpAddr, otherwise: IpAddr| local_address_towards(remote).unwrap_or(otherwise);
        Self {
            // Any address beyond the default route will do: these are reserved for documentation.
            v4: towards(Ipv4Addr::new(192, 0, 2, 1).into(), Ipv4Addr::LOCALHOST.into()),
            v6: towards(
                Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
                Ipv6Addr::LOCALHOST.into(),
            ),
        }
    }

    /// Makes the back end; it cannot read or write header fields.
    pub fn reporting(_: Reported) -> Self {
        Self::new()
    }

    /// Makes no difference here: each datagram is sent by itself.
    pub fn without_runs(self) -> Self {
        self
    }

    /// Makes no difference here: each datagram arrives by itself.
    pub fn joining_runs(self) -> Self {
        self
    }

    fn destination(&self, socket: &Socket, source: SocketAddr) -> SocketAddr {
        if !socket.is_wildcard() {
            return socket.local;
        }
        let ip = match source.ip() {
            IpAddr::V4(ip) if ip.is_loopback() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_loopback() => Ipv6Addr::LOCALHOST.into(),
            IpAddr::V4(_) => self.v4,
            IpAddr::V6(_) => self.v6,
        };
        SocketAddr::new(ip, socket.local.port())
    }
}

impl Default for Portable {
    fn default() -> Self {
        Self::new()
    }
}

impl Backend for Portable {
    const CAN_SET_DF: bool = false;

    fn receive(&mut self, socket: &Socket, batch: &mut Batch, at_most: usize) -> Received {
        let mut received = Received {
            more: true,
            ..Received::default()
        };
        for slot in batch.free_mut().iter_mut().take(at_most) {
            match socket.io.recv_from(slot.receive_area()) {
                Ok((len, source)) => {
                    let source = plain(source);
                    slot.fill(len, source, self.destination(socket, source));
                    received.datagrams += 1;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    received.more = false;
                    break;
                }
                Err(_) => {
                    received.errors += 1;
                    break;
                }
            }
        }
        received
    }

    fn send(&mut self, socket: &Socket, slots: &[Slot], chosen: &[u16]) -> Sent {
        let mut sent = Sent::default();
        for (done, &index) in chosen.iter().enumerate() {
            let slot = &slots[usize::from(index)];
            let Some(outgoing) = &slot.outgoing else { continue };
            match socket
                .io
                .send_to(&slot.buffer[outgoing.window.clone()], outgoing.to)
            {
                Ok(_) => sent.datagrams += 1,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    sent.blocked += (chosen.len() - done) as u64;
                    break;
                }
                Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => sent.too_long += 1,
                Err(_) => sent.failed += 1,
            }
        }
        sent
    }
}
