//! Clients with a connection of their own: what a stream needs, and what a handshake has proved.

use super::{client::channel_data, *};
use crate::{CountedMethod, DropReason, EndReason, Family, Output, Transport, UnauthorizedLimit};

const PEER: &str = "8.8.8.8:53";

/// alice over this transport, from this port.
pub(super) fn connected(transport: Transport, port: u16) -> Client {
    Client::alice(port).over(transport)
}

/// RFC 8656 §12.5: over TCP and TLS, ChannelData is padded to a multiple of four; over UDP and DTLS it need not be.
#[test]
fn channel_data_to_a_client_is_padded_on_a_stream_only() {
    for transport in Transport::ALL {
        let mut world = World::new();
        let mut client = connected(transport, 1000);
        let relayed = client.allocate(&mut world);
        client.bind(&mut world, 0x4000, PEER);
        for len in 0..6 {
            let payload = vec![0x5a; len];
            let mut expected = channel_data(0x4000, &payload);
            if transport.is_stream() {
                expected.resize(expected.len().next_multiple_of(4), 0);
            }
            let heard = world.hear_peer(relayed, socket(PEER), &payload);
            assert_eq!(
                heard,
                Heard::Client(client.five_tuple, expected),
                "{transport:?} {len}"
            );
        }
    }
}

/// RFC 8656 §8.1 and §3.1: a relay that no client can use any more is freed.
#[test]
fn the_end_of_a_connection_ends_its_allocation() {
    let mut world = World::new();
    let mut client = connected(Transport::Tcp, 1000);
    client.allocate(&mut world);
    let held = |world: &World, transport| world.server.counters().allocations(transport, Family::V4);
    assert_eq!(
        Transport::ALL.map(|transport| held(&world, transport)),
        [0, 1, 0, 0]
    );
    let asked = |transport| {
        world
            .server
            .counters()
            .requests(CountedMethod::Allocate, transport)
    };
    assert_eq!(Transport::ALL.map(asked), [0, 2, 0, 0]);
    world.take_outputs();
    world.disconnect(client.five_tuple);
    let outputs = world.take_outputs();
    assert!(
        matches!(
            outputs.as_slice(),
            [
                Output::CloseRelay { .. },
                Output::AllocationEnded {
                    reason: EndReason::Disconnected,
                    ..
                }
            ]
        ),
        "{outputs:?}"
    );
    assert_eq!(world.ports_in_use(), 0);
    assert_eq!(Transport::ALL.map(|transport| held(&world, transport)), [0; 4]);
    world.disconnect(client.five_tuple);
    assert_eq!(world.take_outputs(), []);
}

#[test]
fn the_same_addresses_over_another_transport_are_another_client() {
    let mut world = World::new();
    let mut over_udp = Client::alice(1000);
    let mut over_dtls = connected(Transport::Dtls, 1000);
    assert_ne!(over_udp.allocate(&mut world), over_dtls.allocate(&mut world));
}

/// Whoever completed a handshake cannot have forged its address, and a reflecting service does not connect.
#[test]
fn connections_are_answered_beyond_the_limit_for_strangers_and_whatever_their_port() {
    let one = std::num::NonZeroU32::MIN;
    let mut world = World::with(|config| {
        config.unauthorized_limit = Some(UnauthorizedLimit {
            per_second: one,
            burst: one,
        });
    });
    let mut challenges = |mut client: Client| {
        let first = client.plain(
            stun_wire::Class::Request,
            stun_wire::Method::ALLOCATE,
            client::udp,
        );
        world.hear(client.five_tuple, &first)
    };
    for port in [53, 1001, 1002] {
        assert_eq!(error_code(&challenges(connected(Transport::Tcp, port))), 401);
    }
    assert_eq!(error_code(&challenges(Client::alice(1003))), 401);
    assert_eq!(
        challenges(Client::alice(1004)),
        Heard::Dropped(DropReason::RateLimited)
    );
    assert_eq!(
        challenges(Client::alice(53)),
        Heard::Dropped(DropReason::ReflectingPort)
    );
}

#[test]
fn a_binding_request_over_a_connection_is_answered_whatever_its_port() {
    let mut world = World::new();
    let mut client = connected(Transport::Tcp, 53);
    let request = client.plain(stun_wire::Class::Request, stun_wire::Method::BINDING, |_| {});
    let heard = world.hear(client.five_tuple, &request);
    assert_eq!(error_code(&heard), 0, "{heard:?}");
}
