//! `watari health`: asks a running suite on this machine whether it serves, for health checks of containers.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use lifecycle::exit;

use crate::{cli::HealthArgs, failure::Failure, say, suite::Suite};

/// How long connecting, and each part of the answer, may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// The most bytes of an answer that are looked at.
const MOST: u64 = 64 * 1024;

/// Asks, says what the answer was, and fails unless it was yes.
pub(crate) fn run(arguments: &HealthArgs) -> Result<(), Failure> {
    let suite: Suite = settings::load(&arguments.settings.source(arguments.config.clone()))?;
    let address = reachable(suite.metrics.listen);
    let path = if arguments.alive { "/healthz" } else { "/readyz" };
    let (is_fine, body) = match ask(address, path) {
        Ok(answer) => answer,
        Err(error) => {
            say::lines(&format!("no answer from {address}: {error}"))?;
            return Err(Failure::Told(exit::UNAVAILABLE));
        }
    };
    say::lines(body.trim_end())?;
    match is_fine {
        true => Ok(()),
        false => Err(Failure::Told(exit::UNAVAILABLE)),
    }
}

/// Where to ask a server that listens at `address`.
pub(crate) fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    address
}

/// Gets a page; tells whether the answer was 200, and its body.
pub(crate) fn ask(address: SocketAddr, path: &str) -> io::Result<(bool, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // With version 1.0 the answer ends with the connection, and has no chunks.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(MOST).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let no_http = || io::Error::new(io::ErrorKind::InvalidData, "what answers there speaks no HTTP");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(no_http)?;
    let status = head.split(' ').nth(1).ok_or_else(no_http)?;
    Ok((status == "200", body.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    fn answered(answer: &'static str) -> io::Result<(bool, String)> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).unwrap();
            assert!(request[..length].starts_with(b"GET /readyz HTTP/1.0\r\n"));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let asked = ask(address, "/readyz");
        server.join().unwrap();
        asked
    }

    #[test]
    fn only_200_is_fine_and_the_body_is_passed_on() {
        let fine = answered("HTTP/1.0 200 OK\r\nx: y\r\n\r\n{\"ready\":true}");
        assert_eq!(fine.unwrap(), (true, "{\"ready\":true}".to_owned()));
        let draining = answered("HTTP/1.1 503 Service Unavailable\r\n\r\n{}");
        assert_eq!(draining.unwrap(), (false, "{}".to_owned()));
        assert!(answered("220 mail.example ESMTP\r\n").is_err());
    }

    #[test]
    fn a_server_at_all_addresses_is_asked_at_this_machines() {
        for (listens, asked) in [
            ("0.0.0.0:9641", "127.0.0.1:9641"),
            ("[::]:9641", "[::1]:9641"),
            ("10.0.0.5:1", "10.0.0.5:1"),
        ] {
            assert_eq!(reachable(listens.parse().unwrap()), asked.parse().unwrap());
        }
    }
}
