//! Sockets that a service manager has opened for us (socket activation, `sd_listen_fds(3)`).

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Mutex, OnceLock, PoisonError},
};

use listenfd::ListenFd;

/// Those that nobody has taken yet.
static PASSED: OnceLock<Mutex<Vec<TcpListener>>> = OnceLock::new();

/// Takes the socket that the service manager listens on at `address` in our stead, if there is one.
///
/// It outlives us: who connects while the program starts again waits instead of being refused. It is known by its address, so
/// what is listened on stands in the settings as ever.
///
/// # Errors
/// What the kernel says of a socket that was passed and cannot be used.
pub fn passed_listener(address: SocketAddr) -> io::Result<Option<TcpListener>> {
    let passed = PASSED.get_or_init(|| Mutex::new(from_environment()));
    let found = take(
        &mut passed.lock().unwrap_or_else(PoisonError::into_inner),
        address,
    );
    if let Some(listener) = &found {
        listener.set_nonblocking(true)?;
        tracing::info!(%address, "listening on the socket that the service manager has opened");
    }
    Ok(found)
}

/// Tells of the sockets that nobody has taken, once everything listens: who connects there would wait for ever.
pub fn warn_of_idle_listeners() {
    let passed = PASSED.get_or_init(|| Mutex::new(from_environment()));
    for listener in passed.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        if let Ok(address) = listener.local_addr() {
            tracing::warn!(%address, "the service manager has opened a socket where no setting listens: who connects there waits in vain");
        }
    }
}

/// Leaves out what does not listen for TCP connections.
fn from_environment() -> Vec<TcpListener> {
    let mut passed = ListenFd::from_env();
    let mut listeners = Vec::with_capacity(passed.len());
    for index in 0..passed.len() {
        match passed.take_tcp_listener(index) {
            Ok(Some(listener)) => listeners.push(listener),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(index, %error, "the service manager has opened something else than a TCP listener")
            }
        }
    }
    listeners
}

fn take(passed: &mut Vec<TcpListener>, address: SocketAddr) -> Option<TcpListener> {
    let is_there = |listener: &TcpListener| listener.local_addr().is_ok_and(|local| local == address);
    passed
        .iter()
        .position(is_there)
        .map(|index| passed.swap_remove(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_taken_once_and_by_its_address_alone() {
        let mut passed: Vec<_> = (0..2)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let [first, second] = [0, 1].map(|index: usize| passed[index].local_addr().unwrap());
        assert!(take(&mut passed, ([127, 0, 0, 2], first.port()).into()).is_none());
        assert_eq!(take(&mut passed, second).unwrap().local_addr().unwrap(), second);
        assert!(take(&mut passed, second).is_none());
        assert_eq!(take(&mut passed, first).unwrap().local_addr().unwrap(), first);
    }
}
