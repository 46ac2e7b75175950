//! Mobility tickets (RFC 8016 §3.1.2): sealed names of allocations that only this server reads and nobody else makes.
//!
//! ```text
//! base64( code: 12 bytes | name, masked: worker 2, place 4, number 6 )
//! code = HMAC-SHA256(key 1, name), first 12 bytes      mask = HMAC-SHA256(key 2, code), first 12 bytes
//! ```
//!
//! No name is sealed twice, so the code serves as the mask's nonce, as in SIV modes. The text has 32 characters
//! because coturn's client keeps a ticket as a C string of at most so many.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// Length of a ticket in characters.
pub(crate) const TICKET_LEN: usize = 32;

const RAW_LEN: usize = CODE_LEN + NAME_LEN;
const CODE_LEN: usize = 12;
const NAME_LEN: usize = 12;

/// Holds a ticket as clients see it.
pub(crate) type Ticket = [u8; TICKET_LEN];

/// Says what a ticket stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TicketName {
    /// The worker that holds the allocation.
    pub(crate) worker: u16,
    /// The allocation's place in that worker's table.
    pub(crate) place: u32,
    /// Counts that worker's tickets, 48 bits of it.
    pub(crate) number: u64,
}

pub(crate) struct Tickets {
    code: Hmac<Sha256>,
    mask: Hmac<Sha256>,
    issued: u64,
}

impl Tickets {
    /// Derives its keys from one that all workers share, so that each can read the tickets of the others.
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self {
            code: keyed(&derived(key, b"mobility ticket code")),
            mask: keyed(&derived(key, b"mobility ticket mask")),
            issued: 0,
        }
    }

    /// Gives a number that no ticket of this worker had before.
    pub(crate) fn next_number(&mut self) -> u64 {
        self.issued += 1;
        self.issued
    }

    pub(crate) fn seal(&self, name: TicketName) -> Ticket {
        let mut plain = [0; NAME_LEN];
        plain[..2].copy_from_slice(&name.worker.to_be_bytes());
        plain[2..6].copy_from_slice(&name.place.to_be_bytes());
        plain[6..].copy_from_slice(&name.number.to_be_bytes()[2..]);
        let code = first(&self.code, &plain);
        let masked = xor(plain, first(&self.mask, &code));
        let mut raw = [0; RAW_LEN];
        raw[..CODE_LEN].copy_from_slice(&code);
        raw[CODE_LEN..].copy_from_slice(&masked);
        let mut ticket = [0; TICKET_LEN];
        let written = STANDARD.encode_slice(raw, &mut ticket);
        debug_assert_eq!(written, Ok(TICKET_LEN));
        ticket
    }

    /// Reads a ticket; `None` if it was not made here.
    pub(crate) fn open(&self, ticket: &[u8]) -> Option<TicketName> {
        let mut raw = [0; RAW_LEN];
        if ticket.len() != TICKET_LEN || STANDARD.decode_slice(ticket, &mut raw) != Ok(RAW_LEN) {
            return None;
        }
        let (code, masked) = raw.split_first_chunk::<CODE_LEN>()?;
        let plain = xor(first(&self.mask, code), *masked.first_chunk()?);
        if !bool::from(first(&self.code, &plain).ct_eq(code)) {
            return None;
        }
        let [w0, w1, p0, p1, p2, p3, n @ ..] = plain;
        Some(TicketName {
            worker: u16::from_be_bytes([w0, w1]),
            place: u32::from_be_bytes([p0, p1, p2, p3]),
            number: n.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)),
        })
    }
}

fn derived(key: &[u8; 32], purpose: &[u8]) -> [u8; 32] {
    let mut mac = keyed(key);
    mac.update(purpose);
    mac.finalize().into_bytes().into()
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(key) else {
        unreachable!("HMAC takes keys of any length");
    };
    mac
}

/// The first bytes of the MAC of `bytes`.
fn first(mac: &Hmac<Sha256>, bytes: &[u8]) -> [u8; 12] {
    let mut mac = mac.clone();
    mac.update(bytes);
    let code = mac.finalize().into_bytes();
    std::array::from_fn(|at| code[at])
}

fn xor(one: [u8; NAME_LEN], other: [u8; NAME_LEN]) -> [u8; NAME_LEN] {
    std::array::from_fn(|at| one[at] ^ other[at])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const NAME: TicketName = TicketName {
        worker: 0x0102,
        place: 0x0304_0506,
        number: 0x0708_090a_0b0c,
    };

    #[test]
    fn a_ticket_is_read_by_whoever_shares_the_key_and_by_nobody_else() {
        let ticket = Tickets::new(&[1; 32]).seal(NAME);
        assert_eq!(Tickets::new(&[1; 32]).open(&ticket), Some(NAME));
        assert_eq!(Tickets::new(&[2; 32]).open(&ticket), None);
    }

    #[test]
    fn a_changed_ticket_is_none() {
        let tickets = Tickets::new(&[1; 32]);
        let ticket = tickets.seal(NAME);
        for at in 0..TICKET_LEN {
            let mut changed = ticket;
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(tickets.open(&changed), None, "character {at}");
        }
        for text in [
            &b""[..],
            &ticket[1..],
            &[ticket.as_slice(), b"A"].concat(),
            &[0; 32],
            &[b'A'; 32],
        ] {
            assert_eq!(tickets.open(text), None);
        }
    }

    /// RFC 8016 §5: a ticket shows nothing of what it names; neighbours have nothing in common.
    #[test]
    fn tickets_of_neighbours_share_no_part() {
        let tickets = Tickets::new(&[1; 32]);
        let parts: BTreeSet<_> = (0..1000)
            .flat_map(|number| {
                let ticket = tickets.seal(TicketName { number, ..NAME });
                [ticket[..16].to_vec(), ticket[16..].to_vec()]
            })
            .collect();
        assert_eq!(parts.len(), 2000);
    }

    #[test]
    fn numbers_do_not_come_again() {
        let mut tickets = Tickets::new(&[1; 32]);
        assert_eq!([(); 3].map(|()| tickets.next_number()), [1, 2, 3]);
    }
}
