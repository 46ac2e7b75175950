//! Allocate (RFC 8656 §7.2): checks first, then a socket is opened, then the client is told.

use std::time::Duration;

use arrayvec::ArrayVec;
use stun_wire::{AddressFamily, AttributeError, AttributeType, Message};

use crate::{
    addresses::NoAddress,
    allocation::{Allocation, Opening, Phase, Relay, RelayState},
    answer::{Asked, Done, Refusal, Success},
    auth::Identity,
    channel::Channels,
    output::Output,
    permission::Permissions,
    ports::Want,
    quota::LedgerFull,
    server::Server,
    slots::Key,
    types::{Family, FiveTuple, Now, RelayId, RelayTransport, RelayedAddress, ReservationToken},
};

/// The number of UDP in REQUESTED-TRANSPORT.
const UDP: u8 = 17;

/// The number of TCP in REQUESTED-TRANSPORT.
pub(crate) const TCP: u8 = 6;

/// Holds what a client asked for, each combination one that RFC 8656 permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wish {
    transport: RelayTransport,
    relays: Relays,
    lifetime: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relays {
    One(Family, Want),
    Both(Want),
    Reserved(ReservationToken),
}

/// Holds the addresses for the relays to come.
struct Sites {
    addresses: ArrayVec<RelayedAddress, 2>,
    /// Of two families wished, the one that has none, and its error code.
    failed: Option<(Family, u16)>,
    /// Set when the port was reserved before.
    claimed: Option<ReservationToken>,
}

impl Server {
    /// Answers Allocate, now or when its sockets are open.
    pub(crate) fn allocate(
        &mut self,
        now: Now,
        from: FiveTuple,
        identity: &Identity<'_>,
        message: &Message<'_>,
    ) -> Result<Done, Refusal> {
        if let Some(key) = identity.allocation {
            return self.allocate_again(key, message);
        }
        let mobile = self.wants_to_move(message)?;
        let wish = read_wish(message)?;
        if wish.transport == RelayTransport::Tcp {
            // The peers' data have connections of their own, which cannot move.
            if mobile {
                return Err(Refusal::MobilityForbidden);
            }
            self.admit_tcp(from, message)?;
        }
        // The port of a reservation is here and nowhere else.
        let can_go = !matches!(wish.relays, Relays::Reserved(_));
        if can_go {
            self.redirect_first(from)?;
        }
        self.allocate_here(now, from, identity, message, wish, mobile)
            .map_err(|refusal| {
                if can_go && refusal == Refusal::InsufficientCapacity {
                    self.full(from)
                } else {
                    refusal
                }
            })
    }

    fn allocate_here(
        &mut self,
        now: Now,
        from: FiveTuple,
        identity: &Identity<'_>,
        message: &Message<'_>,
        wish: Wish,
        mobile: bool,
    ) -> Result<Done, Refusal> {
        if self.table.len() >= self.config.limits.allocations as usize {
            return Err(Refusal::InsufficientCapacity);
        }
        self.ledger
            .reserve(identity.account())
            .map_err(|full| match full {
                LedgerFull::User => Refusal::QuotaReached,
                LedgerFull::Total => Refusal::InsufficientCapacity,
            })?;
        match self.find_addresses(now, from, identity.account().owner(), wish.relays) {
            Ok(sites) => {
                let key = self.open_relays(now, from, identity, message, wish, sites);
                if mobile {
                    self.make_mobile(key);
                }
                Ok(Done::Later)
            }
            Err(refusal) => {
                self.ledger.release(identity.account());
                Err(refusal)
            }
        }
    }

    /// A retransmit gets the answer of the first; any other Allocate on the same five-tuple is a mismatch.
    fn allocate_again(&self, key: Key, message: &Message<'_>) -> Result<Done, Refusal> {
        let allocation = self.table.allocation(key).ok_or(Refusal::AllocationMismatch)?;
        if allocation.transaction != message.transaction_id() {
            return Err(Refusal::AllocationMismatch);
        }
        Ok(match &allocation.phase {
            Phase::Opening(_) => Done::Later,
            Phase::Ready(allocated) => Done::Now(Success::Allocated(allocated.clone())),
        })
    }

    /// Finds an address for each relay wished. Of two families, one may fail.
    fn find_addresses(
        &mut self,
        now: Now,
        from: FiveTuple,
        owner: &str,
        relays: Relays,
    ) -> Result<Sites, Refusal> {
        let (families, want): (&[Family], _) = match relays {
            Relays::Reserved(token) => return self.claim_address(now, owner, token),
            Relays::One(Family::V4, want) => (&[Family::V4], want),
            Relays::One(Family::V6, want) => (&[Family::V6], want),
            Relays::Both(want) => (&Family::ALL, want),
        };
        let mut addresses = ArrayVec::new();
        let mut failed: Option<(Family, Refusal)> = None;
        for &family in families {
            match self.addresses.take(family, from.server.ip(), want, &mut self.rng) {
                Ok(address) => addresses.push(address),
                // Where both fail, the client learns why the family it asked for first did.
                Err(why) => failed = failed.or(Some((family, Refusal::from(why)))),
            }
        }
        match failed {
            Some((_, refusal)) if addresses.is_empty() => Err(refusal),
            failed => {
                let failed = failed.map(|(family, refusal)| (family, refusal.code().0));
                Ok(Sites {
                    addresses,
                    failed,
                    claimed: None,
                })
            }
        }
    }

    fn claim_address(&mut self, now: Now, owner: &str, token: ReservationToken) -> Result<Sites, Refusal> {
        let worker = self.config.share.index();
        let parked = self.ledger.claim(now.instant, token, owner, worker);
        let address = parked.ok_or(Refusal::InsufficientCapacity)?.address;
        self.addresses.borrow(address.local.ip());
        Ok(Sites {
            addresses: [address].into_iter().collect(),
            failed: None,
            claimed: Some(token),
        })
    }

    /// Notes the allocation and asks for its sockets.
    fn open_relays(
        &mut self,
        now: Now,
        from: FiveTuple,
        identity: &Identity<'_>,
        message: &Message<'_>,
        wish: Wish,
        sites: Sites,
    ) -> Key {
        let lifetime = self.config.lifetimes.grant(wish.lifetime);
        let lifetime = identity.proof.cut(now.unix, lifetime);
        let want = match wish.relays {
            Relays::One(_, want) | Relays::Both(want) => want,
            Relays::Reserved(_) => Want::Any,
        };
        let outstanding = sites.addresses.len() as u8;
        let opening = Opening {
            asked: Asked::by(message),
            lifetime,
            outstanding,
            want,
            failed: sites.failed,
        };
        let key = self.table.insert(Allocation {
            five_tuple: from,
            username: identity.username.as_ref().into(),
            holder: identity.holder(),
            credential_expires: identity.expires_unix,
            key: identity.key.clone(),
            proof: identity.proof.clone(),
            vouched: self.vouched,
            transport: wish.transport,
            relays: [None; 2],
            permissions: Permissions::default(),
            channels: Channels::default(),
            created_at: now.instant,
            transaction: message.transaction_id(),
            phase: Phase::Opening(Box::new(opening)),
            mobile: None,
        });
        for address in sites.addresses {
            let relay = self.table.insert_relay(Relay {
                allocation: key,
                address,
                state: RelayState::Opening { tries: 1 },
                expires_at: now.instant + Duration::from_secs(lifetime.into()),
                wakes_at: None,
                claimed: sites.claimed,
            });
            self.ask_to_open(relay, address, wish.transport);
        }
        key
    }

    pub(crate) fn ask_to_open(&mut self, relay: RelayId, address: RelayedAddress, transport: RelayTransport) {
        self.outputs.push_back(Output::OpenRelay {
            relay,
            address: address.local,
            transport,
        });
    }
}

/// Reads the attributes of Allocate in the order RFC 8656 §7.2 checks them.
fn read_wish(message: &Message<'_>) -> Result<Wish, Refusal> {
    let transport = match message.requested_transport() {
        Some(Ok(UDP)) => RelayTransport::Udp,
        Some(Ok(TCP)) => RelayTransport::Tcp,
        Some(Ok(_)) => return Err(Refusal::UnsupportedTransport),
        Some(Err(_)) | None => return Err(Refusal::BadRequest),
    };
    let malformed = |_: AttributeError| Refusal::BadRequest;
    let token = message.reservation_token().transpose().map_err(malformed)?;
    let even_port = message.even_port().transpose().map_err(malformed)?;
    let lifetime = message.lifetime().transpose().map_err(malformed)?;
    let additional = message.additional_address_family();
    let requests_family = message
        .attribute(AttributeType::REQUESTED_ADDRESS_FAMILY)
        .is_some();

    if let Some(token) = token {
        if even_port.is_some() || requests_family || additional.is_some() {
            return Err(Refusal::BadRequest);
        }
        return Ok(Wish {
            transport,
            relays: Relays::Reserved(ReservationToken(token)),
            lifetime,
        });
    }
    let want = match even_port {
        None => Want::Any,
        Some(false) => Want::Even,
        Some(true) => Want::Pair,
    };
    let relays = match additional {
        None => Relays::One(requested_family(message)?, want),
        // Only IPv6 can be additional, IPv4 being what is given anyway.
        Some(Ok(AddressFamily::V6)) if !requests_family && want != Want::Pair => Relays::Both(want),
        Some(_) => return Err(Refusal::BadRequest),
    };
    Ok(Wish {
        transport,
        relays,
        lifetime,
    })
}

fn requested_family(message: &Message<'_>) -> Result<Family, Refusal> {
    match message.requested_address_family() {
        None => Ok(Family::V4),
        Some(Ok(family)) => Ok(family.into()),
        Some(Err(AttributeError::Family)) => Err(Refusal::FamilyNotSupported),
        Some(Err(AttributeError::Length | AttributeError::Text | AttributeError::Value)) => {
            Err(Refusal::BadRequest)
        }
    }
}

impl From<NoAddress> for Refusal {
    fn from(why: NoAddress) -> Self {
        match why {
            NoAddress::Family => Self::FamilyNotSupported,
            NoAddress::Port => Self::InsufficientCapacity,
        }
    }
}
