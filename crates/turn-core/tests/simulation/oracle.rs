//! Says from requests and answers alone what RFC 8656 lets through, in both directions.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use stun_wire::{AttributeType, ChannelData, Class, Kind, Message, Method, classify};

use crate::plan::{LISTEN_PORT, Plan, is_own};

/// The two ends of a client's way to the server; both in the form the internet sees.
pub(crate) type Path = (SocketAddr, SocketAddr);

/// Where a datagram must go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is a request; whether and what the server answers is its own affair.
    Request,
    /// From this relay to this peer.
    ToPeer {
        relay: SocketAddr,
        peer: SocketAddr,
        payload: Vec<u8>,
    },
    /// From this relay to this one, which is the server's own if it is anybody's.
    ToOwnRelay {
        relay: SocketAddr,
        peer: SocketAddr,
        payload: Vec<u8>,
    },
    /// To this client, as coming from this peer.
    ToClient {
        path: Path,
        peer: SocketAddr,
        payload: Vec<u8>,
    },
    Nowhere,
}

#[derive(Debug)]
pub(crate) struct Oracle {
    plan: Plan,
    allocations: BTreeMap<Path, Allocation>,
    /// Transactions that freed an allocation. A copy of one may be answered without freeing the next.
    freed_by: BTreeSet<(Path, [u8; 12])>,
}

#[derive(Debug)]
struct Allocation {
    relayed: Vec<SocketAddr>,
    /// What the client may redeem at another address, and what it has redeemed last.
    ticket: Option<Vec<u8>>,
    redeemed: Option<Redeemed>,
    /// Where the client redeemed its ticket, and has sent nothing from since.
    next: Option<Path>,
    expires_at: Instant,
    permissions: BTreeMap<IpAddr, Instant>,
    channels: BTreeMap<u16, (SocketAddr, Instant)>,
}

/// A Refresh that redeemed a ticket: copies of it may be answered again.
#[derive(Debug, PartialEq, Eq)]
struct Redeemed {
    ticket: Vec<u8>,
    path: Path,
    transaction: [u8; 12],
}

impl Oracle {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            plan: plan.clone(),
            allocations: BTreeMap::new(),
            freed_by: BTreeSet::new(),
        }
    }

    /// Notes what a successful answer granted.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        asked_at: Instant,
        path: Path,
        request: &Message<'_>,
        answer: &Message<'_>,
    ) {
        assert_eq!(
            answer.transaction_id(),
            request.transaction_id(),
            "an answer to another request"
        );
        assert_eq!(answer.method(), request.method(), "an answer to another method");
        if answer.class() != Class::Success {
            return assert_eq!(answer.class(), Class::Error);
        }
        match request.method() {
            Method::ALLOCATE => self.allocated(now, asked_at, path, answer),
            Method::REFRESH => match request.attribute(AttributeType::MOBILITY_TICKET) {
                Some(ticket) => self.resumed(now, path, ticket, answer),
                None => self.refreshed(now, path, answer),
            },
            Method::CREATE_PERMISSION => {
                for peer in request.xor_addresses(AttributeType::XOR_PEER_ADDRESS) {
                    self.permit(now, path, peer.unwrap().ip());
                }
            }
            Method::CHANNEL_BIND => {
                let number = request.channel_number().unwrap().unwrap();
                let peer = request
                    .xor_address(AttributeType::XOR_PEER_ADDRESS)
                    .unwrap()
                    .unwrap();
                assert!(
                    (0x4000..=0x4FFF).contains(&number),
                    "channel {number:#x} was bound"
                );
                self.permit(now, path, peer.ip());
                self.bind(now, path, number, peer);
            }
            Method::BINDING => {
                let mapped = answer.xor_address(AttributeType::XOR_MAPPED_ADDRESS);
                assert_eq!(mapped, Some(Ok(path.0)), "Binding tells the source address");
            }
            method => panic!("success for {method:?}"),
        }
    }

    /// Notes what the server says it freed.
    pub(crate) fn freed(&mut self, path: Path) {
        self.allocations.remove(&path);
    }

    /// Notes that the server sends to the client at its new address from now on (RFC 8016 §3.2.2).
    pub(crate) fn moved(&mut self, from: Path, to: Path) {
        let mut allocation = self.allocations.remove(&from).expect("somebody who moves");
        assert_eq!(allocation.next.take(), Some(to), "a move that was not announced");
        self.allocations.insert(to, allocation);
    }

    /// Whether data for the client of a live allocation go there.
    pub(crate) fn is_home(&self, path: Path) -> bool {
        self.allocations.contains_key(&path)
    }

    /// Says what must become of a datagram from a client's address.
    pub(crate) fn fate_from_client(&self, now: Instant, path: Path, datagram: &[u8]) -> Fate {
        let Some(allocation) = self.live(now, path) else {
            return self.request_or(datagram);
        };
        let Some((peer, payload)) = allocation.outbound(now, datagram) else {
            return self.request_or(datagram);
        };
        let Some(relay) = allocation.relay_towards(peer.ip()) else {
            return Fate::Nowhere;
        };
        let (payload, own) = (payload.to_vec(), is_own(peer.ip()));
        if own && self.plan.is_relay_port(peer.port()) {
            return Fate::ToOwnRelay { relay, peer, payload };
        }
        if own && (!self.plan.own_open || peer.port() == LISTEN_PORT) {
            return Fate::Nowhere;
        }
        Fate::ToPeer { relay, peer, payload }
    }

    /// Says what must become of a datagram that reached a relayed address.
    pub(crate) fn fate_from_peer(
        &self,
        now: Instant,
        relay: SocketAddr,
        peer: SocketAddr,
        payload: &[u8],
    ) -> Fate {
        let owner = self
            .allocations
            .iter()
            .find(|(_, allocation)| allocation.expires_at > now && allocation.relayed.contains(&relay));
        match owner {
            Some((&path, allocation)) if allocation.permits(now, peer.ip()) => Fate::ToClient {
                path,
                peer,
                payload: payload.to_vec(),
            },
            _ => Fate::Nowhere,
        }
    }

    /// The channel by which a peer's datagram must reach this client, if one is bound.
    pub(crate) fn channel(&self, now: Instant, path: Path, peer: SocketAddr) -> Option<u16> {
        let channels = &self.live(now, path)?.channels;
        channels
            .iter()
            .find(|(_, (bound, until))| *bound == peer && *until > now)
            .map(|(number, _)| *number)
    }

    /// Whether a relay socket belongs to a live allocation.
    pub(crate) fn is_live_relay(&self, now: Instant, relay: SocketAddr) -> bool {
        self.allocations
            .values()
            .any(|a| a.expires_at > now && a.relayed.contains(&relay))
    }

    /// The allocation that a path leads to: of the client that is there, or has said that it will be.
    fn live(&self, now: Instant, path: Path) -> Option<&Allocation> {
        let here = self.allocations.get(&path).filter(|one| one.expires_at > now);
        here.or_else(|| {
            let mut all = self.allocations.values();
            all.find(|one| one.expires_at > now && one.next == Some(path))
        })
    }

    fn request_or(&self, datagram: &[u8]) -> Fate {
        let request = Message::parse(datagram).is_ok_and(|message| message.class() == Class::Request);
        if request { Fate::Request } else { Fate::Nowhere }
    }

    fn allocated(&mut self, now: Instant, asked_at: Instant, path: Path, answer: &Message<'_>) {
        let relayed: Vec<_> = answer
            .xor_addresses(AttributeType::XOR_RELAYED_ADDRESS)
            .map(Result::unwrap)
            .collect();
        assert!(!relayed.is_empty(), "an allocation without relay");
        if self
            .live(now, path)
            .is_some_and(|allocation| allocation.relayed == relayed)
        {
            return;
        }
        assert!(
            self.live(now, path).is_none(),
            "a second allocation on the same five-tuple"
        );
        for relay in &relayed {
            assert!(!self.is_live_relay(now, *relay), "{relay} was given away twice");
        }
        // The time the machine takes to open a socket is part of the lifetime.
        let expires_at = asked_at + granted(answer);
        let ticket = answer
            .attribute(AttributeType::MOBILITY_TICKET)
            .map(<[u8]>::to_vec);
        let allocation = Allocation {
            relayed,
            ticket,
            redeemed: None,
            next: None,
            expires_at,
            permissions: BTreeMap::new(),
            channels: BTreeMap::new(),
        };
        self.allocations.insert(path, allocation);
    }

    fn refreshed(&mut self, now: Instant, path: Path, answer: &Message<'_>) {
        let lifetime = granted(answer);
        if lifetime.is_zero() {
            if self.freed_by.insert((path, answer.transaction_id().0)) {
                self.allocations.remove(&path);
            }
        } else {
            self.expect_live(now, path).expires_at = now + lifetime;
        }
    }

    /// A ticket serves once, wherever its client comes from; a copy of the request that redeemed it gets the same.
    fn resumed(&mut self, now: Instant, path: Path, ticket: &[u8], answer: &Message<'_>) {
        let given = answer
            .attribute(AttributeType::MOBILITY_TICKET)
            .expect("another ticket");
        let redeemed = Redeemed {
            ticket: ticket.to_vec(),
            path,
            transaction: answer.transaction_id().0,
        };
        let is_of = |one: &Allocation| {
            let is_copy = one.redeemed.as_ref() == Some(&redeemed);
            one.expires_at > now && (one.ticket.as_deref() == Some(ticket) || is_copy)
        };
        let mut all = self.allocations.iter_mut();
        let (&home, allocation) = all.find(|(_, one)| is_of(one)).expect("a ticket of nobody");
        if allocation.redeemed.as_ref() == Some(&redeemed) {
            return assert_eq!(
                allocation.ticket.as_deref(),
                Some(given),
                "a copy gets the same ticket"
            );
        }
        assert_ne!(
            allocation.next.unwrap_or(home),
            path,
            "a ticket of one who has not moved"
        );
        assert_ne!(given, ticket, "a ticket that serves twice");
        allocation.next = Some(path).filter(|next| *next != home);
        allocation.ticket = Some(given.to_vec());
        allocation.redeemed = Some(redeemed);
        allocation.expires_at = now + granted(answer);
    }

    fn permit(&mut self, now: Instant, path: Path, peer: IpAddr) {
        assert!(is_own(peer) || !is_private(peer), "a permission for {peer}");
        let expires_at = now + self.plan.lifetimes.0;
        self.expect_live(now, path).permissions.insert(peer, expires_at);
    }

    fn bind(&mut self, now: Instant, path: Path, number: u16, peer: SocketAddr) {
        let expires_at = now + self.plan.lifetimes.1;
        let channels = &mut self.expect_live(now, path).channels;
        for (other, (bound, until)) in &*channels {
            let same = (*other == number) == (*bound == peer);
            assert!(
                same || *until <= now,
                "channel {number:#x} to {peer}, but {other:#x} to {bound}"
            );
        }
        channels.insert(number, (peer, expires_at));
    }

    fn expect_live(&mut self, now: Instant, path: Path) -> &mut Allocation {
        let allocation = self.allocations.get_mut(&path).filter(|one| one.expires_at > now);
        allocation.unwrap_or_else(|| panic!("success without an allocation for {path:?}"))
    }
}

impl Allocation {
    /// Reads data a client sends and finds whom it is for.
    fn outbound<'d>(&self, now: Instant, datagram: &'d [u8]) -> Option<(SocketAddr, &'d [u8])> {
        if classify(*datagram.first()?) == Kind::ChannelData {
            let data = ChannelData::parse(datagram).ok()?;
            let (peer, until) = *self.channels.get(&data.channel)?;
            // RFC 8656 §12.6 asks for no permission beside the channel.
            return (until > now).then_some((peer, data.payload));
        }
        let message = Message::parse(datagram).ok()?;
        if (message.class(), message.method()) != (Class::Indication, Method::SEND) {
            return None;
        }
        let known = [
            AttributeType::XOR_PEER_ADDRESS,
            AttributeType::DATA,
            AttributeType::DONT_FRAGMENT,
        ];
        if message.verify_fingerprint() == Some(false) || message.unknown_required(&known).next().is_some() {
            return None;
        }
        let peer = message.xor_address(AttributeType::XOR_PEER_ADDRESS)?.ok()?;
        let data = message.attribute(AttributeType::DATA)?;
        self.permits(now, peer.ip()).then_some((peer, data))
    }

    fn permits(&self, now: Instant, peer: IpAddr) -> bool {
        self.permissions.get(&peer).is_some_and(|until| *until > now)
    }

    fn relay_towards(&self, peer: IpAddr) -> Option<SocketAddr> {
        self.relayed
            .iter()
            .copied()
            .find(|relay| relay.is_ipv4() == peer.is_ipv4())
    }
}

fn granted(answer: &Message<'_>) -> Duration {
    Duration::from_secs(answer.lifetime().unwrap().unwrap().into())
}

/// The forbidden networks that the clients of this simulation ask for.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified(),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(mapped) => is_private(mapped.into()),
            None => {
                ip.is_loopback() || ip.is_unspecified() || ip.is_unicast_link_local() || ip.is_unique_local()
            }
        },
    }
}
