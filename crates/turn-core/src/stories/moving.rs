//! RFC 8016: clients that change their address and keep their allocation.

mod arriving;
mod asking;
mod reconnecting;
mod redeeming;

use std::net::SocketAddr;

use stun_wire::{AttributeType, Method};

use super::{client::udp, *};
use crate::{Config, FiveTuple};

const PEER: &str = "8.8.8.8:53";

pub(super) fn mobile(config: &mut Config) {
    config.mobility = true;
}

/// An Allocate that asks for a ticket.
pub(super) fn wish(writer: &mut stun_wire::MessageWriter<'_>) {
    udp(writer);
    writer.attribute(AttributeType::MOBILITY_TICKET, b"").unwrap();
}

#[track_caller]
pub(super) fn ticket(heard: &Heard) -> Vec<u8> {
    assert_eq!(error_code(heard), 0);
    let ticket = heard.message().attribute(AttributeType::MOBILITY_TICKET);
    ticket.expect("a ticket").to_vec()
}

/// A Refresh that redeems a ticket, signed as the client is.
pub(super) fn redeeming(client: &mut Client, ticket: &[u8]) -> Vec<u8> {
    client.request(Method::REFRESH, |writer| {
        writer.attribute(AttributeType::MOBILITY_TICKET, ticket).unwrap();
    })
}

fn redeem(world: &mut World, client: &mut Client, ticket: &[u8]) -> Heard {
    if client.nonce.is_empty() {
        client.learn_nonce(world);
    }
    let refresh = redeeming(client, ticket);
    world.hear(client.five_tuple, &refresh)
}

/// alice with a ticket, and a channel to the peer.
fn settled() -> (World, Client, SocketAddr, Vec<u8>) {
    let mut world = World::with(mobile);
    let mut alice = Client::alice(1000);
    let heard = alice.ask(&mut world, Method::ALLOCATE, wish);
    let (relayed, ticket) = (heard.relayed(), ticket(&heard));
    alice.bind(&mut world, 0x4000, PEER);
    world.take_outputs();
    (world, alice, relayed, ticket)
}

/// The same client on another port, without a nonce for it.
fn moved(client: &Client, port: u16) -> Client {
    let mut client = client.clone();
    client.five_tuple.client.set_port(port);
    client.nonce.clear();
    client.skip_ids(u64::from(port));
    client
}

/// Where the peer's datagrams go.
#[track_caller]
fn whereabouts(world: &mut World, relayed: SocketAddr) -> FiveTuple {
    let heard = world.hear_peer(relayed, socket(PEER), b"x");
    let Heard::Client(to, _) = heard else {
        panic!("{heard:?}")
    };
    to
}
