//! RFC 6062 §5.4: a client's second connection becomes the one that carries a peer's bytes.

use super::*;
use crate::{AuthFailure, Share};

#[test]
fn a_bound_connection_carries_the_peers_bytes_and_is_bound_once() {
    let mut world = world();
    let (mut client, _) = allocated(&mut world, 1000);
    let (id, number) = connected(&mut world, &mut client, PEER);
    let mut data = data_connection(&client, 1001);
    let heard = bind(&mut world, &mut data, number);
    assert!(
        matches!(heard, Heard::Bound(five_tuple, peer, _) if five_tuple == data.five_tuple && peer == id),
        "{heard:?}"
    );
    assert_eq!(error_code(&heard), 0);
    assert!(heard.is_signed_by(&client));
    let mut second = data_connection(&client, 1002);
    assert_eq!(error_code(&bind(&mut world, &mut second, number)), 400);
    world.pass(599);
    assert_eq!(closed(&mut world), [], "it lives as long as its allocation");
}

/// "If the request does not contain the CONNECTION-ID attribute, or if this attribute does not refer to an
/// existing pending connection, the server MUST return a 400."
#[test]
fn a_connection_that_waits_must_be_named() {
    let mut world = world();
    let (mut client, _) = allocated(&mut world, 1000);
    let (_, number) = connected(&mut world, &mut client, PEER);
    let mut data = data_connection(&client, 1001);
    data.learn_nonce(&mut world);
    assert_eq!(error_code(&bind(&mut world, &mut data, number ^ 1)), 400);
    let heard = data.ask(&mut world, Method::CONNECTION_BIND, |_| ());
    assert_eq!(error_code(&heard), 400);
    let heard = data.ask(&mut world, Method::CONNECTION_BIND, |writer| {
        writer.attribute(AttributeType::CONNECTION_ID, &[1, 2]).unwrap();
    });
    assert_eq!(error_code(&heard), 400);

    connect(&mut world, &mut client, "8.8.8.8:81");
    assert_eq!(connections(&world), 2);
    assert_eq!(
        error_code(&bind(&mut world, &mut data, number)),
        0,
        "the connection is still good for it"
    );
}

/// "If the client connection transport is not TCP or TLS, the server MUST return a 400."
#[test]
fn a_datagram_binds_nothing() {
    let mut world = world();
    let (mut client, _) = allocated(&mut world, 1000);
    let (_, number) = connected(&mut world, &mut client, PEER);
    for transport in [Transport::Udp, Transport::Dtls] {
        let mut data = data_connection(&client, 1001);
        data.five_tuple = on(transport, &data);
        assert_eq!(
            error_code(&bind(&mut world, &mut data, number)),
            400,
            "{transport:?}"
        );
    }
    assert_eq!(
        error_code(&bind(&mut world, &mut client, number)),
        400,
        "nor does the control connection"
    );
    assert_eq!(
        error_code(&bind(&mut world, &mut data_connection(&client, 1002), number)),
        0
    );
}

/// Clients sign ConnectionBind with the nonce of the control connection.
#[test]
fn the_control_connections_nonce_is_good_from_the_same_host() {
    let mut world = world();
    let (mut client, _) = allocated(&mut world, 1000);
    let (_, number) = connected(&mut world, &mut client, PEER);
    let mut elsewhere = data_connection(&client, 1001);
    elsewhere.five_tuple.client = socket("198.51.100.8:1001");
    let heard = bind(&mut world, &mut elsewhere, number);
    assert_eq!(error_code(&heard), 438, "another host");
    elsewhere.nonce = heard.message().nonce().unwrap().to_vec();
    let mut third = Client::alice(1003);
    third.learn_nonce(&mut world);
    let mut borrowed = data_connection(&client, 1002);
    borrowed.nonce = third.nonce;
    assert_eq!(
        error_code(&bind(&mut world, &mut borrowed, number)),
        438,
        "another's nonce"
    );
    let heard = bind(&mut world, &mut elsewhere, number);
    assert_eq!(
        error_code(&heard),
        0,
        "and the retry on the same connection succeeds"
    );
}

#[test]
fn an_old_nonce_is_stale_here_too() {
    let mut world = World::with(|config| {
        enabled(config);
        config.nonce_lifetime = std::time::Duration::from_secs(60);
    });
    let (mut client, relayed) = allocated(&mut world, 1000);
    client.permit(&mut world, PEER);
    world.pass(61);
    let (_, heard) = arrive(&mut world, relayed, PEER).unwrap();
    let heard = bind(&mut world, &mut data_connection(&client, 1001), number(&heard));
    assert_eq!(error_code(&heard), 438);
}

/// RFC 6062 §4.3: "the same method and credentials as for the control connection".
#[test]
fn only_the_user_of_the_allocation_binds() {
    let mut world = world();
    let (mut client, _) = allocated(&mut world, 1000);
    let (_, number) = connected(&mut world, &mut client, PEER);
    let mut bob = Client::bob(2000).over(Transport::Tcp);
    assert_eq!(error_code(&bind(&mut world, &mut bob, number)), 441);
    assert_eq!(world.server.counters().auth_failures(AuthFailure::OtherUser), 1);
    let mut forger = data_connection(&client, 1001);
    forger.key = bob.key;
    assert_eq!(error_code(&bind(&mut world, &mut forger, number)), 401);
    assert_eq!(
        error_code(&bind(&mut world, &mut data_connection(&client, 1002), number)),
        0
    );
}

#[test]
fn the_worker_that_made_the_connection_binds_it() {
    let [mut owner, mut other] = [0, 1].map(|index| {
        World::with(|config| {
            enabled(config);
            config.share = Share::new(index, 2).unwrap();
        })
    });
    let (mut client, _) = allocated(&mut owner, 1000);
    let (_, number) = connected(&mut owner, &mut client, PEER);
    let mut data = data_connection(&client, 1001);
    assert_eq!(bind(&mut other, &mut data, number), Heard::HandedOver(0));
    assert_eq!(error_code(&bind(&mut owner, &mut data, number)), 0);

    let (mut control, _) = allocated(&mut other, 1002);
    assert_eq!(
        error_code(&bind(&mut other, &mut control, number)),
        400,
        "a control connection stays"
    );
}

/// "If no ConnectionBind request associated with this peer data connection is received after 30 seconds, the
/// peer data connection MUST be closed."
#[test]
fn what_nobody_binds_is_closed_after_thirty_seconds() {
    let mut world = world();
    let (mut client, relayed) = allocated(&mut world, 1000);
    client.permit(&mut world, "8.8.4.4:1");
    let (asked, first) = connected(&mut world, &mut client, PEER);
    let (came, heard) = arrive(&mut world, relayed, "8.8.4.4:9").unwrap();
    world.pass(29);
    assert_eq!(closed(&mut world), []);
    world.pass_without_timers(1);
    for number in [first, number(&heard)] {
        let heard = bind(&mut world, &mut data_connection(&client, 1001), number);
        assert_eq!(error_code(&heard), 438, "unknown, and so is the nonce");
    }
    assert_eq!(closed(&mut world), [asked, came]);
    assert_eq!(connections(&world), 0);
}
