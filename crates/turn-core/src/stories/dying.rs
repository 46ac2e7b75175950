//! Datagrams nobody can read: each costs a counter and nothing else.

use proptest::prelude::*;
use stun_wire::{AttributeType, Class, Method};

use super::{client::udp, *};
use crate::{DropReason, Packet, Verdict};

#[test]
fn what_is_neither_stun_nor_channel_data_is_not_turn() {
    let mut world = World::new();
    let from = Client::alice(1000).five_tuple;
    assert_eq!(world.hear(from, b""), Heard::Dropped(DropReason::Empty));
    for first in [4, 19, 20, 22, 63, 128, 191, 192, 255] {
        assert_eq!(
            world.hear(from, &[first; 100]),
            Heard::Dropped(DropReason::NotTurn),
            "{first}"
        );
    }
}

/// THREATS 10.
#[test]
fn a_malformed_datagram_of_any_length_costs_a_counter() {
    let mut world = World::new();
    let from = Client::alice(1000).five_tuple;
    let lengths = [1, 2, 3, 4, 19, 20, 21, 28, 1199, 1200, 1500, 9000, 65_507];
    for len in lengths {
        for first in [0, 1, 2, 3] {
            assert_eq!(
                world.hear(from, &vec![first; len]),
                Heard::Dropped(DropReason::Malformed),
                "{len}"
            );
        }
    }
    assert_eq!(
        world.server.counters().dropped(DropReason::Malformed),
        4 * lengths.len() as u64
    );
}

#[test]
fn every_truncation_of_a_request_dies() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.learn_nonce(&mut world);
    let request = client.request(Method::ALLOCATE, udp);
    for len in 1..request.len() {
        assert_eq!(
            world.hear(client.five_tuple, &request[..len]),
            Heard::Dropped(DropReason::Malformed)
        );
    }
}

#[test]
fn without_room_for_the_answer_nothing_is_sent() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    let request = client.plain(Class::Request, Method::ALLOCATE, udp);
    let mut packet_bytes = request.clone();
    let mut packet = Packet::new(&mut packet_bytes, 0, request.len());
    let verdict = world
        .server
        .handle_client(world.now, client.five_tuple, &mut packet);
    assert_eq!(verdict, Verdict::Drop(DropReason::NoRoom));
}

#[test]
fn without_headroom_a_peers_datagram_dies() {
    let mut world = World::new();
    let mut client = Client::alice(1000);
    client.allocate(&mut world);
    client.permit(&mut world, "8.8.8.8:1");
    let relay = *world.sockets.keys().next().unwrap();
    let mut buffer = [0; 100];
    let mut packet = Packet::new(&mut buffer, 35, 4);
    let verdict = world
        .server
        .handle_peer(world.now, relay, socket("8.8.8.8:1"), &mut packet);
    assert_eq!(verdict, Verdict::Drop(DropReason::NoRoom));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any bytes from anyone, and mutations of real requests: no panic, and the books stay right.
    #[test]
    fn any_datagrams_leave_the_books_right(
        steps in prop::collection::vec((0_u8..8, any::<u16>(), prop::collection::vec(any::<u8>(), 0..64)), 1..40),
    ) {
        let mut world = World::new();
        let mut clients: Vec<_> = (0..4).map(|n| Client::alice(1000 + n)).collect();
        for (step, number, bytes) in steps {
            let client = &mut clients[usize::from(number) % 4];
            match step {
                0 => { world.hear(client.five_tuple, &bytes); }
                1 => { client.ask(&mut world, Method::ALLOCATE, udp); }
                2 => { client.refresh(&mut world, u32::from(number) % 1000 * 4); }
                3 => { client.bind(&mut world, 0x4000 + number % 4, &format!("8.8.8.8:{}", number % 3)); }
                4 => { world.pass(u64::from(number) % 400); client.nonce.clear(); }
                5 => {
                    let mut request = client.request(Method::ALLOCATE, |writer| {
                        udp(writer);
                        writer.attribute(AttributeType::EVEN_PORT, &[0x80]).unwrap();
                    });
                    for pair in bytes.chunks_exact(2) {
                        let at = usize::from(pair[0]) % request.len();
                        request[at] = pair[1];
                    }
                    world.hear(client.five_tuple, &request);
                }
                6 => {
                    let relayed: Vec<_> = world.sockets.values().copied().collect();
                    for local in relayed {
                        world.hear_peer(local, socket("8.8.8.8:1"), &bytes);
                    }
                }
                _ => { client.send(&mut world, &format!("192.0.2.1:{}", 50_000 + number % 20), &bytes); }
            }
        }
        for _ in 0..3 {
            world.pass(3600);
        }
        prop_assert_eq!(world.ports_in_use(), 0);
        prop_assert_eq!(world.server.poll_timeout(), None);
    }
}
