//! Control messages: what the kernel tells and is told beside a datagram.
//!
//! ```text
//! | header | value | padding | header | value | padding | ...
//! ```

use std::{mem::size_of, net::SocketAddr, ptr};

use crate::HeaderFields;

/// Bytes of the longest messages that come together: an ICMP error with its sender, hop limit and traffic class.
const ROOM: usize = 128;
const HEADER: usize = size_of::<libc::cmsghdr>();

/// Room for the control messages of one datagram.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(super) struct Control([u8; ROOM]);

impl Control {
    /// No messages.
    pub(super) const EMPTY: Self = Self([0; ROOM]);
    pub(super) const LEN: usize = ROOM;

    /// The messages in the first `len` bytes, as level, type and value. C libraries differ in the type of `len`.
    pub(super) fn messages(&self, len: impl TryInto<usize>) -> Messages<'_> {
        let len = len.try_into().unwrap_or(0).min(ROOM);
        Messages { rest: &self.0[..len] }
    }

    pub(super) fn writer(&mut self) -> Writer<'_> {
        Writer {
            control: self,
            len: 0,
        }
    }
}

pub(super) struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Messages<'a> {
    type Item = (libc::c_int, libc::c_int, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let head = self.rest.get(..HEADER)?;
        // SAFETY: `head` has as many bytes as the structure, which is read unaligned and may hold any bytes.
        let head: libc::cmsghdr = unsafe { ptr::read_unaligned(head.as_ptr().cast()) };
        let len = head.cmsg_len as usize;
        let value = self.rest.get(HEADER..len)?;
        self.rest = self.rest.get(aligned(len)..).unwrap_or_default();
        Some((head.cmsg_level, head.cmsg_type, value))
    }
}

/// Writes messages one behind the other.
pub(super) struct Writer<'a> {
    control: &'a mut Control,
    len: usize,
}

impl Writer<'_> {
    /// Chooses the source address of the datagram.
    pub(super) fn source(&mut self, from: SocketAddr) {
        match from {
            SocketAddr::V4(from) => {
                let mut info = [0; size_of::<libc::in_pktinfo>()];
                info[pktinfo::V4_SOURCE].copy_from_slice(&from.ip().octets());
                self.push(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
            }
            SocketAddr::V6(from) => {
                let mut info = [0; size_of::<libc::in6_pktinfo>()];
                info[pktinfo::V6_ADDRESS].copy_from_slice(&from.ip().octets());
                info[pktinfo::V6_INTERFACE].copy_from_slice(&from.scope_id().to_ne_bytes());
                self.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
            }
        }
    }

    /// Sets the header fields that a datagram to this address is to have; those it has anyway are left out.
    pub(super) fn fields(&mut self, fields: HeaderFields, to: SocketAddr) {
        let (level, hop_limit, traffic_class) = match to {
            SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_TTL, libc::IP_TOS),
            SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT, libc::IPV6_TCLASS),
        };
        if let Some(left) = fields.hop_limit {
            self.push(level, hop_limit, &libc::c_int::from(left).to_ne_bytes());
        }
        if let Some(class) = fields.traffic_class.filter(|class| *class != 0) {
            self.push(level, traffic_class, &libc::c_int::from(class).to_ne_bytes());
        }
    }

    /// Has the message cut into datagrams of this length.
    pub(super) fn segment(&mut self, length: u16) {
        self.push(libc::SOL_UDP, libc::UDP_SEGMENT, &length.to_ne_bytes());
    }

    /// How many bytes were written.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    fn push(&mut self, level: libc::c_int, kind: libc::c_int, value: &[u8]) {
        let (at, len) = (self.len, HEADER + value.len());
        self.len = at + aligned(len);
        let place = &mut self.control.0[at..at + aligned(len)];
        // SAFETY: the structure is integers, for which zero is valid.
        let mut head: libc::cmsghdr = unsafe { std::mem::zeroed() };
        head.cmsg_len = len as _;
        head.cmsg_level = level;
        head.cmsg_type = kind;
        // SAFETY: `place` is at least as long as the structure, which is written unaligned.
        unsafe { ptr::write_unaligned(place.as_mut_ptr().cast(), head) };
        place[HEADER..len].copy_from_slice(value);
    }
}

/// Where a message of this length ends with its padding.
fn aligned(len: usize) -> usize {
    len.next_multiple_of(size_of::<usize>())
}

/// What control messages told of a datagram.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Its destination, on the socket's port.
    pub(super) destination: Option<SocketAddr>,
    pub(super) fields: HeaderFields,
    /// The length of its datagrams, if it is a run.
    pub(super) segment: Option<usize>,
}

impl Told {
    pub(super) fn by(messages: Messages<'_>, port: u16) -> Self {
        let mut told = Self::default();
        for (level, kind, value) in messages {
            match (level, kind) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => told.destination = pktinfo::v4(value, port),
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => told.destination = pktinfo::v6(value, port),
                (libc::IPPROTO_IP, libc::IP_TTL) | (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                    told.fields.hop_limit = number(value);
                }
                (libc::IPPROTO_IP, libc::IP_TOS) | (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                    told.fields.traffic_class = number(value);
                }
                (libc::SOL_UDP, libc::UDP_GRO) => told.segment = length(value),
                _ => {}
            }
        }
        told
    }
}

/// Reads a number below 256, which the kernel passes as one byte or as an int.
fn number(value: &[u8]) -> Option<u8> {
    match value {
        [byte] => Some(*byte),
        _ => u8::try_from(libc::c_int::from_ne_bytes(value.try_into().ok()?)).ok(),
    }
}

/// Reads a length, which the kernel passes as an int.
fn length(value: &[u8]) -> Option<usize> {
    usize::try_from(libc::c_int::from_ne_bytes(value.try_into().ok()?)).ok()
}

/// `in_pktinfo` and `in6_pktinfo`: which local address a datagram came to or leaves from.
mod pktinfo {
    use std::{
        mem::offset_of,
        net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
        ops::Range,
    };

    pub(super) const V4_SOURCE: Range<usize> = {
        let at = offset_of!(libc::in_pktinfo, ipi_spec_dst);
        at..at + 4
    };
    pub(super) const V6_ADDRESS: Range<usize> = {
        let at = offset_of!(libc::in6_pktinfo, ipi6_addr);
        at..at + 16
    };
    pub(super) const V6_INTERFACE: Range<usize> = {
        let at = offset_of!(libc::in6_pktinfo, ipi6_ifindex);
        at..at + 4
    };

    pub(super) fn v4(value: &[u8], port: u16) -> Option<SocketAddr> {
        let octets: [u8; 4] = value.get(V4_SOURCE)?.try_into().ok()?;
        Some(SocketAddrV4::new(Ipv4Addr::from(octets), port).into())
    }

    pub(super) fn v6(value: &[u8], port: u16) -> Option<SocketAddr> {
        let octets: [u8; 16] = value.get(V6_ADDRESS)?.try_into().ok()?;
        let interface = value.get(V6_INTERFACE)?.try_into().ok()?;
        let ip = Ipv6Addr::from(octets);
        let scope = if ip.is_unicast_link_local() {
            u32::from_ne_bytes(interface)
        } else {
            0
        };
        // A reply cannot leave from a multicast address.
        (!ip.is_multicast()).then(|| SocketAddrV6::new(ip, port, 0, scope).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(hop_limit: u8, traffic_class: u8) -> HeaderFields {
        HeaderFields {
            hop_limit: Some(hop_limit),
            traffic_class: Some(traffic_class),
            dont_fragment: false,
        }
    }

    #[test]
    fn what_is_written_is_what_we_read() {
        for address in ["192.0.2.1:9", "[2001:db8::1]:9", "[fe80::1%7]:9"] {
            let mut control = Control::EMPTY;
            let address: SocketAddr = address.parse().unwrap();
            let mut writer = control.writer();
            writer.source(address);
            writer.fields(fields(255, 0xb9), address);
            let len = writer.len();
            let told = Told {
                destination: Some(address),
                fields: fields(255, 0xb9),
                segment: None,
            };
            assert_eq!(Told::by(control.messages(len), 9), told);
        }
    }

    #[test]
    fn what_a_datagram_has_anyway_is_not_written() {
        let mut control = Control::EMPTY;
        let mut writer = control.writer();
        let nothing = HeaderFields {
            traffic_class: Some(0),
            ..HeaderFields::default()
        };
        writer.fields(nothing, "192.0.2.1:9".parse().unwrap());
        assert_eq!(writer.len(), 0);
    }

    #[test]
    fn what_is_written_is_what_the_system_reads() {
        let mut control = Control::EMPTY;
        let mut writer = control.writer();
        writer.source("192.0.2.1:9".parse().unwrap());
        writer.source("[fe80::1%7]:9".parse().unwrap());
        let len = writer.len();
        // SAFETY: zero is valid for a msghdr; it then names our buffer and its true length.
        let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
        header.msg_control = ptr::from_mut(&mut control).cast();
        header.msg_controllen = len as _;
        // SAFETY: the header describes a live buffer.
        let first = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
        // SAFETY: as before; `first` was found in it.
        let second = unsafe { libc::CMSG_NXTHDR(&raw const header, first) };
        // SAFETY: both are null or lie in the buffer.
        let kinds = unsafe { [(*first).cmsg_type, (*second).cmsg_type] };
        assert_eq!(kinds, [libc::IP_PKTINFO, libc::IPV6_PKTINFO]);
    }

    #[test]
    fn lengths_that_lie_end_the_walk() {
        for len in [0_usize, 3, HEADER - 1, ROOM + 1, usize::MAX] {
            let mut control = Control([0xff; ROOM]);
            let mut writer = control.writer();
            writer.push(1, 2, &[3; 4]);
            control.0[..size_of::<usize>()].copy_from_slice(&len.to_ne_bytes());
            assert_eq!(control.messages(ROOM).count(), 0, "{len}");
        }
    }
}
