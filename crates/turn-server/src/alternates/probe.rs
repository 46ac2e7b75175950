//! Asks a server whether it is there, in the way its clients would come: a Binding request over the transport.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    sync::Arc,
    time::Duration,
};

use certificates::Believer;
use rustls::{ClientConnection, StreamOwned, pki_types::ServerName};
use stun_wire::{HEADER_LEN, HEALTH_CHECK_LEN, Message, TransactionId, health_check, is_success};
use turn_core::{Alternate, Transport};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// A datagram may get lost, and so may its answer.
const DATAGRAMS: usize = 3;
/// Room for any answer to a Binding request.
const ROOM: usize = 1500;

/// Tells whether the server answers.
pub(super) fn answers(alternate: &Alternate) -> bool {
    let address = alternate.address;
    let answer = match alternate.transport {
        Transport::Udp => over_udp(address, &binding(), is_binding_answer),
        Transport::Dtls => over_udp(address, &CLIENT_HELLO, |_, answer| is_dtls(answer)),
        Transport::Tcp => connect(address).and_then(over_stream),
        Transport::Tls => connect(address).and_then(|stream| over_tls(stream, alternate)),
    };
    answer.is_ok()
}

/// A Binding request with a random transaction id, which another server of our kind leaves unanswered when it drains.
fn binding() -> [u8; HEALTH_CHECK_LEN] {
    let mut id = [0; 12];
    // Without random numbers the id is known to others; all they could do is answer for the server.
    let _ = getrandom::fill(&mut id);
    health_check(TransactionId(id))
}

fn is_binding_answer(request: &[u8], answer: &[u8]) -> bool {
    let request = Message::parse(request);
    request.is_ok_and(|request| is_success(answer, request.transaction_id()))
}

fn over_udp(address: SocketAddr, request: &[u8], is_answer: fn(&[u8], &[u8]) -> bool) -> io::Result<()> {
    let socket = if address.is_ipv4() {
        UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?
    } else {
        UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?
    };
    socket.connect(address)?;
    socket.set_read_timeout(Some(PATIENCE / DATAGRAMS as u32))?;
    let mut bytes = [0; ROOM];
    let mut result = Err(ErrorKind::TimedOut.into());
    for _ in 0..DATAGRAMS {
        socket.send(request)?;
        match socket.recv(&mut bytes) {
            Ok(len) if is_answer(request, &bytes[..len]) => return Ok(()),
            Ok(_) => {}
            Err(error) => result = Err(error),
        }
    }
    result
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn over_stream(mut stream: impl Read + Write) -> io::Result<()> {
    let request = binding();
    stream.write_all(&request)?;
    let mut answer = [0; ROOM];
    let (header, body) = answer.split_at_mut(HEADER_LEN);
    stream.read_exact(header)?;
    let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let body = body.get_mut(..len).ok_or(ErrorKind::InvalidData)?;
    stream.read_exact(body)?;
    if is_binding_answer(&request, &answer[..HEADER_LEN + len]) {
        Ok(())
    } else {
        Err(ErrorKind::InvalidData.into())
    }
}

fn over_tls(stream: TcpStream, alternate: &Alternate) -> io::Result<()> {
    // Nothing is told here, and clients look for themselves who it is.
    let config = Believer::client(None).map_err(io::Error::other)?;
    let name = match &alternate.domain {
        Some(domain) => ServerName::try_from(domain.to_string()).map_err(io::Error::other)?,
        None => alternate.address.ip().into(),
    };
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    over_stream(StreamOwned::new(connection, stream))
}

/// A ClientHello of DTLS 1.2 (RFC 6347 §4.2) without a cookie: a server that is there sends one, and remembers nothing.
const CLIENT_HELLO: [u8; 67] = {
    let mut hello = [0; 67];
    let head = [
        22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        54, // record: handshake, DTLS 1.0, epoch and number 0, length
        1, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 42, // ClientHello, length, message 0, the whole of it
        0xfe, 0xfd, // DTLS 1.2; then 32 bytes that are no secret here
    ];
    // No session, no cookie, one cipher suite (ECDHE-RSA with AES-128-GCM), no compression.
    let tail = [0, 0, 0, 2, 0xc0, 0x2f, 1, 0];
    let mut at = 0;
    while at < head.len() {
        hello[at] = head[at];
        at += 1;
    }
    at = 0;
    while at < tail.len() {
        hello[hello.len() - tail.len() + at] = tail[at];
        at += 1;
    }
    hello
};

/// An alert, or a handshake message: HelloVerifyRequest as a rule.
fn is_dtls(answer: &[u8]) -> bool {
    matches!(answer, [21 | 22, 0xfe, _, ..])
}
