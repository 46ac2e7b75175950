//! The HTTP listeners of the suite.

use std::{io, net::SocketAddr, time::Duration};

use lifecycle::{Shutdown, Supervisor, passed_listener};
use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;

use super::{
    connections::{self, Patience},
    limited::{Limited, Limits},
    service::Service,
    visitors::Visitors,
};
use crate::failure::Failure;

/// How long answers that are under way may take once the end was asked for.
pub(super) const DRAIN: Duration = Duration::from_secs(3);

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// Heads fit into one packet mostly; who takes longer keeps connections that others could have.
const PATIENCE: Patience = Patience {
    head: Duration::from_secs(10),
    drain: DRAIN,
};

/// Binds all `addresses` of `what` (its table in the settings).
///
/// A machine without IPv6 still gets what listens on `[::1]` or `[::]` beside another address.
pub(crate) fn bind(what: &'static str, addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, Failure> {
    let mut listeners = Vec::new();
    for &address in addresses {
        match listen(address) {
            Ok(listener) => listeners.push(listener),
            Err(error) if is_spare(address, addresses, &error) => {
                tracing::info!(%address, %error, "not listening there: this machine has no IPv6");
            }
            Err(error) => return Err(Failure::Listen { what, address, error }),
        }
    }
    Ok(listeners)
}

/// Listens on this address alone, by the service manager's socket where it has opened one: `[::]` leaves IPv4 to `0.0.0.0`.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    if let Some(listener) = passed_listener(address)? {
        return TcpListener::from_std(listener);
    }
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A connection of the last run may still be dying.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

fn is_spare(address: SocketAddr, all: &[SocketAddr], error: &io::Error) -> bool {
    let is_general = address.ip().is_loopback() || address.ip().is_unspecified();
    let taken = matches!(
        error.kind(),
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
    );
    address.is_ipv6() && is_general && !taken && all.iter().any(SocketAddr::is_ipv4)
}

/// The addresses that listeners got, ephemeral ports included.
pub(crate) fn addresses(listeners: &[TcpListener]) -> io::Result<Vec<SocketAddr>> {
    listeners.iter().map(TcpListener::local_addr).collect()
}

/// Serves on every listener, within `limits`, until the shutdown.
pub(crate) fn serve(
    supervisor: &mut Supervisor,
    name: &str,
    listeners: Vec<TcpListener>,
    limits: &Limits,
    service: &Service,
    shutdown: &Shutdown,
) {
    for listener in listeners {
        let place = listener
            .local_addr()
            .map_or_else(|_| String::new(), |address| format!(" on {address}"));
        let listener = Limited {
            listener,
            limits: limits.clone(),
        };
        let served = connections::serve(listener, service.clone(), PATIENCE, shutdown.clone());
        supervisor.task(&format!("{name}{place}"), served);
    }
}

/// Serves those who came through the relay's door, until the shutdown.
pub(super) fn receive(
    supervisor: &mut Supervisor,
    visitors: Visitors,
    service: Service,
    shutdown: &Shutdown,
) {
    let served = connections::serve(visitors, service, PATIENCE, shutdown.clone());
    supervisor.task("web on the ports of turn", served);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_families_listen_on_the_same_port() {
        let v4 = listen("0.0.0.0:0".parse().unwrap()).unwrap();
        let port = v4.local_addr().unwrap().port();
        drop(v4);
        let both = [format!("0.0.0.0:{port}"), format!("[::]:{port}")].map(|text| text.parse().unwrap());
        let listeners = bind("web", &both).unwrap();
        // A machine without IPv6 has the one only.
        assert!(!listeners.is_empty());
        assert!(bind("web", &both[..1]).is_err(), "the port is taken");
    }
}
