//! Sessions with OpenSSL's own client at the other end, datagram by datagram.

mod client;
mod endings;
mod handshakes;
mod hoarding;
mod identities;
mod strangers;

use std::time::Duration;

use dtls_cookie::{COOKIE, ClientHello, HELLO_VERIFY_REQUEST_LEN, HelloError};

use super::*;
use client::{Client, Internet, hello_of};
use identities::{Kind, identity};

/// Where datagrams lie in the buffer.
const AT: usize = 48;

fn limits() -> Limits {
    Limits {
        sessions: 100,
        half_open: 10,
        per_address: 50,
        handshake: Duration::from_secs(10),
        idle: Duration::from_secs(60),
    }
}

/// A server with one certificate.
fn internet() -> Internet {
    Internet::new(limits(), &[identity(Kind::Ecdsa, "turn.example")])
}

/// A client with a session, and the session.
fn connected(internet: &mut Internet, port: u16) -> (Client, SessionId) {
    let mut client = Client::new(port);
    internet.connect(&mut client);
    let id = speak(internet, &mut client).unwrap();
    (client, id)
}

/// Tells in which session the server hears a client.
fn speak(internet: &mut Internet, client: &mut Client) -> Option<SessionId> {
    client.send(b"hello?");
    internet.deliver(client)
}
