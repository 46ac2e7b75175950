//! A client whose datagrams the kernel brings to another worker than before, because the number of sockets on the port
//! changed.

use std::net::SocketAddr;

use stun_wire::{AttributeType, Class, Method};

use super::{
    client::{channel_data, udp},
    workers::Workers,
    *,
};
use crate::{CountedMethod, DropReason, Errand, Transport};

const PEER: &str = "8.8.8.8:53";
/// The worker where she allocated, and the one that hears her now.
const HOME: usize = 0;
const AWAY: usize = 1;

fn settled() -> (Workers, Client, SocketAddr) {
    let mut workers = Workers::new(|_| ());
    let mut alice = Client::alice(1000);
    let relayed = alice.allocate(&mut workers.worlds[HOME]);
    alice.bind(&mut workers.worlds[HOME], 0x4000, PEER);
    (workers, alice, relayed)
}

fn ask(workers: &mut Workers, client: &mut Client, method: Method, lifetime: Option<u32>) -> Heard {
    let request = client.request(method, |writer| {
        udp(writer);
        let peer = socket(PEER);
        writer.xor_address(AttributeType::XOR_PEER_ADDRESS, peer).unwrap();
        if let Some(lifetime) = lifetime {
            writer.u32(AttributeType::LIFETIME, lifetime).unwrap();
        }
    });
    workers.hear(AWAY, client.five_tuple, &request)
}

#[test]
fn data_and_requests_find_the_allocation() {
    let (mut workers, mut alice, relayed) = settled();
    let sent = Heard::Peer {
        from: relayed,
        to: socket(PEER),
        payload: b"data".to_vec(),
    };
    let heard = workers.hear(AWAY, alice.five_tuple, &channel_data(0x4000, b"data"));
    assert_eq!((heard, workers.last), (sent.clone(), HOME));
    let indication = alice.plain(Class::Indication, Method::SEND, |writer| {
        let peer = socket(PEER);
        writer.xor_address(AttributeType::XOR_PEER_ADDRESS, peer).unwrap();
        writer.attribute(AttributeType::DATA, b"data").unwrap();
    });
    assert_eq!(workers.hear(AWAY, alice.five_tuple, &indication), sent);
    let counted = workers.worlds.each_ref().map(|world| {
        let counters = world.server.counters();
        counters.requests(CountedMethod::Send, Transport::Udp)
    });
    assert_eq!(counted, [1, 0], "each where it is served");

    let permitted = ask(&mut workers, &mut alice, Method::CREATE_PERMISSION, None);
    assert_eq!((error_code(&permitted), workers.last), (0, HOME));
    let refreshed = ask(&mut workers, &mut alice, Method::REFRESH, Some(900));
    assert_eq!(refreshed.lifetime(), 900);
    let heard = workers.hear_peer(HOME, relayed, socket(PEER));
    assert!(matches!(heard, Heard::Client(to, _) if to == alice.five_tuple));
}

/// RFC 8656 §7.2: the five-tuple is in use, whoever hears that.
#[test]
fn a_second_allocate_is_refused_and_a_retransmit_gets_the_same_answer() {
    let mut workers = Workers::new(|_| ());
    let mut alice = Client::alice(1000);
    alice.learn_nonce(&mut workers.worlds[HOME]);
    let allocate = alice.request(Method::ALLOCATE, udp);
    let first = workers.hear(HOME, alice.five_tuple, &allocate);
    assert_eq!(workers.hear(AWAY, alice.five_tuple, &allocate), first);
    let second = ask(&mut workers, &mut alice, Method::ALLOCATE, None);
    assert_eq!(error_code(&second), 437);
    let ports = workers.worlds.each_ref().map(World::ports_in_use);
    assert_eq!(ports, [1, 0]);
}

#[test]
fn once_the_allocation_is_gone_any_worker_makes_a_new_one() {
    let (mut workers, mut alice, _) = settled();
    assert_eq!(
        ask(&mut workers, &mut alice, Method::REFRESH, Some(0)).lifetime(),
        0
    );
    let heard = workers.hear(AWAY, alice.five_tuple, &channel_data(0x4000, b"data"));
    assert_eq!(heard, Heard::Dropped(DropReason::NoAllocation));
    ask(&mut workers, &mut alice, Method::ALLOCATE, None).relayed();
    assert_eq!(workers.last, AWAY);

    workers.pass(601);
    alice.allocate(&mut workers.worlds[HOME]);
}

/// The directory may name a worker that knows nothing of the client any more.
#[test]
fn what_is_handed_back_is_served_where_it_came_and_goes_round_no_more() {
    let (mut workers, alice, _) = settled();
    let data = channel_data(0x4000, b"data");
    let Heard::Worker { errand, .. } = workers.worlds[AWAY].hear(alice.five_tuple, &data) else {
        panic!("handed over")
    };
    let client = alice.five_tuple;
    assert_eq!(errand, Errand::FromClient { client });
    let returned = workers.worlds[AWAY].hear_errand(0, Errand::Returned { client }, &data);
    assert_eq!(returned, Heard::Dropped(DropReason::NoAllocation));
}

#[test]
fn whoever_has_no_allocation_is_served_where_it_comes_and_so_is_a_binding_request() {
    let (mut workers, mut alice, _) = settled();
    let binding = alice.plain(Class::Request, Method::BINDING, |_| ());
    workers.hear(AWAY, alice.five_tuple, &binding);
    assert_eq!(workers.last, AWAY);
    let mut bob = Client::bob(2000);
    bob.allocate(&mut workers.worlds[AWAY]);
    let counted = |at: usize| {
        let counters = workers.worlds[at].server.counters();
        counters.requests(CountedMethod::Allocate, Transport::Udp)
    };
    assert_eq!([counted(HOME), counted(AWAY)], [2, 2]);
}

/// A connection never leaves the worker that accepted it, whatever its addresses.
#[test]
fn connections_are_not_looked_for() {
    let (mut workers, _, _) = settled();
    let stranger = Client::alice(1000).over(Transport::Tcp);
    let heard = workers.hear(AWAY, stranger.five_tuple, &channel_data(0x4000, b"data"));
    assert_eq!(heard, Heard::Dropped(DropReason::NoAllocation));
}
