use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::AttributeError;

/// The family number of addresses in STUN (RFC 8489 §14.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum AddressFamily {
    /// 0x01.
    V4 = 1,
    /// 0x02.
    V6 = 2,
}

impl AddressFamily {
    /// Reads the family number; `None` for any other than 1 and 2.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::V4),
            2 => Some(Self::V6),
            _ => None,
        }
    }

    /// Returns the family number.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Tells the family of an address.
    pub const fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// The longest address value: two bytes of family, two of port, sixteen of IPv6 address.
pub(crate) const MAX_VALUE_LEN: usize = 20;

/// What an address is XORed with: the magic cookie and the transaction identifier, bytes 4..20 of the header
/// (RFC 8489 §14.2); all zeros leave it as it is.
pub(crate) type Mask = [u8; 16];

pub(crate) const NO_MASK: Mask = [0; 16];

/// Reads `00 family port address`.
pub(crate) fn decode(value: &[u8], mask: &Mask) -> Result<SocketAddr, AttributeError> {
    let Some((&[_, family, p0, p1], address)) = value.split_first_chunk::<4>() else {
        return Err(AttributeError::Length);
    };
    let port = u16::from_be_bytes([p0 ^ mask[0], p1 ^ mask[1]]);
    let ip = match AddressFamily::from_number(family).ok_or(AttributeError::Family)? {
        AddressFamily::V4 => {
            let octets: [u8; 4] = address.try_into().map_err(|_| AttributeError::Length)?;
            let mask = u32::from_be_bytes([mask[0], mask[1], mask[2], mask[3]]);
            IpAddr::V4(Ipv4Addr::from_bits(u32::from_be_bytes(octets) ^ mask))
        }
        AddressFamily::V6 => {
            let octets: [u8; 16] = address.try_into().map_err(|_| AttributeError::Length)?;
            let bits = u128::from_be_bytes(octets) ^ u128::from_be_bytes(*mask);
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
    };
    Ok(SocketAddr::new(ip, port))
}

/// Writes `00 family port address` and returns its length, 8 or 20.
pub(crate) fn encode(out: &mut [u8; MAX_VALUE_LEN], address: SocketAddr, mask: &Mask) -> usize {
    let [p0, p1] = address.port().to_be_bytes();
    let head = [
        0,
        AddressFamily::of(address.ip()).number(),
        p0 ^ mask[0],
        p1 ^ mask[1],
    ];
    out[..4].copy_from_slice(&head);
    match address.ip() {
        IpAddr::V4(ip) => {
            let mask = u32::from_be_bytes([mask[0], mask[1], mask[2], mask[3]]);
            out[4..8].copy_from_slice(&(ip.to_bits() ^ mask).to_be_bytes());
            8
        }
        IpAddr::V6(ip) => {
            let bits = ip.to_bits() ^ u128::from_be_bytes(*mask);
            out[4..].copy_from_slice(&bits.to_be_bytes());
            MAX_VALUE_LEN
        }
    }
}

/// The mask of a message: what its header holds in bytes 4..20.
pub(crate) fn mask(header: &[u8]) -> Mask {
    let mut mask = NO_MASK;
    mask.copy_from_slice(&header[4..20]);
    mask
}
