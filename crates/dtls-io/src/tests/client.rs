//! OpenSSL's client, and the server with the network between the two.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    time::{Duration, Instant},
};

use certificates::Certificates;
use openssl::ssl::{
    ErrorCode, ShutdownState, Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions, SslRef, SslStream,
    SslVerifyMode,
};

use tempfile::TempDir;

use super::{AT, identities::Identity};
use crate::{Limits, Path, Received, SessionId, Sessions, Transmit};

/// The server's sessions, their clock, and what came of it.
pub(super) struct Internet {
    /// Where the files of certificates are.
    pub(super) folder: TempDir,
    pub(super) certificates: Certificates,
    pub(super) sessions: Sessions,
    pub(super) now: Instant,
    /// What reached the core.
    pub(super) heard: Vec<(SessionId, Vec<u8>)>,
    pub(super) ended: Vec<SessionId>,
    /// On the way to clients.
    pub(super) sent: Sent,
    /// Sizes of all datagrams towards clients, and of those they answer.
    pub(super) answers: Vec<(usize, usize)>,
    buffer: Vec<u8>,
}

#[derive(Default)]
pub(super) struct Sent(pub(super) VecDeque<(Path, Vec<u8>)>);

impl Transmit for Sent {
    fn transmit(&mut self, path: &Path, datagram: &[u8]) {
        self.0.push_back((*path, datagram.to_vec()));
    }
}

impl Internet {
    pub(super) fn new(limits: Limits, identities: &[Identity]) -> Self {
        let folder = TempDir::new().unwrap();
        let files = identities.iter().enumerate();
        let files: Vec<_> = files
            .map(|(index, identity)| identity.write(folder.path(), &index.to_string()))
            .collect();
        let certificates = Certificates::load(&files).unwrap();
        let now = Instant::now();
        let sessions = Sessions::new(now, limits, certificates.clone(), &[7; 32]);
        Self {
            folder,
            certificates,
            sessions,
            now,
            heard: Vec::new(),
            ended: Vec::new(),
            sent: Sent::default(),
            answers: Vec::new(),
            buffer: vec![0; 66_112],
        }
    }

    /// Hands the server a datagram in a round of its own; gives the session that had plaintext in it.
    pub(super) fn arrive(&mut self, path: &Path, datagram: &[u8]) -> Option<SessionId> {
        self.sessions.begin_round();
        self.arrive_too(path, datagram)
    }

    /// Hands the server one more datagram of this round.
    pub(super) fn arrive_too(&mut self, path: &Path, datagram: &[u8]) -> Option<SessionId> {
        self.buffer[AT..AT + datagram.len()].copy_from_slice(datagram);
        let at = AT..AT + datagram.len();
        let mut received = self
            .sessions
            .receive(self.now, path, &mut self.buffer, at, &mut self.sent);
        let mut heard = None;
        loop {
            match received {
                Received::Answer(window) => {
                    self.answers.push((datagram.len(), window.len()));
                    self.sent.transmit(path, &self.buffer[window]);
                }
                Received::Data { id, window, more } => {
                    self.heard.push((id, self.buffer[window].to_vec()));
                    heard = Some(id);
                    if more {
                        received = self
                            .sessions
                            .next(self.now, id, &mut self.buffer, AT, &mut self.sent);
                        continue;
                    }
                }
                Received::Nothing => {}
            }
            break;
        }
        self.note_ends();
        heard
    }

    /// Delivers everything that a client has sent.
    pub(super) fn deliver(&mut self, client: &mut Client) -> Option<SessionId> {
        let mut heard = None;
        while let Some(datagram) = client.sent().pop_front() {
            heard = self.arrive(&client.path, &datagram).or(heard);
        }
        heard
    }

    /// Delivers both ways until the client's handshake is done.
    pub(super) fn connect(&mut self, client: &mut Client) {
        for _ in 0..10 {
            let done = client.handshake();
            self.deliver(client);
            if done {
                return;
            }
            self.carry(client);
        }
        panic!("no handshake in ten round trips");
    }

    /// Takes what is on the way to a client there.
    pub(super) fn carry(&mut self, client: &mut Client) {
        let (own, others) = self.sent.0.drain(..).partition(|(path, _)| *path == client.path);
        self.sent.0 = others;
        let own: VecDeque<_> = own;
        client
            .received()
            .extend(own.into_iter().map(|(_, datagram)| datagram));
    }

    /// Has a session say something.
    pub(super) fn say(&mut self, id: SessionId, text: &[u8]) -> bool {
        self.buffer[100..100 + text.len()].copy_from_slice(text);
        let sealed = self.sessions.seal(id, &mut self.buffer, 100..100 + text.len());
        if let Some(sealed) = &sealed {
            self.sent
                .transmit(&sealed.path, &self.buffer[sealed.window.clone()]);
        }
        sealed.is_some()
    }

    /// Lets time pass, for the server at least.
    pub(super) fn wait(&mut self, time: Duration) {
        self.now += time;
        while self.sessions.poll_timeout().is_some_and(|at| at <= self.now) {
            self.sessions.handle_timeout(self.now, &mut self.sent);
        }
        self.note_ends();
    }

    fn note_ends(&mut self) {
        while let Some((id, _)) = self.sessions.poll_ended() {
            self.ended.push(id);
        }
    }
}

pub(super) struct Client {
    stream: SslStream<Pipe>,
    pub(super) path: Path,
}

#[derive(Default)]
struct Pipe {
    received: VecDeque<Vec<u8>>,
    sent: VecDeque<Vec<u8>>,
}

impl Client {
    /// A client at this port.
    pub(super) fn new(port: u16) -> Self {
        Self::with(port, |_| {}, |_| {})
    }

    pub(super) fn with(
        port: u16,
        prepare: impl FnOnce(&mut SslContextBuilder),
        name: impl FnOnce(&mut Ssl),
    ) -> Self {
        let mut context = SslContext::builder(SslMethod::dtls_client()).unwrap();
        context.set_verify(SslVerifyMode::NONE);
        context.set_options(SslOptions::NO_QUERY_MTU);
        prepare(&mut context);
        let mut ssl = Ssl::new(&context.build()).unwrap();
        ssl.set_mtu(1400).unwrap();
        ssl.set_connect_state();
        name(&mut ssl);
        Self {
            stream: SslStream::new(ssl, Pipe::default()).unwrap(),
            path: Path {
                listener: 1,
                client: ([192, 0, 2, 1], port).into(),
                server: ([198, 51, 100, 1], 3478).into(),
            },
        }
    }

    /// Goes on with the handshake; tells whether it is done.
    pub(super) fn handshake(&mut self) -> bool {
        match self.stream.do_handshake() {
            Ok(()) => true,
            Err(error) => {
                assert_eq!(error.code(), ErrorCode::WANT_READ, "{error}");
                false
            }
        }
    }

    pub(super) fn send(&mut self, text: &[u8]) {
        assert_eq!(self.stream.ssl_write(text).unwrap(), text.len());
    }

    /// Reads one message of what is on the way to it; `None` if there is none, or the session is closed.
    pub(super) fn receive(&mut self, internet: &mut Internet) -> Option<Vec<u8>> {
        internet.carry(self);
        let mut text = vec![0; 20_000];
        let len = self.stream.ssl_read(&mut text).ok()?;
        text.truncate(len);
        Some(text)
    }

    /// Says goodbye.
    pub(super) fn close(&mut self) {
        self.stream.shutdown().unwrap();
    }

    pub(super) fn shutdown(&mut self) -> ShutdownState {
        self.stream.get_shutdown()
    }

    pub(super) fn ssl(&self) -> &SslRef {
        self.stream.ssl()
    }

    pub(super) fn sent(&mut self) -> &mut VecDeque<Vec<u8>> {
        &mut self.stream.get_mut().sent
    }

    pub(super) fn received(&mut self) -> &mut VecDeque<Vec<u8>> {
        &mut self.stream.get_mut().received
    }
}

/// The first datagram of a new client.
pub(super) fn hello_of(client: &mut Client) -> Vec<u8> {
    client.handshake();
    client.sent().pop_front().unwrap()
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let datagram = self.received.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
        into[..datagram.len()].copy_from_slice(&datagram);
        Ok(datagram.len())
    }
}

impl Write for Pipe {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.sent.push_back(datagram.to_vec());
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
