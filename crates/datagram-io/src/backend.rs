//! The seam where ways of moving datagrams through the kernel are exchanged.

use std::{io, net::SocketAddr};

use crate::{Batch, Icmp, Slot, Socket, open_relay};

/// The back end a worker uses unless told otherwise: batched system calls where the kernel has them.
#[cfg(target_os = "linux")]
pub type Native = crate::Mmsg;
/// The back end a worker uses unless told otherwise: batched system calls where the kernel has them.
#[cfg(not(target_os = "linux"))]
pub type Native = crate::Portable;

/// A way to move datagrams between a socket and slots.
///
/// No method blocks, allocates or fails as a whole: what went wrong is in the counts it returns.
pub trait Backend: Send {
    /// Whether [`crate::HeaderFields::dont_fragment`] is obeyed; a back end that cannot sends as always.
    const CAN_SET_DF: bool;

    /// Opens a relay socket on `address` that asks for so many bytes of `buffer` for what it receives.
    ///
    /// # Errors
    /// Whatever the kernel says: the port is taken, descriptors are used up, the address is not ours.
    fn open(&mut self, address: SocketAddr, buffer: usize) -> io::Result<Socket> {
        open_relay(address, buffer)
    }

    /// Prepares a socket that was opened elsewhere, a listener, for this back end.
    ///
    /// # Errors
    /// Whatever the kernel says.
    fn adopt(&mut self, socket: &mut Socket) -> io::Result<()> {
        let _ = socket;
        Ok(())
    }

    /// Closes a socket; its port is free when this returns.
    fn close(&mut self, socket: Socket) {
        drop(socket);
    }

    /// Receives up to `at_most` datagrams into the free slots of `batch`, with one system call if it can.
    fn receive(&mut self, socket: &Socket, batch: &mut Batch, at_most: usize) -> Received;

    /// Takes the oldest ICMP error about a datagram that left through this socket, with the address it was for.
    ///
    /// Back ends that are not told of them find none.
    fn take_icmp(&mut self, socket: &Socket) -> Option<(SocketAddr, Icmp)> {
        let _ = socket;
        None
    }

    /// Sends what the slots named by `chosen` (ascending) are marked with, all through `socket`.
    fn send(&mut self, socket: &Socket, slots: &[Slot], chosen: &[u16]) -> Sent;
}

/// What one [`Backend::receive`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Slots filled.
    pub datagrams: usize,
    /// Datagrams of runs that [`Batch::clear`] puts into slots.
    pub waiting: usize,
    /// Runs that came in one piece.
    pub runs: u64,
    /// Datagrams left in the kernel, perhaps: it was not seen to be empty.
    pub more: bool,
    /// Errors the kernel reported in place of a datagram, and datagrams without a usable address.
    pub errors: u64,
}

/// What one [`Backend::send`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Datagrams the kernel took.
    pub datagrams: u64,
    /// Runs among them: messages of several datagrams that the kernel took in one piece.
    pub runs: u64,
    /// Runs the kernel would not take in one piece; their datagrams were sent one by one.
    pub refused_runs: u64,
    /// Datagrams dropped because the socket's send buffer or a queue behind it was full.
    pub blocked: u64,
    /// Datagrams the kernel refused: no route, forbidden by a firewall.
    pub failed: u64,
    /// Datagrams too long for UDP, or for the link if they must not be fragmented.
    pub too_long: u64,
}
