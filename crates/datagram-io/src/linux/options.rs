//! Socket options that `socket2` does not know.

use std::{io, mem::size_of, net::IpAddr, os::fd::AsRawFd};

use crate::{Reported, Socket};

/// Asks for the destination address of each datagram: a wildcard listener answers from there.
pub(crate) fn report_destinations(socket: &socket2::Socket, family: IpAddr) -> io::Result<()> {
    match family {
        IpAddr::V4(_) => set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1),
        IpAddr::V6(_) => set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1),
    }
}

/// RFC 8656 §14: a relay leaves the don't-fragment bit clear unless the client asks for it.
pub(crate) fn allow_fragments(socket: &socket2::Socket, family: IpAddr) -> io::Result<()> {
    let (v4, v6) = (libc::IP_PMTUDISC_DONT, libc::IPV6_PMTUDISC_DONT);
    set_mtu_discovery(socket, family, v4, v6)
}

/// Sees to it that datagrams leave with or without DF from here on; most often they already do.
///
/// With DF, the size is checked against the link only and not against what is known of the path: that is for the
/// network to tell, and for the client to learn. Without DF, IPv4 takes `OMIT` from then on: with `DONT` the kernel would
/// keep errors to itself that come for datagrams sent before.
pub(super) fn set_dont_fragment(socket: &Socket, dont_fragment: bool) -> io::Result<()> {
    if socket.dont_fragment.get() == dont_fragment {
        return Ok(());
    }
    let (v4, v6) = if dont_fragment {
        (libc::IP_PMTUDISC_PROBE, libc::IPV6_PMTUDISC_PROBE)
    } else {
        (libc::IP_PMTUDISC_OMIT, libc::IPV6_PMTUDISC_DONT)
    };
    set_mtu_discovery(&socket.io, socket.local.ip(), v4, v6)?;
    socket.dont_fragment.set(dont_fragment);
    Ok(())
}

fn set_mtu_discovery(
    socket: &impl AsRawFd,
    family: IpAddr,
    v4: libc::c_int,
    v6: libc::c_int,
) -> io::Result<()> {
    match family {
        IpAddr::V4(_) => set_option(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, v4),
        IpAddr::V6(_) => set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, v6),
    }
}

/// Asks for fields of the headers of what arrives here.
pub(super) fn report_fields(socket: &Socket, reported: Reported) -> io::Result<()> {
    let (level, hop_limit, traffic_class) = match socket.local.ip() {
        IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_RECVTTL, libc::IP_RECVTOS),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT, libc::IPV6_RECVTCLASS),
    };
    if reported.hop_limit {
        set_option(&socket.io, level, hop_limit, 1)?;
    }
    if reported.traffic_class {
        set_option(&socket.io, level, traffic_class, 1)?;
    }
    Ok(())
}

/// Asks for ICMP errors about the datagrams that leave here.
pub(super) fn report_errors(socket: &Socket) -> io::Result<()> {
    match socket.local.ip() {
        IpAddr::V4(_) => set_option(&socket.io, libc::IPPROTO_IP, libc::IP_RECVERR, 1),
        IpAddr::V6(_) => set_option(&socket.io, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, 1),
    }
}

/// Asks for runs in one piece; tells whether they will come so. Kernels before 5.0 know nothing of it.
pub(super) fn join_runs(socket: &Socket) -> bool {
    set_option(&socket.io, libc::SOL_UDP, libc::UDP_GRO, 1).is_ok()
}

/// Whether the kernel can cut a message into datagrams. Kernels before 4.18 would take no notice of the wish.
pub(super) fn can_segment() -> bool {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None);
    socket.is_ok_and(|socket| set_option(&socket, libc::SOL_UDP, libc::UDP_SEGMENT, 0).is_ok())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open_relay;

    fn mtu_discovery(socket: &Socket, level: libc::c_int, name: libc::c_int) -> libc::c_int {
        let (mut value, mut len) = (-1, size_of::<libc::c_int>() as libc::socklen_t);
        // SAFETY: the option is a c_int, and there is room for one, as `len` says.
        let result = unsafe {
            libc::getsockopt(
                socket.io.as_raw_fd(),
                level,
                name,
                (&raw mut value).cast(),
                &raw mut len,
            )
        };
        assert_eq!(result, 0);
        value
    }

    /// The values and their order matter: what was sent with DF can be answered after the next one left without.
    #[test]
    fn df_is_set_and_cleared_again_in_a_way_that_still_reports_what_was_sent_with_it() {
        let v4 = (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER);
        let v6 = (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER);
        let cleared = [libc::IP_PMTUDISC_OMIT, libc::IPV6_PMTUDISC_DONT];
        let set = [libc::IP_PMTUDISC_PROBE, libc::IPV6_PMTUDISC_PROBE];
        for (at, (address, (level, name))) in [("127.0.0.1:0", v4), ("[::1]:0", v6)].into_iter().enumerate() {
            let socket = open_relay(address.parse().unwrap(), crate::RELAY_BUFFER).unwrap();
            assert_eq!(mtu_discovery(&socket, level, name), libc::IP_PMTUDISC_DONT);
            set_dont_fragment(&socket, false).unwrap();
            assert_eq!(mtu_discovery(&socket, level, name), libc::IP_PMTUDISC_DONT);
            set_dont_fragment(&socket, true).unwrap();
            assert_eq!(mtu_discovery(&socket, level, name), set[at]);
            set_dont_fragment(&socket, false).unwrap();
            assert_eq!(mtu_discovery(&socket, level, name), cleared[at]);
        }
    }
}
