//! RFC 8489's security set with a client that nobody here wrote: turn-client-proto, which like the server sees no socket.

#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

mod driver;

use std::{net::SocketAddr, time::Duration};

use driver::{Driver, SERVER, client_address};
use stun_wire::{AttributeType, Message};
use turn_client_proto::{
    api::{TurnConfig, TurnEvent, TurnPollRet},
    prelude::*,
    stun::{Instant, agent::Transmit, auth::Feature},
    types::{TransportType, TurnCredentials, stun::message::IntegrityAlgorithm},
    udp::TurnClientUdp,
};
use turn_core::{Config, Credentials, FiveTuple, ListenerId, Realm, Secret};

struct Pair {
    driver: Driver,
    client: TurnClientUdp,
    five_tuple: FiveTuple,
    /// Every request the client sent.
    requests: Vec<Vec<u8>>,
    events: Vec<TurnEvent>,
    now: Instant,
}

impl Pair {
    fn new(server: impl FnOnce(&mut Config), client: impl FnOnce(&mut TurnConfig)) -> Self {
        Self::of(TurnCredentials::new("alice", "wonderland"), server, client)
    }

    fn of(
        credentials: TurnCredentials,
        server: impl FnOnce(&mut Config),
        client: impl FnOnce(&mut TurnConfig),
    ) -> Self {
        let address = client_address(1);
        let mut config = TurnConfig::new(credentials);
        client(&mut config);
        let mut pair = Self {
            driver: Driver::new(server),
            client: TurnClientUdp::allocate(address, SERVER, config),
            five_tuple: FiveTuple::udp(ListenerId(0), address, SERVER),
            requests: Vec::new(),
            events: Vec::new(),
            now: Instant::from_nanos(0),
        };
        pair.run();
        pair
    }

    /// Carries datagrams to and fro until the client has nothing more to say; it paces its requests.
    fn run(&mut self) {
        for _ in 0..100 {
            let TurnPollRet::WaitUntil(next) = self.client.poll(self.now) else {
                break;
            };
            if let Some(transmit) = self.client.poll_transmit(self.now) {
                self.exchange(&transmit.data);
            } else if next > self.now && next < self.now + Duration::from_millis(400) {
                self.now = next;
            } else {
                break;
            }
        }
        self.events
            .extend(std::iter::from_fn(|| self.client.poll_event()));
    }

    fn exchange(&mut self, request: &[u8]) {
        self.requests.push(request.to_vec());
        self.driver.hear(self.five_tuple, request);
        if let Some(answer) = self.driver.take_answer() {
            let answer = Transmit::new(answer, TransportType::Udp, SERVER, self.five_tuple.client);
            self.client.recv(answer, self.now);
        }
    }

    fn is_allocated(&self) -> bool {
        self.client.relayed_addresses().count() == 1
    }

    /// Asks for a permission, a channel and the end, each of which must be granted.
    #[track_caller]
    fn assert_serves(&mut self) {
        assert!(self.is_allocated(), "{:?}", self.events);
        let peer = SocketAddr::from(([8, 8, 8, 8], 5000));
        self.client
            .create_permission(TransportType::Udp, peer.ip(), self.now)
            .unwrap();
        self.run();
        self.client
            .bind_channel(TransportType::Udp, peer, self.now)
            .unwrap();
        self.run();
        for wanted in ["AllocationCreated", "PermissionCreated", "ChannelCreated"] {
            let happened = |event: &TurnEvent| format!("{event:?}").starts_with(wanted);
            assert!(self.events.iter().any(happened), "{wanted}: {:?}", self.events);
        }
        self.client.delete(self.now).unwrap();
        self.run();
        assert_eq!(
            self.driver.server.counters().relay_ports_in_use,
            0,
            "it is deleted"
        );
    }

    /// The attributes of the client's last request.
    fn last(&self) -> Vec<AttributeType> {
        let message = Message::parse(self.requests.last().unwrap()).unwrap();
        message.attributes().map(|attribute| attribute.kind).collect()
    }
}

/// Leaves the static user alone, so that the server offers anonymity too; see the stories.
fn static_users(_: &mut Config) {}

fn sha256(config: &mut TurnConfig) {
    config.set_supported_integrity(IntegrityAlgorithm::Sha256);
    config.set_anonymous_username(Feature::Required);
}

#[test]
fn it_is_served_with_sha256_and_a_hidden_name() {
    let mut pair = Pair::new(static_users, sha256);
    pair.assert_serves();
    let last = pair.last();
    for kind in [
        AttributeType::USERHASH,
        AttributeType::PASSWORD_ALGORITHM,
        AttributeType::PASSWORD_ALGORITHMS,
        AttributeType::MESSAGE_INTEGRITY_SHA256,
    ] {
        assert!(last.contains(&kind), "{kind:?} in {last:?}");
    }
    assert!(!last.contains(&AttributeType::USERNAME) && !last.contains(&AttributeType::MESSAGE_INTEGRITY));
}

#[test]
fn of_both_algorithms_it_takes_sha256() {
    let mut pair = Pair::new(static_users, |config| {
        config.add_supported_integrity(IntegrityAlgorithm::Sha256);
        config.set_anonymous_username(Feature::Disabled);
    });
    pair.assert_serves();
    let last = pair.last();
    assert!(
        last.contains(&AttributeType::MESSAGE_INTEGRITY_SHA256),
        "{last:?}"
    );
    assert!(last.contains(&AttributeType::USERNAME), "{last:?}");
}

/// It chooses MD5 from the list and believes MESSAGE-INTEGRITY alone.
#[test]
fn it_is_served_as_it_comes_with_sha1() {
    let mut pair = Pair::new(static_users, |_| ());
    pair.assert_serves();
    let last = pair.last();
    assert!(last.contains(&AttributeType::MESSAGE_INTEGRITY), "{last:?}");
    assert!(last.contains(&AttributeType::PASSWORD_ALGORITHM), "{last:?}");
    assert!(
        !last.contains(&AttributeType::MESSAGE_INTEGRITY_SHA256),
        "{last:?}"
    );
}

#[test]
fn it_is_served_with_a_time_limited_credential_and_sha256() {
    let secret = Secret::new("north");
    let credential = turn_credentials::mint(&secret, Some("carol"), 1_700_000_060);
    let mut pair = Pair::of(
        TurnCredentials::new(&credential.username, &credential.password),
        |config| config.credentials.add_secret(secret),
        |config| config.set_supported_integrity(IntegrityAlgorithm::Sha256),
    );
    pair.assert_serves();
    assert!(pair.last().contains(&AttributeType::USERNAME));
}

/// RFC 8489 §9.2.4: 438 repeats the list, and the client chooses from it again.
#[test]
fn it_takes_a_new_nonce_when_its_own_is_stale() {
    for change in [sha256 as fn(&mut TurnConfig), |_| ()] {
        let mut pair = Pair::new(|config| config.nonce_lifetime = Duration::from_secs(60), change);
        pair.driver.now.unix += Duration::from_secs(61);
        pair.assert_serves();
        let stale = turn_core::AuthFailure::StaleNonce;
        assert_eq!(pair.driver.server.counters().auth_failures(stale), 1);
    }
}

/// Its first request is a browser's with a few bytes more; what does not fit into the answer it does without.
#[test]
fn with_a_long_realm_it_is_offered_less_and_served_all_the_same() {
    for len in [8, 20, 32, 60, 127] {
        let mut pair = Pair::new(
            |config| {
                config.realm = Realm::new("r".repeat(len)).unwrap();
                config.credentials = Credentials::default();
                let realm = config.realm.clone();
                config
                    .credentials
                    .add_user(&realm, "alice", "wonderland")
                    .unwrap();
            },
            |_| (),
        );
        if pair.is_allocated() {
            pair.assert_serves();
        } else {
            assert!(len > 32, "{len}");
        }
    }
}

#[test]
fn it_is_refused_with_a_wrong_password_whatever_it_speaks() {
    for change in [sha256 as fn(&mut TurnConfig), |_| ()] {
        let pair = Pair::of(TurnCredentials::new("alice", "wrong"), static_users, change);
        assert!(!pair.is_allocated());
        assert!(pair.requests.len() < 20, "it gives up");
    }
}
