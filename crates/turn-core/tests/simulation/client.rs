//! A TURN client that asks at random, retransmits, and believes no answer that is not signed.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use net_sim::HostId;
use rand::RngExt;
use rand::rngs::StdRng;
use stun_wire::{AttributeType, ChannelData, Class, Kind, Message, Method, TransactionId, classify};
use turn_credentials::{Credential, Secret, mint};

use crate::peer::{payload, tag};
use crate::plan::choose;
use crate::request::{self, Ask, Key, Relay, Session, channel_data, send_indication};
use crate::tokens::Token;

pub(crate) const SECRET: &str = "the secret of the simulation";
/// What server and authorization server share.
pub(crate) const KID: &str = "key 1";
pub(crate) const TOKEN_KEY: &[u8; 32] = b"the simulated authorization keys";
pub(crate) const SERVER_NAME: &str = "sim";
/// How long the username of a client is good for.
const CREDENTIAL_LIFETIME: u64 = 6 * 3600;
/// RFC 8489 §6.2.1 recommends 500 ms, doubled each time, seven transmissions.
const FIRST_RETRANSMISSION: Duration = Duration::from_millis(500);
const TRANSMISSIONS: u32 = 7;
/// Where every client begins.
pub(crate) const FIRST_PORT: u16 = 40_000;

/// What a client can see of its world when it acts.
pub(crate) struct Surroundings<'a> {
    pub(crate) now: Instant,
    pub(crate) unix: Duration,
    pub(crate) rng: &'a mut StdRng,
    /// Whom to ask permission for: peers, other clients' relays, forbidden addresses.
    pub(crate) targets: &'a [SocketAddr],
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) host: HostId,
    pub(crate) address: SocketAddr,
    pub(crate) server: SocketAddr,
    pub(crate) relayed: Vec<SocketAddr>,
    /// Datagrams of peers that arrived.
    pub(crate) received: u64,
    /// Requests that succeeded.
    pub(crate) succeeded: u64,
    user: String,
    knows_rfc8489: bool,
    /// What it signs with if an authorization server vouches for it, and the token that says so.
    bearer: Option<(Vec<u8>, Vec<u8>)>,
    bears_tokens: bool,
    /// Whether it wants to keep its allocation when it moves, and the ticket for that (RFC 8016).
    wanders: bool,
    ticket: Option<Vec<u8>>,
    credential: Credential,
    session: Option<Session>,
    pending: Option<Pending>,
    channels: Vec<(u16, SocketAddr)>,
    token: Option<[u8; 8]>,
    act_at: Instant,
}

#[derive(Debug)]
struct Pending {
    ask: Ask,
    id: TransactionId,
    bytes: Vec<u8>,
    transmissions: u32,
    retransmit_at: Instant,
    /// How often the server wanted other credentials or another nonce.
    challenges: u32,
}

impl Client {
    pub(crate) fn new(
        host: HostId,
        (address, server): (SocketAddr, SocketAddr),
        user: &str,
        (knows_rfc8489, bears_tokens): (bool, bool),
        wanders: bool,
        now: Instant,
    ) -> Self {
        Self {
            host,
            address,
            server,
            relayed: Vec::new(),
            received: 0,
            succeeded: 0,
            user: user.to_owned(),
            knows_rfc8489,
            bearer: None,
            bears_tokens,
            wanders,
            ticket: None,
            credential: Credential {
                username: String::new(),
                password: String::new(),
            },
            session: None,
            pending: None,
            channels: Vec::new(),
            token: None,
            act_at: now,
        }
    }

    pub(crate) fn due(&self) -> Instant {
        self.pending
            .as_ref()
            .map_or(self.act_at, |pending| pending.retransmit_at)
    }

    /// Does what is due at [`Self::due`] and returns the datagrams to send to the server.
    pub(crate) fn act(&mut self, around: &mut Surroundings<'_>) -> Vec<Vec<u8>> {
        if let Some(pending) = &mut self.pending {
            if pending.transmissions < TRANSMISSIONS {
                pending.transmissions += 1;
                pending.retransmit_at =
                    around.now + FIRST_RETRANSMISSION * 2u32.pow(pending.transmissions - 1);
                return vec![pending.bytes.clone()];
            }
            self.give_up(around);
        }
        self.act_at = around.now + Duration::from_millis(around.rng.random_range(300..9000));
        if self.relayed.is_empty() {
            self.act_without_allocation(around)
        } else {
            self.act_with_allocation(around)
        }
    }

    /// Takes a datagram from the server and returns what to send in answer.
    pub(crate) fn receive(&mut self, bytes: &[u8], around: &mut Surroundings<'_>) -> Vec<Vec<u8>> {
        if classify(bytes[0]) == Kind::ChannelData {
            let data = ChannelData::parse(bytes).expect("the server writes whole ChannelData");
            let peer = self
                .channels
                .iter()
                .find(|(number, _)| *number == data.channel)
                .map(|(_, peer)| *peer);
            self.take_data(peer, data.payload);
            return Vec::new();
        }
        let message = Message::parse(bytes).expect("the server writes whole messages");
        match (message.class(), message.method()) {
            (Class::Indication, Method::DATA) => {
                let peer = message
                    .xor_address(AttributeType::XOR_PEER_ADDRESS)
                    .unwrap()
                    .unwrap();
                self.take_data(Some(peer), message.attribute(AttributeType::DATA).unwrap());
                Vec::new()
            }
            (Class::Success, _) => self.succeed(&message),
            (Class::Error, _) => self.fail(&message, around),
            (class, method) => panic!("the server sent {class:?} {method:?}"),
        }
    }

    fn take_data(&mut self, peer: Option<SocketAddr>, bytes: &[u8]) {
        self.received += 1;
        if let (Some(peer), Some(from)) = (peer, tag(bytes, "from ")) {
            assert_eq!(from, peer, "data of one peer arrived as another's");
        }
    }

    fn act_without_allocation(&mut self, around: &mut Surroundings<'_>) -> Vec<Vec<u8>> {
        if around.rng.random_bool(0.1) {
            return self.ask(Ask::Binding, around);
        }
        let relay = match around.rng.random_range(0..10) {
            0 => Relay::V6,
            1 => Relay::Both,
            2 => Relay::Even { reserve: false },
            3 | 4 => Relay::Even { reserve: true },
            5 => self.token.take().map_or(Relay::Any, Relay::Reserved),
            _ => Relay::Any,
        };
        let lifetime = *choose(around.rng, &[None, Some(1), Some(700), Some(100_000)]);
        let mobile = self.wanders;
        self.ask(
            Ask::Allocate {
                lifetime,
                relay,
                mobile,
            },
            around,
        )
    }

    fn act_with_allocation(&mut self, around: &mut Surroundings<'_>) -> Vec<Vec<u8>> {
        match around.rng.random_range(0..100) {
            0..3 => self.ask(Ask::Refresh { lifetime: 0 }, around),
            3..10 => {
                let lifetime = *choose(around.rng, &[1, 600, 1800, 100_000]);
                self.ask(Ask::Refresh { lifetime }, around)
            }
            10..30 => {
                let count = around.rng.random_range(1..=3);
                let peers = (0..count).map(|_| *choose(around.rng, around.targets)).collect();
                self.ask(Ask::Permit { peers }, around)
            }
            30..45 => {
                // Few numbers, so that they meet again; 0x5000 is outside RFC 8656's range.
                let number = *choose(around.rng, &[0x4000, 0x4001, 0x4002, 0x4FFF, 0x5000]);
                let peer = *choose(around.rng, around.targets);
                self.ask(Ask::Channel { number, peer }, around)
            }
            45..48 => self.ask(Ask::Binding, around),
            48..51 => self.ask(
                Ask::Allocate {
                    lifetime: None,
                    relay: Relay::Any,
                    mobile: false,
                },
                around,
            ),
            51..53 => self.start_anew(),
            53..55 => {
                self.act_at = around.now + Duration::from_secs(around.rng.random_range(60..500));
                Vec::new()
            }
            55..70 if self.ticket.is_some() => self.move_on(around),
            _ => self.data(around),
        }
    }

    /// Goes on from another port, or turns back, and wants to keep its allocation.
    fn move_on(&mut self, around: &mut Surroundings<'_>) -> Vec<Vec<u8>> {
        let Some(ticket) = self.ticket.clone() else {
            return Vec::new();
        };
        let port = self.address.port();
        let turns_back = port > FIRST_PORT && around.rng.random_bool(0.3);
        self.address
            .set_port(if turns_back { port - 1 } else { port + 1 });
        self.ask(Ask::Resume { ticket }, around)
    }

    /// A burst to any target, permitted or not, by channel where one is bound.
    fn data(&mut self, around: &mut Surroundings<'_>) -> Vec<Vec<u8>> {
        let burst = around.rng.random_range(1..6);
        let channel = self
            .channels
            .get(around.rng.random_range(0..=self.channels.len()))
            .copied();
        let peer = channel.map_or_else(|| *choose(around.rng, around.targets), |(_, peer)| peer);
        let datagrams = (0..burst).map(|_| {
            let len = *choose(around.rng, &[0, 30, 31, 32, 33, 1200]);
            let bytes = if len == 0 {
                Vec::new()
            } else {
                payload("to ", peer, len)
            };
            match channel {
                Some((number, _)) => channel_data(number, &bytes),
                None => send_indication(TransactionId(around.rng.random()), peer, &bytes),
            }
        });
        datagrams.collect()
    }

    fn ask(&mut self, ask: Ask, around: &mut Surroundings<'_>) -> Vec<Vec<u8>> {
        self.transmit(ask, 0, around)
    }

    fn transmit(&mut self, ask: Ask, challenges: u32, around: &mut Surroundings<'_>) -> Vec<Vec<u8>> {
        let id = TransactionId(around.rng.random());
        let session = self.session.as_ref().filter(|_| !matches!(ask, Ask::Binding));
        let bytes = ask.write(id, session);
        let retransmit_at = around.now + FIRST_RETRANSMISSION;
        self.pending = Some(Pending {
            ask,
            id,
            bytes: bytes.clone(),
            transmissions: 1,
            retransmit_at,
            challenges,
        });
        vec![bytes]
    }

    fn give_up(&mut self, around: &mut Surroundings<'_>) {
        self.pending = None;
        self.act_at = around.now + Duration::from_secs(around.rng.random_range(1..30));
    }

    /// Forgets everything and comes back from another port, as after a crash.
    fn start_anew(&mut self) -> Vec<Vec<u8>> {
        self.address.set_port(self.address.port() + 1);
        self.session = None;
        self.forget_allocation();
        Vec::new()
    }

    fn forget_allocation(&mut self) {
        self.ticket = None;
        self.relayed.clear();
        self.channels.clear();
    }

    fn succeed(&mut self, message: &Message<'_>) -> Vec<Vec<u8>> {
        let Some(pending) = self
            .pending
            .take_if(|pending| pending.id == message.transaction_id())
        else {
            return Vec::new();
        };
        if message.method() != Method::BINDING {
            self.assert_signed(message);
        }
        self.succeeded += 1;
        match pending.ask {
            Ask::Binding | Ask::Permit { .. } => {}
            Ask::Resume { .. } => self.ticket = Some(ticket(message).expect("a ticket for a ticket")),
            Ask::Allocate { mobile, .. } => {
                self.ticket = ticket(message);
                assert_eq!(self.ticket.is_some(), mobile, "a ticket for who asks for one");
                let relayed = message.xor_addresses(AttributeType::XOR_RELAYED_ADDRESS);
                self.relayed = relayed.map(Result::unwrap).collect();
                self.token = message
                    .attribute(AttributeType::RESERVATION_TOKEN)
                    .map(|token| token.try_into().unwrap());
                self.channels.clear();
            }
            Ask::Refresh { lifetime: 0 } => self.forget_allocation(),
            Ask::Refresh { .. } => {}
            Ask::Channel { number, peer } => {
                self.channels.retain(|(bound, _)| *bound != number);
                self.channels.push((number, peer));
            }
        }
        Vec::new()
    }

    fn fail(&mut self, message: &Message<'_>, around: &mut Surroundings<'_>) -> Vec<Vec<u8>> {
        let Some(pending) = self
            .pending
            .take_if(|pending| pending.id == message.transaction_id())
        else {
            return Vec::new();
        };
        match message.error_code().unwrap().unwrap().code {
            // Without its allocation the server knows no key but those of tokens.
            401 if self.bears_tokens && matches!(pending.ask, Ask::Permit { .. } | Ask::Channel { .. }) => {
                drop(self.start_anew());
            }
            401 | 438 if pending.challenges < 4 => {
                self.authenticate(message, around);
                return self.transmit(pending.ask, pending.challenges + 1, around);
            }
            // From elsewhere, the token must be the one that the allocation has.
            441 if self.bears_tokens && matches!(pending.ask, Ask::Resume { .. }) => {
                self.assert_signed(message);
                drop(self.start_anew());
            }
            437 => {
                self.assert_signed(message);
                match pending.ask {
                    Ask::Allocate { .. } => drop(self.start_anew()),
                    Ask::Binding
                    | Ask::Refresh { .. }
                    | Ask::Resume { .. }
                    | Ask::Permit { .. }
                    | Ask::Channel { .. } => self.forget_allocation(),
                }
            }
            403 | 440 | 443 | 486 | 508 => self.assert_signed(message),
            400 | 401 | 438 => {}
            code => panic!("{code} in answer to {:?}", pending.ask),
        }
        self.give_up(around);
        Vec::new()
    }

    fn assert_signed(&self, message: &Message<'_>) {
        let session = self
            .session
            .as_ref()
            .expect("only authenticated requests get this far");
        session.key.assert_signed(message);
    }

    fn authenticate(&mut self, challenge: &Message<'_>, around: &mut Surroundings<'_>) {
        let refused = challenge.error_code().unwrap().unwrap().code == 401;
        if refused && self.bears_tokens {
            self.bearer = Some(token(around));
        } else if refused {
            let expires = around.unix.as_secs() + CREDENTIAL_LIFETIME;
            self.credential = mint(&Secret::new(SECRET), Some(&self.user), expires);
        }
        let Credential { username, password } = &self.credential;
        let (username, secret) = match &self.bearer {
            Some((mac_key, _)) => (KID, request::Secret::MacKey(mac_key)),
            None => (username.as_str(), request::Secret::Password(username, password)),
        };
        self.session = Some(Session {
            username: username.to_owned(),
            realm: challenge.realm().unwrap().unwrap().to_owned(),
            nonce: challenge.nonce().unwrap().to_vec(),
            key: Key::choose(self.knows_rfc8489, challenge, secret),
            token: self.bearer.as_ref().map(|(_, token)| token.clone()),
        });
    }
}

fn ticket(answer: &Message<'_>) -> Option<Vec<u8>> {
    answer
        .attribute(AttributeType::MOBILITY_TICKET)
        .map(<[u8]>::to_vec)
}

/// The authorization server: a new key, and a token that may expire soon.
fn token(around: &mut Surroundings<'_>) -> (Vec<u8>, Vec<u8>) {
    let mac_key: [u8; 20] = around.rng.random();
    let lifetime = *choose(around.rng, &[60, 900, 6 * 3600]);
    let token = Token::new(&mac_key, around.unix.as_secs(), lifetime).seal(TOKEN_KEY, SERVER_NAME);
    (mac_key.to_vec(), token)
}
