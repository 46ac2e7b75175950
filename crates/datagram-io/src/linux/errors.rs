//! The queue in which the kernel keeps ICMP errors about datagrams that a socket sent.

use std::{io, mem::size_of, net::SocketAddr, os::fd::AsRawFd, ptr};

use super::{control::Control, name::Name};
use crate::{Icmp, Socket};

/// Takes the next error out of the queue: whom the datagram was for, and what happened to it. `None` stands for an
/// error that is no ICMP error.
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
    let icmp = control
        .messages(header.msg_controllen)
        .find_map(|(level, kind, value)| icmp(level, kind, value));
    Ok(peer.zip(icmp))
}

/// Reads a `sock_extended_err` that came from an ICMP packet.
fn icmp(level: libc::c_int, kind: libc::c_int, value: &[u8]) -> Option<Icmp> {
    let is_error = matches!(
        (level, kind),
        (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
    );
    if !is_error {
        return None;
    }
    let value = value.get(..size_of::<libc::sock_extended_err>())?;
    // SAFETY: `value` has as many bytes as the structure, which is read unaligned and may hold any bytes.
    let error: libc::sock_extended_err = unsafe { ptr::read_unaligned(value.as_ptr().cast()) };
    matches!(
        error.ee_origin,
        libc::SO_EE_ORIGIN_ICMP | libc::SO_EE_ORIGIN_ICMP6
    )
    .then_some(Icmp {
        kind: error.ee_type,
        code: error.ee_code,
        data: error.ee_info,
    })
}
