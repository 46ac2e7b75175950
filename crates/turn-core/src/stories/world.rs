//! A server, and a shell that opens whatever socket it is asked for.

use std::{
    collections::{BTreeMap, VecDeque},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use stun_wire::{AttributeType, Class, Icmp, Message};
use turn_credentials::Secret;

use super::client::{Client, REALM};
use crate::{
    Config, DropReason, Errand, FiveTuple, HEADROOM, HeaderFields, Now, OpenError, Output, Packet,
    PeerConnectionId, PortRange, Quota, Realm, RelayId, Server, Verdict, Via, testing::start,
};

/// When every story begins, in seconds since 1970.
pub(super) const BEGIN: u64 = 1_700_000_000;

pub(super) struct World {
    pub(super) server: Server,
    pub(super) now: Now,
    /// Sockets the shell holds open.
    pub(super) sockets: BTreeMap<RelayId, SocketAddr>,
    /// What the next attempts to open a socket come to; success when empty.
    pub(super) open_results: VecDeque<Result<(), OpenError>>,
    /// Whether the shell leaves OpenRelay unanswered.
    pub(super) slow: bool,
    /// Every OpenRelay that was not answered yet.
    pub(super) unanswered: Vec<RelayId>,
    /// Every output since the last look, in order.
    pub(super) outputs: Vec<Output>,
    /// The IP header of what comes next.
    pub(super) received: HeaderFields,
    /// The IP header of what left last.
    pub(super) sent: HeaderFields,
    /// What other workers are to be told.
    pub(super) told: Vec<(u16, Errand)>,
}

/// What a datagram led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// The client who is told, and what.
    Client(FiveTuple, Vec<u8>),
    /// A relay socket sent this to a peer.
    Peer {
        from: SocketAddr,
        to: SocketAddr,
        payload: Vec<u8>,
    },
    /// Another worker was handed this.
    Worker {
        worker: u16,
        errand: Errand,
        payload: Vec<u8>,
    },
    /// The client is told this, and its connection carries the peer's bytes from now on.
    Bound(FiveTuple, PeerConnectionId, Vec<u8>),
    /// The connection goes to another worker.
    HandedOver(u16),
    Dropped(DropReason),
    Pending,
    /// It was a word from another worker.
    Done,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(|_| ())
    }

    /// A server at 192.0.2.1 with the user alice, the secret "north", and twenty relay ports.
    pub(super) fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::with_ledger(Quota::default(), change)
    }

    pub(super) fn with_ledger(
        ledger: impl crate::Ledger + Send + 'static,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let realm = Realm::new(REALM).unwrap();
        let mut config = Config::new(realm.clone(), [1; 32]);
        config
            .credentials
            .add_user(&realm, "alice", "wonderland")
            .unwrap();
        config.credentials.add_user(&realm, "bob", "builder").unwrap();
        config.credentials.add_secret(Secret::new("north"));
        config.ports = PortRange::new(50_000, 50_019).unwrap();
        config.listeners = vec![socket("192.0.2.1:3478")];
        change(&mut config);
        Self {
            server: Server::new(config, Box::new(ledger), [7; 32]),
            now: Now {
                instant: start(),
                unix: Duration::from_secs(BEGIN),
            },
            sockets: BTreeMap::new(),
            open_results: VecDeque::new(),
            slow: false,
            unanswered: Vec::new(),
            outputs: Vec::new(),
            received: HeaderFields::default(),
            sent: HeaderFields::default(),
            told: Vec::new(),
        }
    }

    /// Lets time pass, timers included.
    pub(super) fn pass(&mut self, seconds: u64) {
        self.pass_millis(1000 * seconds);
    }

    pub(super) fn pass_millis(&mut self, millis: u64) {
        let later = self.now.instant + Duration::from_millis(millis);
        let unix_later = self.now.unix + Duration::from_millis(millis);
        while let Some(at) = self.server.poll_timeout().filter(|&at| at <= later) {
            self.now.unix += at.saturating_duration_since(self.now.instant);
            self.now.instant = self.now.instant.max(at);
            self.server.handle_timeout(self.now);
            self.perform_outputs();
        }
        self.now = Now {
            instant: later,
            unix: unix_later,
        };
    }

    /// Lets time pass while the shell is too busy to call `handle_timeout`.
    pub(super) fn pass_without_timers(&mut self, seconds: u64) {
        self.now.instant += Duration::from_secs(seconds);
        self.now.unix += Duration::from_secs(seconds);
    }

    /// Sends a datagram from a client and tells what it led to.
    pub(super) fn hear(&mut self, from: FiveTuple, datagram: &[u8]) -> Heard {
        let (mut buffer, len) = buffer_with(datagram);
        let mut packet = Packet::new(&mut buffer, HEADROOM, len).with_fields(self.received);
        let verdict = self.server.handle_client(self.now, from, &mut packet);
        self.settle(verdict, &packet)
    }

    /// Sends a datagram from a peer to a relayed transport address.
    pub(super) fn hear_peer(&mut self, relayed: SocketAddr, from: SocketAddr, datagram: &[u8]) -> Heard {
        let relay = self.relay_at(relayed);
        let (mut buffer, len) = buffer_with(datagram);
        let mut packet = Packet::new(&mut buffer, HEADROOM, len).with_fields(self.received);
        let verdict = self.server.handle_peer(self.now, relay, from, &mut packet);
        self.settle(verdict, &packet)
    }

    /// Reports an ICMP error about a datagram from a relayed transport address to a peer.
    pub(super) fn hear_icmp(&mut self, relayed: SocketAddr, peer: SocketAddr, icmp: Icmp) -> Heard {
        let relay = self.relay_at(relayed);
        let (mut buffer, _) = buffer_with(&[]);
        let mut packet = Packet::new(&mut buffer, HEADROOM, 0);
        let verdict = self.server.handle_icmp(self.now, relay, peer, icmp, &mut packet);
        self.settle(verdict, &packet)
    }

    /// Names the open socket at an address.
    pub(super) fn relay_at(&self, local: SocketAddr) -> RelayId {
        let relay = self.sockets.iter().find(|(_, open)| **open == local);
        *relay.expect("no socket is open there").0
    }

    /// Hands over a datagram from a relay of another worker.
    pub(super) fn hear_worker(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8]) -> Heard {
        self.hear_errand(0, Errand::Hairpin { from, to }, datagram)
    }

    /// Hands over what another worker wants done.
    pub(super) fn hear_errand(&mut self, sender: u16, errand: Errand, datagram: &[u8]) -> Heard {
        let (mut buffer, len) = buffer_with(datagram);
        let mut packet = Packet::new(&mut buffer, HEADROOM, len).with_fields(self.received);
        let verdict = self.server.handle_errand(self.now, sender, errand, &mut packet);
        self.settle(verdict, &packet)
    }

    /// Ends a client's connection.
    pub(super) fn disconnect(&mut self, client: FiveTuple) {
        self.server.client_disconnected(self.now, client);
        self.perform_outputs();
    }

    /// Answers an OpenRelay that a slow shell left waiting.
    pub(super) fn opened(&mut self, relay: RelayId, result: Result<(), OpenError>) -> Option<Heard> {
        self.unanswered.retain(|&waiting| waiting != relay);
        self.server.relay_opened(self.now, relay, result);
        self.perform_outputs()
    }

    pub(super) fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    pub(super) fn ports_in_use(&self) -> u64 {
        self.server.counters().relay_ports_in_use
    }

    fn settle(&mut self, verdict: Verdict, packet: &Packet<'_>) -> Heard {
        let payload = packet.payload().to_vec();
        self.sent = packet.fields();
        let deferred = self.perform_outputs();
        match verdict {
            Verdict::Send {
                via: Via::Client(to),
                to: address,
            } => {
                assert_eq!(address, to.client);
                Heard::Client(to, payload)
            }
            Verdict::Send {
                via: Via::Relay(relay),
                to,
            } => Heard::Peer {
                from: self.sockets[&relay],
                to,
                payload,
            },
            Verdict::Send {
                via: Via::Worker { worker, errand },
                ..
            } => Heard::Worker {
                worker,
                errand,
                payload,
            },
            Verdict::Drop(reason) => Heard::Dropped(reason),
            Verdict::Pending => deferred.unwrap_or(Heard::Pending),
            Verdict::Bind { client, peer } => Heard::Bound(client, peer, payload),
            Verdict::HandOver { worker } => Heard::HandedOver(worker),
            Verdict::Done => Heard::Done,
        }
    }

    /// Performs what the server wants done, and tells what a client heard by it.
    pub(super) fn perform_outputs(&mut self) -> Option<Heard> {
        let mut deferred = None;
        while let Some(output) = self.server.poll_output() {
            self.outputs.push(output.clone());
            match output {
                Output::OpenRelay { relay, .. } if self.slow => self.unanswered.push(relay),
                Output::OpenRelay { relay, address, .. } => {
                    let result = self.open_results.pop_front().unwrap_or(Ok(()));
                    if result.is_ok() {
                        assert!(
                            self.sockets.values().all(|&open| open != address),
                            "{address} is bound twice"
                        );
                        self.sockets.insert(relay, address);
                    }
                    self.server.relay_opened(self.now, relay, result);
                }
                Output::CloseRelay { relay } => {
                    assert!(
                        self.sockets.remove(&relay).is_some() || self.slow,
                        "{relay:?} is not open"
                    );
                }
                Output::SendToClient { to, datagram } => deferred = Some(Heard::Client(to, datagram)),
                // Stories of TCP relays answer these themselves.
                Output::ConnectPeer { .. } | Output::ConnectRelay { .. } | Output::ClosePeer { .. } => {}
                Output::Tell { worker, errand } => self.told.push((worker, errand)),
                Output::AllocationCreated { .. }
                | Output::ClientMoved { .. }
                | Output::HoldConnection { .. }
                | Output::GuessedWrong { .. }
                | Output::AllocationEnded { .. } => {}
            }
        }
        self.server.check_invariants();
        deferred
    }
}

fn buffer_with(datagram: &[u8]) -> (Vec<u8>, usize) {
    let mut buffer = vec![0xa5; HEADROOM + datagram.len().max(2048) + 3];
    buffer[HEADROOM..HEADROOM + datagram.len()].copy_from_slice(datagram);
    (buffer, datagram.len())
}

impl Heard {
    /// The message the client was sent.
    #[track_caller]
    pub(super) fn message(&self) -> Message<'_> {
        let (Self::Client(_, bytes) | Self::Bound(_, _, bytes)) = self else {
            panic!("the client heard nothing: {self:?}")
        };
        Message::parse(bytes).unwrap()
    }

    /// The relayed transport address of a successful Allocate.
    #[track_caller]
    pub(super) fn relayed(&self) -> SocketAddr {
        assert_eq!(error_code(self), 0, "{:?}", self.message());
        self.message()
            .xor_address(AttributeType::XOR_RELAYED_ADDRESS)
            .unwrap()
            .unwrap()
    }

    #[track_caller]
    pub(super) fn lifetime(&self) -> u32 {
        assert_eq!(error_code(self), 0);
        self.message().lifetime().unwrap().unwrap()
    }

    #[track_caller]
    pub(super) fn is_signed_by(&self, client: &Client) -> bool {
        self.message().verify_integrity(&client.key).is_ok()
    }
}

/// The code of an error response, 0 of a success.
#[track_caller]
pub(super) fn error_code(heard: &Heard) -> u16 {
    let message = heard.message();
    match message.class() {
        Class::Success => 0,
        Class::Error => message.error_code().unwrap().unwrap().code,
        Class::Request | Class::Indication => panic!("no response: {message:?}"),
    }
}

pub(super) fn socket(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}
