//! The queue in which the kernel keeps ICMP errors about datagrams that a socket sent.

use std::{io, mem::size_of, net::SocketAddr, os::fd::AsRawFd, ptr};

use super::{control::Control, name::Name};
use crate::{Icmp, Socket};

/// Takes the next error out of the queue: whom the datagram was for, and what happened to it. `None` stands for an
/// error that nobody is to be told of.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when there is none.
pub(super) fn take_error(socket: &Socket) -> io::Result<Option<(SocketAddr, Icmp)>> {
    let mut name = Name::UNKNOWN;
    let mut control = Control::EMPTY;
    // The bytes of the datagram come along; nobody asked for them.
    // SAFETY: zero is valid for a msghdr: no buffers, no name, no control messages.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_name = ptr::from_mut(&mut name).cast();
    header.msg_namelen = size_of::<Name>() as _;
    header.msg_control = ptr::from_mut(&mut control).cast();
    header.msg_controllen = Control::LEN as _;
    let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
    // SAFETY: the header names a live name and a live control buffer, each with its true length.
    if unsafe { libc::recvmsg(socket.io.as_raw_fd(), &raw mut header, flags) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let peer = if header.msg_namelen == 0 {
        None
    } else {
        name.read()
    };
    let error = control
        .messages(header.msg_controllen)
        .find_map(|(level, kind, value)| extended_error(level, kind, value));
    Ok(peer
        .zip(error)
        .and_then(|(peer, error)| report(socket, peer, &error)))
}

/// ICMP: destination unreachable, fragmentation needed. ICMPv6: packet too big.
const FRAGMENTATION_NEEDED: (u8, u8) = (3, 4);
const PACKET_TOO_BIG: (u8, u8) = (2, 0);

/// What to tell of an error. That a datagram with DF is too long for our own link reads like the error a router sends.
fn report(socket: &Socket, peer: SocketAddr, error: &libc::sock_extended_err) -> Option<(SocketAddr, Icmp)> {
    let (peer, (kind, code)) = match error.ee_origin {
        libc::SO_EE_ORIGIN_ICMP | libc::SO_EE_ORIGIN_ICMP6 => (peer, (error.ee_type, error.ee_code)),
        libc::SO_EE_ORIGIN_LOCAL if error.ee_errno == libc::EMSGSIZE as u32 => {
            // Over IPv4 the kernel leaves the port out, and it tells of each attempt to send the datagram.
            let too_long_for = socket.too_long_for.take().filter(|to| to.ip() == peer.ip())?;
            let error = if peer.is_ipv4() {
                FRAGMENTATION_NEEDED
            } else {
                PACKET_TOO_BIG
            };
            (too_long_for, error)
        }
        _ => return None,
    };
    let data = error.ee_info;
    Some((peer, Icmp { kind, code, data }))
}

/// Reads the `sock_extended_err` among the control messages.
fn extended_error(level: libc::c_int, kind: libc::c_int, value: &[u8]) -> Option<libc::sock_extended_err> {
    let is_error = matches!(
        (level, kind),
        (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
    );
    let value = value.get(..size_of::<libc::sock_extended_err>())?;
    // SAFETY: `value` has as many bytes as the structure, which is read unaligned and may hold any bytes.
    is_error.then(|| unsafe { ptr::read_unaligned(value.as_ptr().cast()) })
}
