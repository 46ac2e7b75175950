//! RFC 6062 §5.1: who gets a TCP allocation, and what it is no good for.

use stun_wire::Class;

use super::*;
use crate::{CountedMethod, DropReason, Family, OpenError, RelayAddress, RelayAddresses, RelayTransport};

fn refused(world: &mut World, transport: Transport, extra: &[(AttributeType, &[u8])]) -> u16 {
    let mut client = Client::alice(1000);
    client.five_tuple = on(transport, &client);
    let heard = client.ask(world, Method::ALLOCATE, |writer| {
        tcp(writer);
        for (kind, value) in extra {
            writer.attribute(*kind, value).unwrap();
        }
    });
    error_code(&heard)
}

/// "A TCP relayed transport address MUST be allocated instead of a UDP one."
#[test]
fn a_tcp_allocation_is_given_a_socket_that_listens() {
    let mut world = world();
    let (client, relayed) = allocated(&mut world, 1000);
    let outputs = world.take_outputs();
    let [
        Output::OpenRelay {
            address, transport, ..
        },
        ..,
    ] = outputs[..]
    else {
        panic!("{outputs:?}")
    };
    assert_eq!((address, transport), (relayed, RelayTransport::Tcp));
    let [.., Output::SendToClient { to, ref datagram }] = outputs[..] else {
        panic!("{outputs:?}")
    };
    assert_eq!(to, client.five_tuple);
    let heard = Heard::Client(to, datagram.clone());
    assert!(heard.is_signed_by(&client));
    assert_eq!(heard.lifetime(), 600);
    assert!(heard.message().reservation_token().is_none());
    assert_eq!(world.ports_in_use(), 1);
}

#[test]
fn a_busy_port_is_replaced_by_another_one_for_tcp() {
    let mut world = world();
    world.open_results.push_back(Err(OpenError::AddressInUse));
    allocated(&mut world, 1000);
    let transports: Vec<_> = world
        .take_outputs()
        .into_iter()
        .filter_map(|output| {
            let Output::OpenRelay { transport, .. } = output else {
                return None;
            };
            Some(transport)
        })
        .collect();
    assert_eq!(transports, [RelayTransport::Tcp; 2]);
}

/// THREATS 29: off by default.
#[test]
fn unless_it_is_switched_on_nothing_of_it_is_served() {
    let mut world = World::new();
    assert_eq!(refused(&mut world, Transport::Tcp, &[]), 442);
    let mut client = Client::alice(1001).over(Transport::Tcp);
    client.allocate(&mut world);
    for method in [Method::CONNECT, Method::CONNECTION_BIND] {
        let heard = client.ask(&mut world, method, |writer| {
            writer.u32(AttributeType::CONNECTION_ID, 1).unwrap();
        });
        assert_eq!(heard, Heard::Dropped(DropReason::UnknownMethod));
    }
}

/// "If the client connection transport is not TCP or TLS, the server MUST reject the request with a 400."
#[test]
fn it_takes_a_client_on_tcp_or_tls() {
    for (transport, code) in [
        (Transport::Udp, 400),
        (Transport::Dtls, 400),
        (Transport::Tcp, 0),
        (Transport::Tls, 0),
    ] {
        assert_eq!(refused(&mut world(), transport, &[]), code, "{transport:?}");
    }
}

/// "If the request contains the DONT-FRAGMENT, EVEN-PORT, or RESERVATION-TOKEN attribute, the server MUST reject
/// the request with a 400."
#[test]
fn what_only_datagrams_have_cannot_be_asked_for() {
    let extras: [(AttributeType, &[u8]); 3] = [
        (AttributeType::DONT_FRAGMENT, &[]),
        (AttributeType::EVEN_PORT, &[0]),
        (AttributeType::RESERVATION_TOKEN, &[1; 8]),
    ];
    for (extra, can_set_df) in extras
        .into_iter()
        .flat_map(|extra| [(extra, false), (extra, true)])
    {
        let mut world = World::with(|config| {
            enabled(config);
            config.can_set_df = can_set_df;
        });
        assert_eq!(refused(&mut world, Transport::Tcp, &[extra]), 400, "{extra:?}");
    }
}

/// RFC 8016 §3.1.2: a server may have its reasons to refuse mobility.
#[test]
fn a_client_with_a_tcp_relay_does_not_move() {
    let mut world = World::with(|config| {
        enabled(config);
        config.mobility = true;
    });
    let ticket: (AttributeType, &[u8]) = (AttributeType::MOBILITY_TICKET, &[]);
    assert_eq!(refused(&mut world, Transport::Tcp, &[ticket]), 405);
    assert_eq!(refused(&mut world, Transport::Tcp, &[]), 0);
}

#[test]
fn both_families_may_be_asked_for_as_for_datagrams() {
    let mut world = World::with(|config| {
        enabled(config);
        let address = |text| RelayAddress::new(ip(text), ip(text)).unwrap();
        let both = vec![address("192.0.2.1"), address("2606:4700::1")];
        config.relay = RelayAddresses::new(both, None, None).unwrap();
    });
    let additional: (AttributeType, &[u8]) = (AttributeType::ADDITIONAL_ADDRESS_FAMILY, &[2, 0, 0, 0]);
    assert_eq!(refused(&mut world, Transport::Tcp, &[additional]), 0);
    assert_eq!(world.sockets.len(), 2);
    for family in Family::ALL {
        assert_eq!(world.server.counters().allocations(Transport::Tcp, family), 1);
    }
}

/// Peers of a TCP allocation get no datagrams, so there is nothing that a Send indication or a channel could do.
#[test]
fn it_carries_no_datagrams() {
    let mut world = world();
    let (mut client, relayed) = allocated(&mut world, 1000);
    assert_eq!(error_code(&client.permit(&mut world, PEER)), 0);
    assert_eq!(
        client.send(&mut world, PEER, b"x"),
        Heard::Dropped(DropReason::TcpAllocation)
    );
    assert_eq!(error_code(&client.bind(&mut world, 0x4000, PEER)), 400);
    assert_eq!(
        client.send_by_channel(&mut world, 0x4000, b"x"),
        Heard::Dropped(DropReason::ChannelUnbound)
    );

    let mut other = Client::alice(1001);
    let from = other.allocate(&mut world);
    client.permit(&mut world, &from.to_string());
    other.permit(&mut world, &relayed.to_string());
    assert_eq!(
        other.send(&mut world, &relayed.to_string(), b"x"),
        Heard::Dropped(DropReason::NoRelay)
    );
}

#[test]
fn its_requests_are_counted_by_their_methods() {
    let mut world = world();
    let (mut client, _) = allocated(&mut world, 1000);
    connect(&mut world, &mut client, "10.0.0.1:80");
    bind(&mut world, &mut data_connection(&client, 1001), 1);
    let unsigned = client.plain(Class::Request, Method::CONNECT, |_| ());
    world.hear(client.five_tuple, &unsigned);
    let counters = world.server.counters();
    assert_eq!(counters.requests(CountedMethod::Connect, Transport::Tcp), 2);
    assert_eq!(counters.errors(CountedMethod::Connect, 403), 1);
    assert_eq!(counters.errors(CountedMethod::Connect, 401), 1);
    assert_eq!(
        counters.requests(CountedMethod::ConnectionBind, Transport::Tcp),
        1
    );
}
