//! Strangers by the thousand: no state, no amplification, no loops.

use std::num::NonZeroU32;

use stun_wire::{AttributeType, Class, Method};

use super::{client::udp, *};
use crate::{ConnectionId, CountedMethod, DropReason, Link, Realm, Transport, UnauthorizedLimit};

fn challenge(world: &mut World, from: &str) -> Heard {
    let mut client = Client::alice(1000).at(from, "192.0.2.1:3478");
    let request = client.plain(Class::Request, Method::ALLOCATE, udp);
    world.hear(client.five_tuple, &request)
}

/// THREATS 17 and 26.
#[test]
fn a_flood_of_forged_requests_leaves_no_state() {
    let mut world = World::with(|config| config.unauthorized_limit = None);
    for n in 0..3000_u16 {
        let [a, b] = n.to_be_bytes();
        let mut client = Client::alice(1000).at(&format!("198.51.{a}.{b}:1000"), "192.0.2.1:3478");
        client.nonce = b"AAAAAAAAAAAAAAAAAAAA".to_vec();
        for request in [
            client.plain(Class::Request, Method::ALLOCATE, udp),
            client.request(Method::ALLOCATE, udp),
            client.request(Method::REFRESH, |_| ()),
        ] {
            assert!(matches!(
                world.hear(client.five_tuple, &request),
                Heard::Client(..)
            ));
        }
    }
    assert_eq!(world.server.table.len() + world.server.table.relays(), 0);
    assert_eq!(world.server.poll_timeout(), None);
    assert_eq!(world.take_outputs(), []);
    assert_eq!(world.ports_in_use(), 0);
}

/// THREATS 22.
#[test]
fn the_first_answer_is_at_most_three_times_its_request() {
    for realm in [
        "r",
        "example.org",
        &"r".repeat(8),
        &"r".repeat(9),
        &"r".repeat(20),
        &"r".repeat(21),
        &"r".repeat(32),
        &"r".repeat(33),
        &"r".repeat(127),
    ] {
        let mut world = World::with(|config| {
            config.realm = Realm::new(realm).unwrap();
            config.software = Some("Watari".repeat(20));
        });
        let mut client = Client::alice(1000);
        for extra in [0, 40, 400] {
            let request = client.plain(Class::Request, Method::ALLOCATE, |writer| {
                udp(writer);
                writer.attribute(AttributeType(0xff00), &vec![0; extra]).unwrap();
            });
            let heard = world.hear(client.five_tuple, &request);
            if let Heard::Client(_, answer) = &heard {
                assert!(answer.len() <= 3 * request.len(), "{realm}");
            } else {
                assert_eq!(heard, Heard::Dropped(DropReason::Amplification));
            }
        }
    }
}

/// The sizes of docs/decisions/0008: what the answer to a browser's first request, 28 bytes, has room for.
#[test]
fn the_smallest_allocate_is_offered_less_where_the_realm_is_long() {
    for (realm, answer) in [
        ("watari".len(), Some(("obMatJos2g", true, 84))),
        (8, Some(("obMatJos2g", true, 84))),
        (9, Some(("obMatJos2A", false, 76))),
        (20, Some(("obMatJos2A", false, 84))),
        (21, Some(("", false, 76))),
        (32, Some(("", false, 84))),
        (33, None),
    ] {
        let mut world = World::with(|config| config.realm = Realm::new("r".repeat(realm)).unwrap());
        let heard = challenge(&mut world, "198.51.100.1:1000");
        let Some((cookie, algorithms, len)) = answer else {
            assert_eq!(heard, Heard::Dropped(DropReason::Amplification));
            continue;
        };
        let message = heard.message();
        assert_eq!(message.as_bytes().len(), len, "{realm}");
        assert!(message.nonce().unwrap().starts_with(cookie.as_bytes()), "{realm}");
        let list = message.attribute(AttributeType::PASSWORD_ALGORITHMS);
        assert_eq!(list.is_some(), algorithms, "{realm}");
    }
}

#[test]
fn a_longer_request_or_a_connection_has_room_for_every_offer() {
    let realm = Realm::new("r".repeat(127)).unwrap();
    let mut world = World::with(|config| config.realm = realm);
    let mut client = Client::alice(1000);
    let long = client.plain(Class::Request, Method::ALLOCATE, |writer| {
        udp(writer);
        writer.zeros(AttributeType::PADDING, 60).unwrap();
    });
    let mut connected = Client::alice(1000);
    connected.five_tuple.link = Link::Connection(ConnectionId {
        worker: 0,
        index: 0,
        generation: 0,
    });
    let short = connected.plain(Class::Request, Method::ALLOCATE, udp);
    for (from, request) in [(client.five_tuple, long), (connected.five_tuple, short)] {
        let heard = world.hear(from, &request);
        let list = heard.message().attribute(AttributeType::PASSWORD_ALGORITHMS);
        assert_eq!(list, Some(&[0, 2, 0, 0, 0, 1, 0, 0][..]));
    }
}

#[test]
fn what_people_read_is_left_out_for_size_before_what_clients_choose_from() {
    let mut world = World::with(|config| config.software = Some("Watari".into()));
    let mut client = Client::alice(1000);
    let mut hear = |more: usize| {
        let request = client.plain(Class::Request, Method::ALLOCATE, |writer| {
            udp(writer);
            if let Some(len) = more.checked_sub(4) {
                writer.zeros(AttributeType(0xff00), len).unwrap();
            }
        });
        let heard = world.hear(client.five_tuple, &request);
        let message = heard.message();
        (
            message.software().is_some(),
            !message.error_code().unwrap().unwrap().reason.is_empty(),
            message.attribute(AttributeType::PASSWORD_ALGORITHMS).is_some(),
        )
    };
    assert_eq!(hear(0), (false, false, false));
    assert_eq!(hear(4), (false, false, true));
    assert_eq!(hear(8), (false, true, true));
    assert_eq!(hear(12), (true, true, true));
}

/// THREATS 22: "nothing else larger than its request" for those who proved nothing.
#[test]
fn answers_to_forged_credentials_are_no_longer_than_their_requests() {
    let mut world = World::with(|config| config.software = Some("Watari".repeat(21)));
    for (username, password) in [("alice", "wonderland"), ("alice", "wrong"), ("nobody", "x")] {
        let mut client = Client::new(1000, username, password);
        client.nonce = b"AAAAAAAAAAAAAAAAAAAA".to_vec();
        for method in [
            Method::ALLOCATE,
            Method::REFRESH,
            Method::CREATE_PERMISSION,
            Method::CHANNEL_BIND,
        ] {
            let request = client.request(method, |_| ());
            let Heard::Client(_, answer) = world.hear(client.five_tuple, &request) else {
                continue;
            };
            assert!(answer.len() <= request.len(), "{method:?} {username}");
        }
    }
    assert_eq!(
        world.server.counters().dropped(DropReason::Amplification),
        0,
        "they fit without luxury"
    );
}

#[test]
fn an_address_that_showed_its_nonce_may_get_longer_answers() {
    let software = "Watari".repeat(21);
    let mut world = World::with(|config| config.software = Some(software.clone()));
    let mut client = Client::alice(1000);
    let heard = client.refresh(&mut world, 600);
    assert_eq!(error_code(&heard), 437);
    assert_eq!(heard.message().software(), Some(Ok(software.as_str())));
}

#[test]
fn challenges_are_limited_per_network_by_default() {
    let mut world = World::new();
    let answered = (0..3000).filter(|n| {
        let from = format!("198.51.100.{}:{}", n % 250, 1024 + n);
        matches!(challenge(&mut world, &from), Heard::Client(..))
    });
    assert_eq!(answered.count(), 1000);
    assert_eq!(world.server.counters().dropped(DropReason::RateLimited), 2000);
    assert!(
        matches!(challenge(&mut world, "198.51.101.1:1000"), Heard::Client(..)),
        "the next network is not"
    );
    world.pass(1);
    assert!(
        matches!(challenge(&mut world, "198.51.100.1:1000"), Heard::Client(..)),
        "time heals"
    );
}

#[test]
fn the_limit_spares_those_who_authenticate() {
    let one = NonZeroU32::MIN;
    let limit = UnauthorizedLimit {
        per_second: one,
        burst: one,
    };
    let mut world = World::with(|config| config.unauthorized_limit = Some(limit));
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    assert_eq!(
        challenge(&mut world, "198.51.100.9:1000"),
        Heard::Dropped(DropReason::RateLimited)
    );
    for _ in 0..10 {
        assert_eq!(client.refresh(&mut world, 600).lifetime(), 600);
    }
}

/// THREATS 23.
#[test]
fn responses_and_unknown_indications_are_never_answered() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    for method in [
        Method::BINDING,
        Method::ALLOCATE,
        Method::REFRESH,
        Method::SEND,
        Method::DATA,
    ] {
        for class in [Class::Success, Class::Error] {
            let message = client.plain(class, method, |_| ());
            assert_eq!(
                world.hear(client.five_tuple, &message),
                Heard::Dropped(DropReason::Response)
            );
        }
    }
    for (class, method, reason) in [
        (Class::Indication, Method::ALLOCATE, DropReason::UnknownMethod),
        (Class::Indication, Method::DATA, DropReason::UnknownMethod),
        (Class::Indication, Method::BINDING, DropReason::Keepalive),
        (Class::Request, Method::CONNECT, DropReason::UnknownMethod),
        (Class::Request, Method::SEND, DropReason::UnknownMethod),
        (
            Class::Request,
            Method::from_bits(0x0ff),
            DropReason::UnknownMethod,
        ),
    ] {
        let message = client.plain(class, method, |_| ());
        assert_eq!(
            world.hear(client.five_tuple, &message),
            Heard::Dropped(reason),
            "{class:?} {method:?}"
        );
    }
    let counters = world.server.counters();
    assert_eq!(counters.requests(CountedMethod::Other, Transport::Udp), 2);
    assert_eq!(counters.requests(CountedMethod::Connect, Transport::Udp), 1);
}

#[test]
fn those_who_answer_anything_are_never_answered() {
    let mut world = World::new();
    for port in [0, 17, 19, 53, 123] {
        let heard = challenge(&mut world, &format!("198.51.100.7:{port}"));
        assert_eq!(heard, Heard::Dropped(DropReason::ReflectingPort), "{port}");
    }
    assert_eq!(
        challenge(&mut world, "192.0.2.1:3478"),
        Heard::Dropped(DropReason::OwnListener)
    );
}

/// A shell answers what is not STUN by itself, a ClientHello for one.
#[test]
fn a_shell_is_told_whom_not_to_answer() {
    let mut world = World::new();
    for (address, reason) in [
        ("198.51.100.7:53", DropReason::ReflectingPort),
        ("192.0.2.1:3478", DropReason::OwnListener),
    ] {
        let mut from = Client::alice(1000).five_tuple;
        assert!(world.server.may_answer(from));
        from.client = address.parse().unwrap();
        assert!(!world.server.may_answer(from), "{address}");
        assert_eq!(world.server.counters().dropped(reason), 1);
    }
}

#[test]
fn a_binding_request_is_answered_and_stays_small() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    let request = client.plain(Class::Request, Method::BINDING, |_| ());
    let heard = world.hear(client.five_tuple, &request);
    assert_eq!(
        heard.message().xor_address(AttributeType::XOR_MAPPED_ADDRESS),
        Some(Ok(client.five_tuple.client))
    );
    assert!(heard.message().as_bytes().len() * 10 <= request.len() * 16);
    assert_eq!(
        world
            .server
            .counters()
            .requests(CountedMethod::Binding, Transport::Udp),
        1
    );
    client.five_tuple.client.set_port(53);
    assert_eq!(
        world.hear(client.five_tuple, &request),
        Heard::Dropped(DropReason::ReflectingPort)
    );
}

#[test]
fn classic_binding_is_answered_only_where_configured() {
    let mut request = vec![0, 1, 0, 0];
    request.extend([7; 16]);
    let from = Client::alice(1000).five_tuple;
    assert_eq!(
        World::new().hear(from, &request),
        Heard::Dropped(DropReason::Malformed)
    );
    let heard = World::with(|config| config.classic_stun = true).hear(from, &request);
    let Heard::Client(_, answer) = heard else {
        panic!("{heard:?}")
    };
    assert_eq!(answer[..2], [1, 1]);
    assert_eq!(answer[4..20], [7; 16]);
}
