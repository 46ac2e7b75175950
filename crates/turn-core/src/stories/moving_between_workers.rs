//! A client that moves may be brought to another worker than the one that holds its allocation.

use std::net::SocketAddr;

use stun_wire::{AttributeType, Method};

use super::{
    client::{channel_data, udp},
    moving::{mobile, redeeming, ticket, wish},
    workers::Workers,
    *,
};
use crate::{Config, DropReason, Errand, Link, Output, Transport};

const PEER: &str = "8.8.8.8:53";
/// The worker where she allocates, and the one she moves to.
const HOME: usize = 0;
const AWAY: usize = 1;

fn settled(change: impl Fn(&mut Config)) -> (Workers, Client, SocketAddr, Vec<u8>) {
    let mut workers = Workers::new(|config| {
        mobile(config);
        change(config);
    });
    let world = &mut workers.worlds[HOME];
    let mut alice = Client::alice(1000);
    let heard = alice.ask(world, Method::ALLOCATE, wish);
    alice.bind(world, 0x4000, PEER);
    world.take_outputs();
    (workers, alice, heard.relayed(), ticket(&heard))
}

fn moved(client: &Client, port: u16, transport: Transport) -> Client {
    let mut client = client.clone();
    client.five_tuple.client.set_port(port);
    client.skip_ids(u64::from(port));
    if transport == Transport::Udp {
        client
    } else {
        client.over(transport)
    }
}

/// Redeems the ticket at the other worker: challenged first, as the nonce is another address's.
#[track_caller]
fn redeem(workers: &mut Workers, client: &mut Client, at: usize, ticket: &[u8]) -> Heard {
    if let Link::Connection(id) = &mut client.five_tuple.link {
        id.worker = at as u16;
    }
    let refresh = redeeming(client, ticket);
    let challenge = workers.hear(at, client.five_tuple, &refresh);
    assert_eq!(error_code(&challenge), 438);
    client.nonce = challenge.message().nonce().unwrap().to_vec();
    let refresh = redeeming(client, ticket);
    workers.hear(at, client.five_tuple, &refresh)
}

fn ask(workers: &mut Workers, client: &mut Client, method: Method) -> Heard {
    let request = client.request(method, |writer| {
        udp(writer);
        writer
            .xor_address(AttributeType::XOR_PEER_ADDRESS, socket(PEER))
            .unwrap();
    });
    workers.hear(AWAY, client.five_tuple, &request)
}

fn refresh(workers: &mut Workers, client: &mut Client, lifetime: u32) -> Heard {
    let request = client.request(Method::REFRESH, |writer| {
        writer.u32(AttributeType::LIFETIME, lifetime).unwrap();
    });
    workers.hear(AWAY, client.five_tuple, &request)
}

#[test]
fn a_client_is_served_through_the_worker_it_is_brought_to() {
    for transport in Transport::ALL {
        let (mut workers, alice, relayed, first) = settled(|_| ());
        let mut there = moved(&alice, 2000, transport);
        let heard = redeem(&mut workers, &mut there, AWAY, &first);
        assert_ne!(ticket(&heard), first);
        assert_eq!(workers.last, AWAY, "the answer leaves where the request came");

        let data = channel_data(0x4000, b"data");
        let heard = workers.hear(AWAY, there.five_tuple, &data);
        let expected = Heard::Peer {
            from: relayed,
            to: socket(PEER),
            payload: b"data".to_vec(),
        };
        assert_eq!((heard, workers.last), (expected, HOME), "{transport:?}");

        let heard = workers.hear_peer(HOME, relayed, socket(PEER));
        assert!(
            matches!(heard, Heard::Client(to, _) if to == there.five_tuple),
            "{heard:?}"
        );
        let leaves_at = if transport == Transport::Udp { HOME } else { AWAY };
        assert_eq!(workers.last, leaves_at, "{transport:?}");

        let permitted = ask(&mut workers, &mut there, Method::CREATE_PERMISSION);
        assert_eq!((error_code(&permitted), workers.last), (0, AWAY));
        assert_eq!(refresh(&mut workers, &mut there, 900).lifetime(), 900);
    }
}

/// What a stream's client gets through another worker is padded as ever (RFC 8656 §12.5).
#[test]
fn framing_does_not_depend_on_the_way() {
    let (mut workers, alice, relayed, first) = settled(|_| ());
    let mut there = moved(&alice, 2000, Transport::Tls);
    redeem(&mut workers, &mut there, AWAY, &first);
    workers.hear(AWAY, there.five_tuple, &channel_data(0x4000, b"data"));
    let heard = workers.hear_peer(HOME, relayed, socket(PEER));
    let framed = b"\x40\x00\x00\x09from afar\0\0\0".to_vec();
    assert_eq!(heard, Heard::Client(there.five_tuple, framed));
}

#[test]
fn a_refresh_renews_the_route() {
    let (mut workers, alice, _, first) = settled(|_| ());
    let mut there = moved(&alice, 2000, Transport::Udp);
    redeem(&mut workers, &mut there, AWAY, &first);
    for _ in 0..5 {
        workers.pass(500);
        assert_eq!(
            error_code(&ask(&mut workers, &mut there, Method::CHANNEL_BIND)),
            400
        );
        assert_eq!(refresh(&mut workers, &mut there, 600).lifetime(), 600);
    }
    workers.pass(600);
    assert_eq!(error_code(&refresh(&mut workers, &mut there, 600)), 437);
    assert_eq!(workers.last, AWAY);
}

/// An answer that got lost between the workers is as one that got lost on the network. (Who sends datagrams is found in
/// the directory meanwhile.)
#[test]
fn a_retransmit_brings_the_route_that_was_lost() {
    let (mut workers, alice, _, first) = settled(|_| ());
    let mut there = moved(&alice, 2000, Transport::Dtls);
    if let Link::Connection(id) = &mut there.five_tuple.link {
        id.worker = AWAY as u16;
    }
    let probe = redeeming(&mut there, &first);
    let challenge = workers.hear(AWAY, there.five_tuple, &probe);
    there.nonce = challenge.message().nonce().unwrap().to_vec();
    let refresh = redeeming(&mut there, &first);
    let handed = workers.worlds[AWAY].hear(there.five_tuple, &refresh);
    let Heard::Worker { errand, payload, .. } = handed else {
        panic!("{handed:?}")
    };
    let lost = workers.worlds[HOME].hear_errand(AWAY as u16, errand, &payload);
    let Heard::Worker { payload: answer, .. } = lost else {
        panic!("{lost:?}")
    };
    assert_eq!(
        workers.hear(AWAY, there.five_tuple, &channel_data(0x4000, b"x")),
        Heard::Dropped(DropReason::NoAllocation)
    );
    let again = workers.hear(AWAY, there.five_tuple, &refresh);
    assert_eq!(again, Heard::Client(there.five_tuple, answer));
    let heard = workers.hear(AWAY, there.five_tuple, &channel_data(0x4000, b"x"));
    assert!(matches!(heard, Heard::Peer { .. }), "{heard:?}");
}

#[test]
fn a_connection_that_ends_at_the_other_worker_leaves_the_allocation_held() {
    let (mut workers, alice, relayed, first) = settled(|_| ());
    let mut there = moved(&alice, 2000, Transport::Tls);
    let second = ticket(&redeem(&mut workers, &mut there, AWAY, &first));
    workers.hear(AWAY, there.five_tuple, &channel_data(0x4000, b"x"));
    workers.disconnect(AWAY, there.five_tuple);
    assert_eq!(
        workers.hear_peer(HOME, relayed, socket(PEER)),
        Heard::Dropped(DropReason::ClientAway)
    );
    let mut back = moved(&alice, 3000, Transport::Tcp);
    ticket(&redeem(&mut workers, &mut back, HOME, &second));
    let heard = workers.hear_peer(HOME, relayed, socket(PEER));
    assert!(matches!(heard, Heard::Client(to, _) if to == back.five_tuple));
    assert_eq!(workers.last, HOME);
}

#[test]
fn the_end_of_an_allocation_frees_its_client_at_the_other_worker() {
    let (mut workers, alice, _, first) = settled(|_| ());
    let mut there = moved(&alice, 2000, Transport::Udp);
    redeem(&mut workers, &mut there, AWAY, &first);
    assert_eq!(refresh(&mut workers, &mut there, 0).lifetime(), 0);
    assert_eq!(error_code(&ask(&mut workers, &mut there, Method::ALLOCATE)), 0);
    assert_eq!(workers.last, AWAY);
    assert_eq!(workers.worlds[HOME].ports_in_use(), 0);
    assert_eq!(workers.worlds[AWAY].ports_in_use(), 1);
}

/// The word that an allocation ended may get lost.
#[test]
fn a_route_that_outlived_its_allocation_leads_back() {
    let (mut workers, alice, _, first) = settled(|_| ());
    let mut there = moved(&alice, 2000, Transport::Udp);
    redeem(&mut workers, &mut there, AWAY, &first);
    let farewell = there.request(Method::REFRESH, |writer| {
        writer.u32(AttributeType::LIFETIME, 0).unwrap();
    });
    let handed = workers.worlds[AWAY].hear(there.five_tuple, &farewell);
    let Heard::Worker { errand, payload, .. } = handed else {
        panic!("{handed:?}")
    };
    workers.worlds[HOME].hear_errand(AWAY as u16, errand, &payload);
    assert!(matches!(
        workers.worlds[HOME].told[..],
        [(1, Errand::Forget { .. })]
    ));
    workers.worlds[HOME].told.clear();
    assert_eq!(error_code(&ask(&mut workers, &mut there, Method::ALLOCATE)), 0);
    assert_eq!((workers.last, workers.worlds[AWAY].ports_in_use()), (AWAY, 1));
    assert_eq!(refresh(&mut workers, &mut there, 600).lifetime(), 600);
}

#[test]
fn a_client_that_moves_on_leaves_no_route_behind() {
    let (mut workers, alice, _, first) = settled(|_| ());
    let mut there = moved(&alice, 2000, Transport::Udp);
    let second = ticket(&redeem(&mut workers, &mut there, AWAY, &first));
    workers.hear(AWAY, there.five_tuple, &channel_data(0x4000, b"x"));
    let mut back = moved(&alice, 3000, Transport::Udp);
    redeem(&mut workers, &mut back, HOME, &second);
    workers.hear(HOME, back.five_tuple, &channel_data(0x4000, b"x"));
    let heard = workers.hear(AWAY, there.five_tuple, &channel_data(0x4000, b"x"));
    assert_eq!(heard, Heard::Dropped(DropReason::NoAllocation));
    assert_eq!(workers.last, AWAY, "it was not handed over");
}

#[test]
fn a_ticket_that_is_worth_nothing_is_refused_by_the_worker_it_names() {
    let (mut workers, mut alice, _, first) = settled(|_| ());
    alice.refresh(&mut workers.worlds[HOME], 0);
    let mut there = moved(&alice, 2000, Transport::Udp);
    let heard = redeem(&mut workers, &mut there, AWAY, &first);
    assert_eq!(error_code(&heard), 437);
}

#[test]
fn a_forged_ticket_is_not_handed_over() {
    let (mut workers, alice, ..) = settled(|_| ());
    let mut there = moved(&alice, 2000, Transport::Udp);
    let refresh = redeeming(&mut there, &[b'A'; 32]);
    let heard = workers.worlds[AWAY].hear(there.five_tuple, &refresh);
    assert_eq!(error_code(&heard), 438);
}

#[test]
fn whoever_has_an_allocation_at_one_worker_gets_no_second_one_at_the_other() {
    let (mut workers, alice, _, first) = settled(|_| ());
    let mut there = moved(&alice, 2000, Transport::Udp);
    there.nonce.clear();
    there.allocate(&mut workers.worlds[AWAY]);
    let refresh = redeeming(&mut there, &first);
    assert_eq!(error_code(&workers.hear(AWAY, there.five_tuple, &refresh)), 437);

    let mut farther = moved(&alice, 3000, Transport::Udp);
    redeem(&mut workers, &mut farther, AWAY, &first);
    assert_eq!(
        error_code(&ask(&mut workers, &mut farther, Method::ALLOCATE)),
        437
    );
}

/// The table of routes is bounded; who finds no room is not told that he moved.
#[test]
fn no_more_clients_are_brought_to_a_worker_than_it_may_have() {
    let (mut workers, mut alice, _, first) = settled(|config| {
        if config.share.index() == AWAY as u16 {
            config.limits.allocations = 1;
        }
    });
    let mut there = moved(&alice, 2000, Transport::Udp);
    ticket(&redeem(&mut workers, &mut there, AWAY, &first));
    alice.five_tuple.client.set_port(1001);
    alice.nonce.clear();
    let heard = alice.ask(&mut workers.worlds[HOME], Method::ALLOCATE, wish);
    let mut farther = moved(&alice, 3000, Transport::Udp);
    let heard = redeem(&mut workers, &mut farther, AWAY, &ticket(&heard));
    assert_eq!(heard, Heard::Dropped(DropReason::TooManyMoved));
    workers.pass(600);
    workers.worlds[AWAY].take_outputs();
    let outputs = workers.worlds[HOME].take_outputs();
    let ended = |output: &&Output| matches!(output, Output::AllocationEnded { .. });
    assert_eq!(outputs.iter().filter(ended).count(), 2);
}
