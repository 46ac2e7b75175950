//! Socket addresses in the kernel's form.

use std::{
    mem::{offset_of, size_of},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
};

use crate::socket::plain;

/// A socket address as the kernel knows it. The family is the first field of either.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) union Name {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

const _: () = assert!(
    offset_of!(libc::sockaddr_in, sin_family) == 0 && offset_of!(libc::sockaddr_in6, sin6_family) == 0
);

impl Name {
    /// Of no family.
    pub(super) const UNKNOWN: Self = Self {
        // SAFETY: the structure is integers, for which zero is valid.
        v6: unsafe { std::mem::zeroed() },
    };

    pub(super) fn read(&self) -> Option<SocketAddr> {
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

    pub(super) fn write(&mut self, address: SocketAddr) -> libc::socklen_t {
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

pub(super) fn in_addr(ip: Ipv4Addr) -> libc::in_addr {
    libc::in_addr {
        s_addr: u32::from_ne_bytes(ip.octets()),
    }
}
