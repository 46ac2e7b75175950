//! Socket options that `socket2` does not know.

use std::{io, mem::size_of, net::IpAddr, os::fd::AsRawFd};

use crate::Socket;

/// Asks for the destination address of each datagram: a wildcard listener answers from there.
pub(crate) fn report_destinations(socket: &socket2::Socket, family: IpAddr) -> io::Result<()> {
    match family {
        IpAddr::V4(_) => set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1),
        IpAddr::V6(_) => set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1),
    }
}

/// RFC 8656 §14: a relay leaves the don't-fragment bit clear unless the client asks for it.
pub(crate) fn allow_fragments(socket: &socket2::Socket, family: IpAddr) -> io::Result<()> {
    match family {
        IpAddr::V4(_) => set_option(
            socket,
            libc::IPPROTO_IP,
            libc::IP_MTU_DISCOVER,
            libc::IP_PMTUDISC_DONT,
        ),
        IpAddr::V6(_) => set_option(
            socket,
            libc::IPPROTO_IPV6,
            libc::IPV6_MTU_DISCOVER,
            libc::IPV6_PMTUDISC_DONT,
        ),
    }
}

/// Asks for ICMP errors about the datagrams that leave here.
pub(super) fn report_errors(socket: &Socket) -> io::Result<()> {
    match socket.local.ip() {
        IpAddr::V4(_) => set_option(&socket.io, libc::IPPROTO_IP, libc::IP_RECVERR, 1),
        IpAddr::V6(_) => set_option(&socket.io, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, 1),
    }
}

fn set_option(
    socket: &impl AsRawFd,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: the option's value is a c_int that lives through the call, and its true size is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
