//! TCP allocations (RFC 6062), told by what clients, peers and the shell do.

mod allocating;
mod attempts;
mod binding;
mod connecting;
mod ending;
mod hairpin;

use std::net::SocketAddr;

use stun_wire::{AttributeType, MessageWriter, Method};

use super::*;
use crate::{Config, FiveTuple, Output, PeerConnectionId, PeerRefusal, TcpRelay, Transport};

const PEER: &str = "8.8.8.8:80";

fn enabled(config: &mut Config) {
    config.tcp_relay = Some(TcpRelay::default());
}

fn world() -> World {
    World::with(enabled)
}

fn tcp(writer: &mut MessageWriter<'_>) {
    writer
        .attribute(AttributeType::REQUESTED_TRANSPORT, &[6, 0, 0, 0])
        .unwrap();
}

/// alice on a TCP connection from this port, with a TCP allocation.
fn allocated(world: &mut World, port: u16) -> (Client, SocketAddr) {
    allocate(world, Client::alice(port))
}

fn allocate(world: &mut World, client: Client) -> (Client, SocketAddr) {
    let mut client = client.over(Transport::Tcp);
    let relayed = client.ask(world, Method::ALLOCATE, tcp).relayed();
    (client, relayed)
}

fn connect(world: &mut World, client: &mut Client, peer: &str) -> Heard {
    let peer = socket(peer);
    client.ask(world, Method::CONNECT, |writer| {
        writer.xor_address(AttributeType::XOR_PEER_ADDRESS, peer).unwrap();
    })
}

/// Connects to a peer that accepts; gives the connection's name and its CONNECTION-ID.
fn connected(world: &mut World, client: &mut Client, peer: &str) -> (PeerConnectionId, u32) {
    assert_eq!(connect(world, client, peer), Heard::Pending);
    let id = last_connect(world);
    let heard = peer_connected(world, id, true);
    assert_eq!(error_code(&heard), 0);
    (id, number(&heard))
}

/// The connection that was asked for last.
fn last_connect(world: &mut World) -> PeerConnectionId {
    let asked = world.take_outputs().into_iter().rev().find_map(|output| {
        let (Output::ConnectPeer { peer, .. } | Output::ConnectRelay { peer, .. }) = output else {
            return None;
        };
        Some(peer)
    });
    asked.expect("a connection to make")
}

fn peer_connected(world: &mut World, id: PeerConnectionId, succeeded: bool) -> Heard {
    world.server.peer_connected(world.now, id, succeeded);
    world.perform_outputs().unwrap_or(Heard::Pending)
}

/// A peer connects to a relayed transport address.
fn arrive(
    world: &mut World,
    relayed: SocketAddr,
    peer: &str,
) -> Result<(PeerConnectionId, Heard), PeerRefusal> {
    let relay = world.relay_at(relayed);
    let outcome = world.server.peer_arrived(world.now, relay, socket(peer));
    let heard = world.perform_outputs();
    outcome.map(|id| (id, heard.expect("the client is told")))
}

/// The same client on a new connection, with the nonce of its control connection.
fn data_connection(control: &Client, port: u16) -> Client {
    let mut data = control.clone();
    data.five_tuple.client.set_port(port);
    data.over(control.five_tuple.transport)
}

fn bind(world: &mut World, data: &mut Client, number: u32) -> Heard {
    data.ask(world, Method::CONNECTION_BIND, |writer| {
        writer.u32(AttributeType::CONNECTION_ID, number).unwrap();
    })
}

/// What CONNECTION-ID holds.
#[track_caller]
fn number(heard: &Heard) -> u32 {
    heard
        .message()
        .u32(AttributeType::CONNECTION_ID)
        .unwrap()
        .unwrap()
}

/// The connections that were to be closed since the last look.
fn closed(world: &mut World) -> Vec<PeerConnectionId> {
    closed_in(&world.take_outputs())
}

fn closed_in(outputs: &[Output]) -> Vec<PeerConnectionId> {
    let closed = outputs.iter().map(|output| {
        let Output::ClosePeer { peer } = output else {
            return None;
        };
        Some(*peer)
    });
    closed.flatten().collect()
}

fn connections(world: &World) -> u64 {
    world.server.counters().peer_connections
}

fn on(transport: Transport, client: &Client) -> FiveTuple {
    client.clone().over(transport).five_tuple
}
