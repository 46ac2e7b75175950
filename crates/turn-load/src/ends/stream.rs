//! One client's connection to the server: TCP, with TLS in it or not.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::SocketAddr,
};

use mio::{Interest, Registry, Token, net::TcpStream};
use rustls::ClientConnection;

use crate::plan::Tls;

/// Bytes that may wait for the server; what does not fit is not sent.
const OUTBOX: usize = 1 << 20;

/// A connection.
pub(super) struct Stream {
    io: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// What has come in and is no whole frame yet, or was not taken yet.
    pub(super) inbox: Vec<u8>,
    /// Up to where the inbox has been taken.
    pub(super) taken: usize,
    outbox: Vec<u8>,
}

impl Stream {
    pub(super) fn connect(
        server: SocketAddr,
        tls: Option<&Tls>,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let mut io = TcpStream::connect(server)?;
        let _ = io.set_nodelay(true);
        registry.register(&mut io, token, Interest::READABLE | Interest::WRITABLE)?;
        let tls = tls.map(|tls| ClientConnection::new(tls.config.clone(), tls.name.clone()));
        let mut stream = Self {
            io,
            tls: tls.transpose().map_err(io::Error::other)?.map(Box::new),
            inbox: Vec::new(),
            taken: 0,
            outbox: Vec::new(),
        };
        stream.seal()?;
        Ok(stream)
    }

    /// Puts a frame behind what waits to be written; false if there is no room.
    pub(super) fn send(&mut self, frame: &[u8]) -> io::Result<bool> {
        if self.outbox.len() + frame.len() > OUTBOX {
            return Ok(false);
        }
        let padding = &[0; 3][..frame.len().next_multiple_of(4) - frame.len()];
        match &mut self.tls {
            None => {
                self.outbox.extend_from_slice(frame);
                self.outbox.extend_from_slice(padding);
            }
            Some(tls) => {
                // One record a frame, as a client that sends one datagram has it.
                let mut padded = [0; 2048];
                let len = frame.len() + padding.len();
                if let Some(padded) = padded.get_mut(..len) {
                    padded[..frame.len()].copy_from_slice(frame);
                    tls.writer().write_all(padded)?;
                } else {
                    tls.writer().write_all(&[frame, padding].concat())?;
                }
            }
        }
        self.seal()?;
        Ok(true)
    }

    /// Moves what TLS has to say into the outbox.
    fn seal(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut self.outbox)?;
            }
        }
        Ok(())
    }

    /// Writes what waits, as far as the connection takes it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let mut written = 0;
        while written < self.outbox.len() {
            match self.io.write(&self.outbox[written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => written += len,
                Err(error) if is_not_yet(&error) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.outbox.drain(..written);
        Ok(())
    }

    /// Reads once; true if there may be more.
    pub(super) fn read(&mut self, scratch: &mut [u8]) -> io::Result<bool> {
        self.inbox.drain(..self.taken);
        self.taken = 0;
        let len = match self.io.read(scratch) {
            Ok(0) => return Err(closed()),
            Ok(len) => len,
            Err(error) if is_not_yet(&error) => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            Err(error) => return Err(error),
        };
        match &mut self.tls {
            None => self.inbox.extend_from_slice(&scratch[..len]),
            Some(tls) => unseal(tls, &scratch[..len], &mut self.inbox)?,
        }
        self.seal()?;
        self.flush()?;
        // A read that did not fill the buffer emptied the socket; what comes later is told anew.
        Ok(len == scratch.len())
    }
}

/// Puts what TLS has received into the inbox.
fn unseal(tls: &mut ClientConnection, mut bytes: &[u8], inbox: &mut Vec<u8>) -> io::Result<()> {
    while !bytes.is_empty() {
        // Behind a close_notify it takes no bytes any more, whatever comes.
        if tls.read_tls(&mut bytes)? == 0 {
            return Err(closed());
        }
        let state = tls.process_new_packets().map_err(io::Error::other)?;
        let start = inbox.len();
        inbox.resize(start + state.plaintext_bytes_to_read(), 0);
        tls.reader().read_exact(&mut inbox[start..])?;
    }
    Ok(())
}

fn closed() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "the server closed it")
}

fn is_not_yet(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rcgen::generate_simple_self_signed;
    use rustls::{ServerConfig, ServerConnection, crypto::aws_lc_rs, pki_types::PrivateKeyDer};

    use super::*;
    use crate::Trusted;

    /// Both ends of a TLS connection after their handshake.
    fn connected() -> (ClientConnection, ServerConnection) {
        let certified = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .unwrap();
        let tls = Tls::new("localhost", &Trusted::Anyone).unwrap();
        let mut client = ClientConnection::new(tls.config.clone(), tls.name.clone()).unwrap();
        let mut server = ServerConnection::new(Arc::new(config)).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut flight = Vec::new();
            client.write_tls(&mut flight).unwrap();
            server.read_tls(&mut &flight[..]).unwrap();
            server.process_new_packets().unwrap();
            unseal(&mut client, &written(&mut server), &mut Vec::new()).unwrap();
        }
        (client, server)
    }

    fn written(server: &mut ServerConnection) -> Vec<u8> {
        let mut flight = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut flight).unwrap();
        }
        flight
    }

    #[test]
    fn bytes_behind_a_close_notify_end_the_connection() {
        let (mut client, mut server) = connected();
        server.writer().write_all(b"the last words").unwrap();
        server.send_close_notify();
        let mut flight = written(&mut server);
        flight.extend_from_slice(b"and more");
        let mut inbox = Vec::new();
        let error = unseal(&mut client, &flight, &mut inbox)
            .and_then(|()| unseal(&mut client, b"and more", &mut inbox))
            .unwrap_err();
        assert_eq!(error.to_string(), "the server closed it");
        assert_eq!(inbox, b"the last words");
    }
}
