//! RFC 8489 §10: new clients are sent to another server.

use std::{collections::BTreeMap, net::SocketAddr, num::NonZeroU16, sync::Arc};

use stun_wire::{AttributeType, Class, Method};

use super::{client::udp, *};
use crate::{Alternate, DropReason, HEALTH_CHECK, OpenError, Quota, QuotaLimits, RedirectWhen, Transport};

fn alternate(address: &str, transport: Transport) -> Alternate {
    Alternate {
        address: socket(address),
        transport,
        weight: NonZeroU16::MIN,
        domain: None,
    }
}

/// A server that knows another one for clients over UDP, and may allocate to one client at most.
fn world(when: RedirectWhen) -> World {
    let limits = QuotaLimits {
        total: std::num::NonZeroU32::MIN,
        ..QuotaLimits::default()
    };
    let mut world = World::with_ledger(Quota::new(limits), |config| config.redirect = when);
    let other = alternate("203.0.113.9:3478", Transport::Udp);
    world.server.set_alternates(vec![other]);
    world
}

fn ask(world: &mut World, client: &mut Client) -> Heard {
    client.ask(world, Method::ALLOCATE, udp)
}

/// Where a client is sent.
#[track_caller]
fn sent_to(heard: &Heard) -> SocketAddr {
    assert_eq!(error_code(heard), 300);
    let address = heard.message().address(AttributeType::ALTERNATE_SERVER);
    address.expect("an address").expect("a whole one")
}

#[test]
fn a_server_that_only_distributes_keeps_nobody() {
    let mut world = world(RedirectWhen::Always);
    let mut alice = Client::alice(1000);
    let heard = ask(&mut world, &mut alice);
    assert_eq!(sent_to(&heard), socket("203.0.113.9:3478"));
    assert!(heard.is_signed_by(&alice));
    assert_eq!(world.ports_in_use(), 0);
}

/// An answer to an address that proved nothing stays what it was.
#[test]
fn only_who_authenticated_is_sent_elsewhere() {
    let mut world = world(RedirectWhen::Always);
    let mut alice = Client::alice(1000);
    let first = alice.plain(stun_wire::Class::Request, Method::ALLOCATE, udp);
    assert_eq!(error_code(&world.hear(alice.five_tuple, &first)), 401);
    let mut stranger = Client::new(1001, "alice", "looking glass");
    assert_eq!(error_code(&ask(&mut world, &mut stranger)), 401);
}

#[test]
fn a_full_server_sends_on_whom_it_cannot_take() {
    for (when, code) in [
        (RedirectWhen::Draining, 508),
        (RedirectWhen::Full, 300),
        (RedirectWhen::Always, 300),
    ] {
        let mut world = world(RedirectWhen::Draining);
        Client::alice(1000).allocate(&mut world);
        world.server.config.redirect = when;
        assert_eq!(
            error_code(&ask(&mut world, &mut Client::alice(1001))),
            code,
            "{when:?}"
        );
    }
}

#[test]
fn a_server_without_ports_or_descriptors_sends_on() {
    let mut world = World::with(|config| {
        config.ports = crate::PortRange::new(50_000, 50_000).unwrap();
    });
    let other = alternate("203.0.113.9:3478", Transport::Udp);
    world.server.set_alternates(vec![other]);
    world.open_results.push_back(Err(OpenError::TooManyDescriptors));
    sent_to(&ask(&mut world, &mut Client::alice(1000)));
    Client::alice(1001).allocate(&mut world);
    sent_to(&ask(&mut world, &mut Client::alice(1002)));
}

/// Other servers would give a user as much again.
#[test]
fn who_used_up_his_quota_is_not_sent_to_get_another_one() {
    let limits = QuotaLimits {
        per_user: std::num::NonZeroU32::MIN,
        ..QuotaLimits::default()
    };
    let mut world = World::with_ledger(Quota::new(limits), |_| ());
    let other = alternate("203.0.113.9:3478", Transport::Udp);
    world.server.set_alternates(vec![other]);
    Client::alice(1000).allocate(&mut world);
    assert_eq!(error_code(&ask(&mut world, &mut Client::alice(1001))), 486);
}

#[test]
fn a_draining_server_makes_no_new_allocations_and_serves_the_old_ones() {
    let mut world = World::new();
    let mut alice = Client::alice(1000);
    let request = {
        alice.learn_nonce(&mut world);
        alice.request(Method::ALLOCATE, udp)
    };
    let answer = world.hear(alice.five_tuple, &request);
    world.server.set_draining();
    assert_eq!(error_code(&ask(&mut world, &mut Client::bob(1001))), 508);
    let other = alternate("203.0.113.9:3478", Transport::Udp);
    world.server.set_alternates(vec![other]);
    sent_to(&ask(&mut world, &mut Client::bob(1002)));

    assert_eq!(world.hear(alice.five_tuple, &request), answer, "a retransmit");
    assert_eq!(alice.refresh(&mut world, 600).lifetime(), 600);
    assert_eq!(error_code(&alice.permit(&mut world, "8.8.8.8:1")), 0);
}

/// Other servers learn by this question that no clients are to be sent here; everybody else still learns his address.
#[test]
fn a_draining_server_leaves_the_question_of_another_one_unanswered() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    let question = client.plain(Class::Request, Method::BINDING, |writer| {
        writer.text(AttributeType::SOFTWARE, HEALTH_CHECK).unwrap();
    });
    let bare = client.plain(Class::Request, Method::BINDING, |_| ());
    assert_eq!(error_code(&world.hear(client.five_tuple, &question)), 0);
    world.server.set_draining();
    let heard = world.hear(client.five_tuple, &question);
    assert_eq!(heard, Heard::Dropped(DropReason::Draining));
    assert_eq!(error_code(&world.hear(client.five_tuple, &bare)), 0);
}

/// The client is told a server it can reach as it reached this one.
#[test]
fn transport_and_family_are_those_of_the_request() {
    let mut world = world(RedirectWhen::Always);
    let over = |transport, port| alternate(&format!("203.0.113.9:{port}"), transport);
    let mut alternates: Vec<_> = Transport::ALL
        .iter()
        .map(|&transport| over(transport, 4000 + transport as u16))
        .collect();
    alternates.push(alternate("[2001:db8::9]:4000", Transport::Udp));
    world.server.set_alternates(alternates);
    for transport in Transport::ALL {
        let mut client = Client::alice(1000 + transport as u16);
        if transport != Transport::Udp {
            client = client.over(transport);
        }
        let there = sent_to(&ask(&mut world, &mut client));
        assert_eq!(there.port(), 4000 + transport as u16, "{transport:?}");
    }
    let mut over_v6 = Client::alice(2000).at("[2001:db8::1]:2000", "[2001:db8::2]:3478");
    assert_eq!(
        sent_to(&ask(&mut world, &mut over_v6)),
        socket("[2001:db8::9]:4000")
    );
}

#[test]
fn a_client_that_no_other_server_would_hear_stays() {
    let mut world = world(RedirectWhen::Always);
    Client::alice(1000).over(Transport::Tcp).allocate(&mut world);
}

/// RFC 8489 §10: the name is for the certificate.
#[test]
fn a_domain_is_told_where_there_are_certificates() {
    for transport in Transport::ALL {
        let mut world = World::with(|config| config.redirect = RedirectWhen::Always);
        world.server.set_alternates(vec![Alternate {
            domain: Some(Arc::from("turn2.example.org")),
            ..alternate("203.0.113.9:5349", transport)
        }]);
        let mut client = Client::alice(1000);
        if transport != Transport::Udp {
            client = client.over(transport);
        }
        let heard = ask(&mut world, &mut client);
        sent_to(&heard);
        let domain = heard.message().attribute(AttributeType::ALTERNATE_DOMAIN);
        let expected =
            matches!(transport, Transport::Tls | Transport::Dtls).then_some(&b"turn2.example.org"[..]);
        assert_eq!(domain, expected, "{transport:?}");
    }
}

#[test]
fn clients_are_shared_out_by_weight() {
    let mut world = world(RedirectWhen::Always);
    let weighted = |address, weight| Alternate {
        weight: NonZeroU16::new(weight).unwrap(),
        ..alternate(address, Transport::Udp)
    };
    world
        .server
        .set_alternates(vec![weighted("203.0.113.1:1", 1), weighted("203.0.113.2:1", 3)]);
    let mut counts: BTreeMap<SocketAddr, u32> = BTreeMap::new();
    for port in 1000..1800 {
        let there = sent_to(&ask(&mut world, &mut Client::alice(port)));
        *counts.entry(there).or_default() += 1;
    }
    let counts: Vec<_> = counts.into_values().collect();
    assert!(
        (150..250).contains(&counts[0]) && counts[0] + counts[1] == 800,
        "{counts:?}"
    );
}

#[test]
fn a_reserved_port_is_nowhere_else() {
    let mut world = World::with(|config| config.redirect = RedirectWhen::Always);
    let heard = Client::alice(1000).ask(&mut world, Method::ALLOCATE, |writer| {
        udp(writer);
        writer.attribute(AttributeType::EVEN_PORT, &[0x80]).unwrap();
    });
    let token = heard.message().reservation_token().unwrap().unwrap();
    let other = alternate("203.0.113.9:3478", Transport::Udp);
    world.server.set_alternates(vec![other]);
    for (token, code) in [(token, 0), ([7; 8], 508)] {
        let heard = Client::alice(1001 + code).ask(&mut world, Method::ALLOCATE, |writer| {
            udp(writer);
            writer
                .attribute(AttributeType::RESERVATION_TOKEN, &token)
                .unwrap();
        });
        assert_eq!(error_code(&heard), code);
    }
}
