//! Which process listens on a port of this machine.

use std::net::{SocketAddr, TcpListener};

use crate::sockets::Sockets;
pub use crate::sockets::name_of;

/// The process that listens where `server` is, if that is this machine and the process may be looked at.
pub fn of_listener(server: SocketAddr) -> Option<u32> {
    // Only an address of our own can be bound.
    TcpListener::bind((server.ip(), 0)).ok()?;
    Sockets::look().listener(server).map(|process| process.pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_owns_its_own_listener() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(of_listener(address), Some(std::process::id()));
        drop(listener);
        assert_eq!(of_listener(address), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn whoever_listens_on_the_port_of_another_address_is_not_it() {
        let other = TcpListener::bind("127.0.0.2:0").unwrap();
        let at = |last| SocketAddr::from(([127, 0, 0, last], other.local_addr().unwrap().port()));
        assert_eq!(of_listener(at(1)), None);
        assert_eq!(of_listener(at(2)), Some(std::process::id()));
        assert!(name_of(std::process::id()).is_some());
    }
}
