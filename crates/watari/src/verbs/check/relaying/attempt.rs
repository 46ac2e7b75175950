//! One transport tried: two allocations, and data through both relays and back.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use turn_client_proto::{
    api::{TurnClientApi, TurnConfig},
    tcp::TurnClientTcp,
    types::{AddressFamily, TurnCredentials},
    udp::TurnClientUdp,
};

use super::{
    Transport, Trouble, Way,
    driver::Driver,
    line::Line,
    secured::{Expected, Uncertified},
};

/// How long connecting, allocating, and relaying may take, each.
const PATIENCE: Duration = Duration::from_secs(4);

/// What is sent through. Over streams the client, turn-types 0.7.3, does not pad ChannelData, so there is nothing to pad.
const THERE: &[u8; 16] = b"watari check out";
const BACK: &[u8; 16] = b"and watari check";

/// What was relayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Relayed {
    pub(super) relay: SocketAddr,
    pub(super) round_trip: Duration,
}

/// Tries one way to the relay.
pub(super) fn attempt(
    way: Way,
    (name, password): (&str, &str),
    expected: Result<&Expected, Uncertified>,
) -> Result<Relayed, Trouble> {
    let mut config = TurnConfig::new(TurnCredentials::new(name, password));
    let family = if way.relay_is_ipv4 {
        AddressFamily::IPV4
    } else {
        AddressFamily::IPV6
    };
    config.set_address_family(family);
    let server = way.server;
    let line = || line(way, expected);
    match way.transport {
        Transport::Udp | Transport::Dtls => relay(line, |local| {
            TurnClientUdp::allocate(local, server, config.clone())
        }),
        Transport::Tcp | Transport::Tls => relay(line, |local| {
            TurnClientTcp::allocate(local, server, config.clone())
        }),
    }
}

fn line(way: Way, expected: Result<&Expected, Uncertified>) -> Result<Line, Trouble> {
    let certified = || expected.map_err(Trouble::Uncertified);
    match way.transport {
        Transport::Udp => Ok(Line::datagrams(way.server)?),
        Transport::Tcp => Ok(Line::stream(way.server, PATIENCE)?),
        Transport::Tls => Line::tls(way.server, PATIENCE, certified()?),
        #[cfg(feature = "dtls")]
        Transport::Dtls => Line::dtls(way.server, PATIENCE, certified()?),
        #[cfg(not(feature = "dtls"))]
        Transport::Dtls => Err(Trouble::Broken("this program was built without DTLS".to_owned())),
    }
}

/// The peer is a second allocation: a relay of the server's own is a peer by its default rules, and others need not be.
fn relay<C: TurnClientApi>(
    line: impl Fn() -> Result<Line, Trouble>,
    client: impl Fn(SocketAddr) -> C,
) -> Result<Relayed, Trouble> {
    let allocate = || {
        let line = line()?;
        let client = client(line.local()?);
        Driver::allocate(line, client, PATIENCE)
    };
    let (mut one, relay) = allocate()?;
    let (mut other, peer) = match allocate() {
        Ok(second) => second,
        Err(trouble) => {
            one.end();
            return Err(trouble);
        }
    };
    let relayed = there_and_back((&mut one, relay), (&mut other, peer));
    one.end();
    other.end();
    let round_trip = relayed?;
    Ok(Relayed { relay, round_trip })
}

fn there_and_back<C: TurnClientApi>(
    (one, relay): (&mut Driver<C>, SocketAddr),
    (other, peer): (&mut Driver<C>, SocketAddr),
) -> Result<Duration, Trouble> {
    one.be_patient(PATIENCE);
    other.be_patient(PATIENCE);
    one.bind(peer)?;
    other.bind(relay)?;
    let start = Instant::now();
    one.send(peer, THERE)?;
    if other.next()? != (relay, THERE.to_vec()) {
        return Err(Trouble::NotRelayed);
    }
    other.send(relay, BACK)?;
    if one.next()? != (peer, BACK.to_vec()) {
        return Err(Trouble::NotRelayed);
    }
    Ok(start.elapsed())
}
