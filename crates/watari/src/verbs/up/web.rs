//! The HTTP listeners of the suite.

use std::{io, net::SocketAddr, time::Duration};

use lifecycle::{Shutdown, Supervisor};
use tokio::net::TcpListener;

use super::{
    connections::{self, Patience},
    limited::{Limited, Limits},
    service::Service,
};
use crate::failure::Failure;

/// How long answers that are under way may take once the end was asked for.
pub(super) const DRAIN: Duration = Duration::from_secs(3);

/// Heads fit into one packet mostly; who takes longer keeps connections that others could have.
const PATIENCE: Patience = Patience {
    head: Duration::from_secs(10),
    drain: DRAIN,
};

/// Binds all `addresses` of `what` (its table in the settings).
///
/// A machine without IPv6 still gets what listens on `[::1]` beside another address.
pub(crate) async fn bind(what: &'static str, addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, Failure> {
    let mut listeners = Vec::new();
    for &address in addresses {
        match TcpListener::bind(address).await {
            Ok(listener) => listeners.push(listener),
            Err(error) if is_spare(address, addresses, &error) => {
                tracing::info!(%address, %error, "not listening there: this machine has no IPv6");
            }
            Err(error) => return Err(Failure::Listen { what, address, error }),
        }
    }
    Ok(listeners)
}

fn is_spare(address: SocketAddr, all: &[SocketAddr], error: &io::Error) -> bool {
    let loopback_v6 = address.is_ipv6() && address.ip().is_loopback();
    let taken = matches!(
        error.kind(),
        io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied
    );
    loopback_v6 && !taken && all.iter().any(SocketAddr::is_ipv4)
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
