//! A client keeps its allocation from address to address and from transport to transport, whichever worker the kernel
//! brings it to.
#![allow(clippy::unwrap_used, reason = "tests fail loudly")]

#[allow(dead_code, reason = "other tests use the rest")]
mod client;
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use std::{
    net::{SocketAddr, UdpSocket},
    thread::sleep,
    time::Duration,
};

use stun_wire::{AttributeType, Message, Method};
use turn_server::{Config, Mobility};

use client::{Client, Relayed, wire::Wire};
use server::{Server, config, peer};

const CHANNEL: u16 = 0x4000;

fn mobile(enabled: bool) -> Config {
    Config {
        mobility: Mobility { enabled },
        ..config("127.0.0.1:0", 4)
    }
}

fn ticket(answer: &[u8]) -> Vec<u8> {
    let message = Message::parse(answer).unwrap();
    let ticket = message.attribute(AttributeType::MOBILITY_TICKET);
    ticket.expect("a ticket").to_vec()
}

fn allocate(client: &mut Client) -> Result<Vec<u8>, u16> {
    client.request(Method::ALLOCATE, |writer| {
        writer.u32(AttributeType::REQUESTED_TRANSPORT, 17 << 24).unwrap();
        writer.attribute(AttributeType::MOBILITY_TICKET, b"").unwrap();
    })
}

fn redeem(client: &mut Client, ticket: &[u8]) -> Result<Vec<u8>, u16> {
    client.request(Method::REFRESH, |writer| {
        writer.attribute(AttributeType::MOBILITY_TICKET, ticket).unwrap();
    })
}

/// A client with a ticket and a channel, and where its relay is.
fn settled(server: &Server, wire: Wire) -> (Client, Vec<u8>, SocketAddr, UdpSocket) {
    let peer = peer("127.0.0.1:0");
    let mut client = Client::by(wire, server.udp());
    assert_eq!(allocate(&mut client), Err(401));
    let answer = allocate(&mut client).unwrap();
    let message = Message::parse(&answer).unwrap();
    let relayed = message.xor_address(AttributeType::XOR_RELAYED_ADDRESS);
    client.bind(CHANNEL, peer.local_addr().unwrap()).unwrap();
    (client, ticket(&answer), relayed.unwrap().unwrap(), peer)
}

/// Redeems the ticket from another place; the nonce is the old one's, so it is challenged first.
fn arrive(client: &Client, wire: Wire, first: &[u8]) -> (Client, Vec<u8>) {
    let mut there = client.moved(wire);
    assert_eq!(redeem(&mut there, first), Err(438));
    let next = ticket(&redeem(&mut there, first).unwrap());
    (there, next)
}

/// Lets data go both ways.
fn converse(client: &Client, relayed: SocketAddr, peer: &UdpSocket, text: &str) {
    let mut bytes = [0; 2048];
    client.send_channel(CHANNEL, text.as_bytes());
    let (len, from) = peer.recv_from(&mut bytes).unwrap();
    assert_eq!((&bytes[..len], from), (text.as_bytes(), relayed));
    peer.send_to(text.as_bytes(), relayed).unwrap();
    let heard = client.receive(&mut bytes);
    assert_eq!(heard, Relayed::Channel(CHANNEL, text.as_bytes()));
}

/// Moves once for each way, and asks all that a client may ask at each place.
fn wander(server: &Server, ways: impl Iterator<Item = Wire>) {
    let (mut client, mut ticket_now, relayed, peer) =
        settled(server, Wire::udp("127.0.0.1:0".parse().unwrap(), server.udp()));
    let mut moves = 0;
    for wire in ways {
        let (mut there, next) = arrive(&client, wire, &ticket_now);
        peer.send_to(b"to the old place", relayed).unwrap();
        let mut bytes = [0; 2048];
        let heard = client.receive(&mut bytes);
        assert_eq!(heard, Relayed::Channel(CHANNEL, b"to the old place"));

        converse(&there, relayed, &peer, &format!("at place {moves}"));
        there.permit(peer.local_addr().unwrap()).unwrap();
        there.refresh(600).unwrap();
        (client, ticket_now, moves) = (there, next, moves + 1);
    }
    client.refresh(0).unwrap();
    server.wait_for("turn_allocations_created_total", "", 1.0);
    server.wait_for("turn_allocations_resumed_total", "", f64::from(moves));
    server.wait_for("turn_relay_ports_in_use", "", 0.0);
    assert_eq!(server.metric("turn_dropped_datagrams_total", ""), 0.0);
    assert_eq!(
        allocate(&mut client).map(drop),
        Ok(()),
        "the place is free for another"
    );
}

#[test]
fn a_client_that_moves_again_and_again_loses_nothing_on_any_worker() {
    let server = Server::start(&mobile(true));
    wander(
        &server,
        (0..32).map(|_| Wire::udp("127.0.0.1:0".parse().unwrap(), server.udp())),
    );
}

/// A connection stays with the worker that accepted it.
#[test]
fn a_client_that_moves_between_udp_and_tcp_loses_nothing_on_any_worker() {
    let server = Server::start(&mobile(true));
    let way = |round| match round % 3 {
        0 => Wire::udp("127.0.0.1:0".parse().unwrap(), server.udp()),
        _ => Wire::tcp(server.tcp()),
    };
    wander(&server, (0..48).map(way));
}

#[test]
fn a_client_whose_connection_breaks_comes_back_to_its_allocation() {
    let server = Server::start(&mobile(true));
    let (mut client, mut ticket_now, relayed, peer) = settled(&server, Wire::tcp(server.tcp()));
    for round in 1..=16 {
        // Broken off where it is, which is another worker than the allocation's most of the time.
        client.wire = Wire::udp("127.0.0.1:0".parse().unwrap(), server.udp());
        server.wait_for("turn_connections", "tcp", 0.0);
        let away = || server.metric("turn_dropped_datagrams_total", "client_away");
        let before = away();
        while away() == before {
            peer.send_to(b"anybody there?", relayed).unwrap();
            sleep(Duration::from_millis(5));
        }
        let (there, next) = arrive(&client, Wire::tcp(server.tcp()), &ticket_now);
        converse(&there, relayed, &peer, &format!("back for the {round}th time"));
        (client, ticket_now) = (there, next);
    }
    client.refresh(0).unwrap();
    server.wait_for("turn_relay_ports_in_use", "", 0.0);
}

#[test]
fn nobody_moves_unless_the_operator_wants_it() {
    let server = Server::start(&mobile(false));
    let mut client = Client::of(server.udp());
    assert_eq!(allocate(&mut client), Err(401));
    assert_eq!(allocate(&mut client), Err(405));
}
