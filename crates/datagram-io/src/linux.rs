//! `recvmmsg` and `sendmmsg`: many datagrams per system call, each with both of its addresses.

use std::{
    io,
    mem::{offset_of, size_of},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    os::fd::AsRawFd,
    ptr,
};

use crate::{Backend, Batch, Outgoing, Received, Sent, Slot, Socket, socket::plain};

/// The most datagrams one system call moves.
const CALL: usize = 64;

/// The back end with batched system calls.
pub struct Mmsg {
    scratch: Box<Scratch>,
}

/// What the kernel reads and writes beside the payloads. Filled anew for each call, so that no pointer
/// in it is ever used after what it points to.
struct Scratch {
    headers: [libc::mmsghdr; CALL],
    payloads: [libc::iovec; CALL],
    names: [Name; CALL],
    controls: [Control; CALL],
}

// SAFETY: the pointers in a scratch are written right before each system call and not read after it;
// between calls they are only numbers.
unsafe impl Send for Mmsg {}

/// A socket address as the kernel knows it. The family is the first field of either.
#[repr(C)]
#[derive(Clone, Copy)]
union Name {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

const _: () = assert!(
    offset_of!(libc::sockaddr_in, sin_family) == 0 && offset_of!(libc::sockaddr_in6, sin6_family) == 0
);

/// Room for one control message: `in_pktinfo` or `in6_pktinfo`.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; 64]);

impl Mmsg {
    /// Makes the back end.
    pub fn new() -> Self {
        let scratch = Box::new_zeroed();
        // SAFETY: every field is integers, raw pointers or arrays of them, for which zero is valid.
        let scratch = unsafe { scratch.assume_init() };
        Self { scratch }
    }
}

impl Default for Mmsg {
    fn default() -> Self {
        Self::new()
    }
}

impl Backend for Mmsg {
    fn receive(&mut self, socket: &Socket, batch: &mut Batch, at_most: usize) -> Received {
        let slots = batch.free_mut();
        let wanted = slots.len().min(at_most).min(CALL);
        let slots = &mut slots[..wanted];
        if wanted == 0 {
            return Received {
                more: true,
                ..Received::default()
            };
        }
        self.scratch.prepare_receive(slots, socket.is_wildcard());
        // SAFETY: `prepare_receive` pointed the first `wanted` headers at names, controls and payload
        // areas that live until the call returns, each with its true length.
        let count = unsafe {
            libc::recvmmsg(
                socket.io.as_raw_fd(),
                self.scratch.headers.as_mut_ptr(),
                wanted as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        let Ok(count) = usize::try_from(count) else {
            let empty = io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock;
            return Received {
                datagrams: 0,
                more: !empty,
                errors: u64::from(!empty),
            };
        };
        let datagrams = self.scratch.collect(&mut slots[..count], socket);
        Received {
            datagrams,
            more: count == wanted,
            errors: (count - datagrams) as u64,
        }
    }

    fn send(&mut self, socket: &Socket, slots: &[Slot], chosen: &[u16]) -> Sent {
        let mut sent = Sent::default();
        for chosen in chosen.chunks(CALL) {
            self.scratch.prepare_send(slots, chosen, socket.is_wildcard());
            self.scratch.send(socket, chosen.len(), &mut sent);
        }
        sent
    }
}

impl Scratch {
    fn prepare_receive(&mut self, slots: &mut [Slot], with_destination: bool) {
        for (index, slot) in slots.iter_mut().enumerate() {
            let area = slot.receive_area();
            self.payloads[index] = libc::iovec {
                iov_base: area.as_mut_ptr().cast(),
                iov_len: area.len(),
            };
            self.point(index, size_of::<Name>() as libc::socklen_t, with_destination);
        }
    }

    /// Reads source and destination of each received datagram; slots without them are moved to the end.
    fn collect(&mut self, slots: &mut [Slot], socket: &Socket) -> usize {
        let mut kept = 0;
        for index in 0..slots.len() {
            let header = &self.headers[index];
            // A name of no length would be an earlier datagram's.
            let source = if header.msg_hdr.msg_namelen == 0 {
                None
            } else {
                self.names[index].read()
            };
            let destination = if socket.is_wildcard() {
                self.destination(index, socket)
            } else {
                Some(socket.local)
            };
            let (Some(source), Some(destination)) = (source, destination) else {
                continue;
            };
            slots[index].fill(header.msg_len as usize, source, destination);
            slots.swap(kept, index);
            kept += 1;
        }
        kept
    }

    fn destination(&self, index: usize, socket: &Socket) -> Option<SocketAddr> {
        let header = &self.headers[index].msg_hdr;
        // SAFETY: the kernel filled `msg_control` up to `msg_controllen`; both still describe our
        // control buffer, and CMSG_FIRSTHDR returns null or a header inside it.
        let control = unsafe { libc::CMSG_FIRSTHDR(header).as_ref() }?;
        let port = socket.local.port();
        // SAFETY: level and type say which structure follows; it is read unaligned and lies inside the
        // buffer because the kernel wrote it whole (the buffer holds either of them).
        unsafe {
            let data = libc::CMSG_DATA(control);
            match (control.cmsg_level, control.cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info: libc::in_pktinfo = ptr::read_unaligned(data.cast());
                    let ip = Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes());
                    Some(SocketAddrV4::new(ip, port).into())
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info: libc::in6_pktinfo = ptr::read_unaligned(data.cast());
                    let ip = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                    // A reply cannot leave from a multicast address.
                    let scope = if ip.is_unicast_link_local() {
                        info.ipi6_ifindex
                    } else {
                        0
                    };
                    (!ip.is_multicast()).then(|| SocketAddrV6::new(ip, port, 0, scope).into())
                }
                _ => None,
            }
        }
    }

    fn prepare_send(&mut self, slots: &[Slot], chosen: &[u16], with_source: bool) {
        for (index, &slot) in chosen.iter().enumerate() {
            let slot = &slots[usize::from(slot)];
            let Some(Outgoing { window, from, to, .. }) = &slot.outgoing else {
                unreachable!("only marked slots are chosen");
            };
            let payload = &slot.buffer[window.clone()];
            // The kernel only reads what sendmmsg is given, although iovec has no const form.
            self.payloads[index] = libc::iovec {
                iov_base: payload.as_ptr().cast_mut().cast(),
                iov_len: payload.len(),
            };
            let length = self.names[index].write(*to);
            let header = self.point(index, length, with_source);
            if with_source {
                write_source(header, from.ip(), scope_id(*from));
            }
        }
    }

    /// Sends the first `count` headers; a refused datagram does not keep those behind it.
    fn send(&mut self, socket: &Socket, count: usize, sent: &mut Sent) {
        let mut done = 0;
        while done < count {
            // SAFETY: `prepare_send` pointed headers `0..count` at names, controls and payloads that
            // live until the call returns, each with its true length; `done < count <= CALL`.
            let took = unsafe {
                libc::sendmmsg(
                    socket.io.as_raw_fd(),
                    self.headers.as_mut_ptr().add(done),
                    (count - done) as libc::c_uint,
                    libc::MSG_DONTWAIT as _,
                )
            };
            if let Ok(took) = usize::try_from(took) {
                sent.datagrams += took as u64;
                done += took;
                continue;
            }
            let refused = io::Error::last_os_error().kind();
            if refused == io::ErrorKind::WouldBlock {
                sent.blocked += (count - done) as u64;
                return;
            }
            // The datagram at `done` is the one refused; an interrupted call refused none.
            if refused != io::ErrorKind::Interrupted {
                sent.failed += 1;
                done += 1;
            }
        }
    }

    /// Points the header at its own name and payload and, if asked, at its control buffer.
    fn point(&mut self, index: usize, name_length: libc::socklen_t, with_control: bool) -> &mut libc::msghdr {
        let header = &mut self.headers[index].msg_hdr;
        header.msg_name = ptr::from_mut(&mut self.names[index]).cast();
        header.msg_namelen = name_length;
        header.msg_iov = &raw mut self.payloads[index];
        header.msg_iovlen = 1;
        header.msg_control = ptr::null_mut();
        header.msg_controllen = 0;
        header.msg_flags = 0;
        if with_control {
            header.msg_control = ptr::from_mut(&mut self.controls[index]).cast();
            header.msg_controllen = size_of::<Control>() as _;
        }
        header
    }
}

impl Name {
    fn read(&self) -> Option<SocketAddr> {
        // SAFETY: all bytes of a name are initialised and any bytes are valid in either form; the
        // family, first in both, says which one the kernel wrote.
        unsafe {
            match libc::c_int::from(self.v4.sin_family) {
                libc::AF_INET => {
                    let ip = Ipv4Addr::from(self.v4.sin_addr.s_addr.to_ne_bytes());
                    Some(SocketAddrV4::new(ip, u16::from_be(self.v4.sin_port)).into())
                }
                libc::AF_INET6 => {
                    let ip = Ipv6Addr::from(self.v6.sin6_addr.s6_addr);
                    let port = u16::from_be(self.v6.sin6_port);
                    Some(plain(
                        SocketAddrV6::new(ip, port, 0, self.v6.sin6_scope_id).into(),
                    ))
                }
                _ => None,
            }
        }
    }

    fn write(&mut self, address: SocketAddr) -> libc::socklen_t {
        match address {
            SocketAddr::V4(address) => {
                self.v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as _,
                    sin_port: address.port().to_be(),
                    sin_addr: in_addr(*address.ip()),
                    sin_zero: [0; 8],
                };
                size_of::<libc::sockaddr_in>() as _
            }
            SocketAddr::V6(address) => {
                self.v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as _,
                    sin6_port: address.port().to_be(),
                    sin6_flowinfo: 0,
                    sin6_addr: libc::in6_addr {
                        s6_addr: address.ip().octets(),
                    },
                    sin6_scope_id: address.scope_id(),
                };
                size_of::<libc::sockaddr_in6>() as _
            }
        }
    }
}

/// Writes the control message that chooses the source address into the header's control buffer.
fn write_source(header: &mut libc::msghdr, from: IpAddr, interface: u32) {
    // SAFETY: the header's control buffer is a `Control`, aligned and long enough for one header with
    // either structure, so CMSG_FIRSTHDR is not null and CMSG_DATA has room for it.
    unsafe {
        let control = libc::CMSG_FIRSTHDR(header);
        match from {
            IpAddr::V4(ip) => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: in_addr(ip),
                    ipi_addr: in_addr(Ipv4Addr::UNSPECIFIED),
                };
                let length = size_of::<libc::in_pktinfo>() as libc::c_uint;
                (*control).cmsg_level = libc::IPPROTO_IP;
                (*control).cmsg_type = libc::IP_PKTINFO;
                (*control).cmsg_len = libc::CMSG_LEN(length) as _;
                ptr::write_unaligned(libc::CMSG_DATA(control).cast(), info);
                header.msg_controllen = libc::CMSG_SPACE(length) as _;
            }
            IpAddr::V6(ip) => {
                let info = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr { s6_addr: ip.octets() },
                    ipi6_ifindex: interface,
                };
                let length = size_of::<libc::in6_pktinfo>() as libc::c_uint;
                (*control).cmsg_level = libc::IPPROTO_IPV6;
                (*control).cmsg_type = libc::IPV6_PKTINFO;
                (*control).cmsg_len = libc::CMSG_LEN(length) as _;
                ptr::write_unaligned(libc::CMSG_DATA(control).cast(), info);
                header.msg_controllen = libc::CMSG_SPACE(length) as _;
            }
        }
    }
}

fn in_addr(ip: Ipv4Addr) -> libc::in_addr {
    libc::in_addr {
        s_addr: u32::from_ne_bytes(ip.octets()),
    }
}

fn scope_id(address: SocketAddr) -> u32 {
    match address {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(address) => address.scope_id(),
    }
}

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

fn set_option(
    socket: &socket2::Socket,
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
