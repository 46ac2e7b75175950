//! Sockets that a service manager has opened for us (socket activation, `sd_listen_fds(3)`).

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Mutex, MutexGuard, PoisonError},
};

use listenfd::ListenFd;

/// What was passed, and nobody has asked for yet.
static PASSED: Mutex<Passed> = Mutex::new(Passed {
    sockets: Vec::new(),
    others: Vec::new(),
});

struct Passed {
    /// Of TCP; whether they listen is looked at when one is wanted.
    sockets: Vec<TcpListener>,
    /// What was wrong with the others, by their number.
    others: Vec<(usize, io::Error)>,
}

/// Takes over the sockets that the service manager has passed, for [`passed_listener`] to find.
///
/// **Call it before there are any threads**: it removes variables from the environment, so that no child takes the sockets
/// for its own, and another thread must not read the environment meanwhile.
pub fn take_passed_sockets() {
    let mut found = ListenFd::from_env();
    let mut passed = passed();
    for index in 0..found.len() {
        match found.take_tcp_listener(index) {
            Ok(Some(socket)) => passed.sockets.push(socket),
            Ok(None) => {}
            Err(error) => passed.others.push((index, error)),
        }
    }
}

/// Takes the socket that the service manager listens on at `address` in our stead, if there is one.
///
/// It outlives us: who connects while the program starts again waits instead of being refused. It is known by its address, so
/// what is listened on stands in the settings as ever.
///
/// # Errors
/// When the socket that was passed does not listen, and what the kernel says of one that cannot be used.
pub fn passed_listener(address: SocketAddr) -> io::Result<Option<TcpListener>> {
    let Some(socket) = take(&mut passed().sockets, address) else {
        return Ok(None);
    };
    let listener = listening(socket)?;
    listener.set_nonblocking(true)?;
    tracing::info!(%address, "listening on the socket that the service manager has opened");
    Ok(Some(listener))
}

/// Tells of the sockets that nobody has taken, once everything listens: who connects there would wait for ever.
pub fn warn_of_idle_listeners() {
    let mut passed = passed();
    for (index, error) in passed.others.drain(..) {
        tracing::warn!(index, %error, "the service manager has opened something else than a TCP listener");
    }
    for listener in passed.sockets.drain(..) {
        if let Ok(address) = listener.local_addr() {
            tracing::warn!(%address, "the service manager has opened a socket where no setting listens: who connects there waits in vain");
        }
    }
}

fn passed() -> MutexGuard<'static, Passed> {
    PASSED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection of its own for each process (`Accept=yes`) is a TCP socket with our address too.
fn listening(socket: TcpListener) -> io::Result<TcpListener> {
    if is_listener(&socket)? {
        return Ok(socket);
    }
    Err(io::Error::new(
        io::ErrorKind::AddrInUse,
        "the socket that the service manager has passed does not listen: its unit needs `ListenStream=` and `Accept=no`",
    ))
}

#[cfg(target_os = "linux")]
fn is_listener(socket: &TcpListener) -> io::Result<bool> {
    socket2::SockRef::from(socket).is_listener()
}

/// Systemd is of Linux, and other systems are not asked.
#[cfg(not(target_os = "linux"))]
fn is_listener(_: &TcpListener) -> io::Result<bool> {
    Ok(true)
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

    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_that_does_not_listen_is_refused() {
        use socket2::{Domain, Socket, Type};
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket
            .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
            .unwrap();
        let refused = listening(socket.into()).unwrap_err();
        assert!(refused.to_string().contains("does not listen"), "{refused}");
        assert!(listening(TcpListener::bind("127.0.0.1:0").unwrap()).is_ok());
    }
}
