//! Whom a Binding server must not answer.

use std::net::{IpAddr, SocketAddr};

use crate::{Config, Received, Refused};

/// Ports whose services answer anything that comes: quote of the day, chargen, DNS, NTP; and 0, which cannot be
/// answered. An answer to them would be answered again.
const NEVER_ANSWERED: [u16; 5] = [0, 17, 19, 53, 123];

pub(crate) fn check(config: &Config, received: Received) -> Result<(), Refused> {
    // Who set up a connection is no reflector, whatever its port.
    if received.connected {
        return Ok(());
    }
    let source = received.source;
    if NEVER_ANSWERED.contains(&source.port()) {
        return Err(Refused::SourcePort);
    }
    if !is_client(source.ip()) {
        return Err(Refused::SourceAddress);
    }
    if is_own_listener(config, source, received.destination) {
        return Err(Refused::OwnListener);
    }
    Ok(())
}

fn is_client(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    !(ip.is_unspecified() || ip.is_multicast() || broadcast)
}

/// Tells whether an address is where this process itself listens.
pub(crate) fn is_own_listener(config: &Config, address: SocketAddr, destination: SocketAddr) -> bool {
    let here = address.ip() == destination.ip() || address.ip().is_loopback();
    address == destination
        || config.behaviours.iter().any(|behaviour| behaviour.has(address))
        || config.listeners.iter().any(|listener| {
            *listener == address
                || listener.ip().is_unspecified() && listener.port() == address.port() && here
        })
}
