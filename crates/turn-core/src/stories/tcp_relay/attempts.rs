//! RFC 6062 §5.3: a peer connects to a relayed transport address.

use stun_wire::Class;

use super::*;
use crate::{PeerPolicy, Quota, QuotaLimits};

/// "The indication MUST include an XOR-PEER-ADDRESS attribute containing the peer's transport address, as well as
/// a CONNECTION-ID attribute uniquely identifying the peer data connection."
#[test]
fn the_client_is_told_of_a_permitted_peer_on_the_control_connection() {
    let mut world = world();
    let (mut client, relayed) = allocated(&mut world, 1000);
    client.permit(&mut world, PEER);
    for peer in ["8.8.8.8:1", "8.8.8.8:65535"] {
        let (id, heard) = arrive(&mut world, relayed, peer).unwrap();
        assert!(matches!(heard, Heard::Client(to, _) if to == client.five_tuple));
        let message = heard.message();
        assert_eq!(
            (message.class(), message.method()),
            (Class::Indication, Method::CONNECTION_ATTEMPT)
        );
        let told = message.xor_address(AttributeType::XOR_PEER_ADDRESS);
        assert_eq!(told, Some(Ok(socket(peer))));
        let port = socket(peer).port() / 2 + 1001;
        let heard = bind(&mut world, &mut data_connection(&client, port), number(&heard));
        assert!(matches!(heard, Heard::Bound(_, bound, _) if bound == id));
    }
    assert_eq!(connections(&world), 2);
}

#[test]
fn an_ipv6_peer_is_named_in_full() {
    let mut world = world();
    let client = Client::alice(1001).at("[2606:4700::7]:1001", "[2606:4700::1]:3478");
    let mut client = client.over(Transport::Tls);
    let heard = client.ask(&mut world, Method::ALLOCATE, |writer| {
        tcp(writer);
        writer
            .attribute(AttributeType::REQUESTED_ADDRESS_FAMILY, &[2, 0, 0, 0])
            .unwrap();
    });
    let peer = "[2606:4700::9]:80";
    client.permit(&mut world, peer);
    let (_, heard) = arrive(&mut world, heard.relayed(), peer).unwrap();
    let told = heard.message().xor_address(AttributeType::XOR_PEER_ADDRESS);
    assert_eq!(told, Some(Ok(socket(peer))));
}

/// "If no permission for this peer has been installed for this allocation, the server MUST close the connection
/// with the peer immediately after it has been accepted."
#[test]
fn a_peer_without_permission_is_closed_at_once_and_counted() {
    let mut world = world();
    let (mut client, relayed) = allocated(&mut world, 1000);
    let refused = |world: &mut World, peer| {
        let outcome = arrive(world, relayed, peer).map(|_| ());
        assert_eq!(world.take_outputs(), []);
        outcome
    };
    world.take_outputs();
    assert_eq!(refused(&mut world, PEER), Err(PeerRefusal::NoPermission));
    client.permit(&mut world, PEER);
    assert_eq!(refused(&mut world, "8.8.8.9:80"), Err(PeerRefusal::NoPermission));
    world.pass(300);
    assert_eq!(refused(&mut world, PEER), Err(PeerRefusal::NoPermission));
    assert_eq!(
        world.server.counters().refused_peers(PeerRefusal::NoPermission),
        3
    );
    assert_eq!(connections(&world), 0);
}

/// THREATS 1 and 29: a forbidden peer can get no permission, so it gets in on no path.
#[test]
fn a_forbidden_peer_does_not_get_in() {
    let mut world = world();
    let (mut client, relayed) = allocated(&mut world, 1000);
    for peer in ["127.0.0.1:80", "10.0.0.1:80", "192.0.2.1:80"] {
        assert_eq!(error_code(&client.permit(&mut world, peer)), 403, "{peer}");
        assert_eq!(
            arrive(&mut world, relayed, peer).unwrap_err(),
            PeerRefusal::NoPermission,
            "{peer}"
        );
    }
    let own_relay = relayed.to_string();
    assert_eq!(error_code(&client.permit(&mut world, &own_relay)), 0);
    assert_eq!(
        arrive(&mut world, relayed, "192.0.2.1:80").unwrap_err(),
        PeerRefusal::PeerForbidden,
        "our own machine, through a socket"
    );
}

#[test]
fn an_allowed_network_gets_in_with_a_permission() {
    let mut world = World::with(|config| {
        enabled(config);
        config.policy = PeerPolicy::new(&["127.0.0.0/8".parse().unwrap()], &[]);
    });
    let (mut client, relayed) = allocated(&mut world, 1000);
    assert_eq!(error_code(&client.permit(&mut world, "127.0.0.1:0")), 0);
    arrive(&mut world, relayed, "127.0.0.1:5000").unwrap();
}

#[test]
fn peers_that_nobody_binds_are_bounded() {
    let one = std::num::NonZeroU32::MIN;
    let two_per_allocation = |config: &mut Config| {
        enabled(config);
        config.tcp_relay.as_mut().unwrap().connections_per_allocation = 2;
    };
    let one_per_user = Quota::new(QuotaLimits {
        connections_per_user: one,
        ..QuotaLimits::default()
    });
    for (mut world, most) in [
        (World::with(two_per_allocation), 2),
        (World::with_ledger(one_per_user, enabled), 1),
    ] {
        let (mut client, relayed) = allocated(&mut world, 1000);
        client.permit(&mut world, PEER);
        for port in 1..=most {
            arrive(&mut world, relayed, &format!("8.8.8.8:{port}")).unwrap();
        }
        let heard = arrive(&mut world, relayed, "8.8.8.8:99");
        assert_eq!(heard.unwrap_err(), PeerRefusal::Limit);
        world.pass(30);
        arrive(&mut world, relayed, "8.8.8.8:99").unwrap();
    }
}
