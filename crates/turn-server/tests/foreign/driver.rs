//! Moves the bytes of a sans-IO TURN client that nobody here wrote.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use turn_client_proto::{
    api::{TurnClientApi, TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet},
    prelude::DelayedTransmitBuild,
    stun::{Instant as Moment, agent::Transmit},
    types::{TransportType, TurnCredentials},
};

use crate::client::{PASSWORD, USER};

/// How long anything may take on a machine busy with other tests.
const LIMIT: Duration = Duration::from_secs(20);
/// How long one look at the socket takes.
const LOOK: Duration = Duration::from_millis(10);

/// What leads to the server.
pub(crate) enum Line {
    Datagrams(UdpSocket),
    Stream(TcpStream),
}

/// What came from a peer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FromPeer {
    Data(SocketAddr, Vec<u8>),
    /// Type and code of an ICMP error.
    Icmp(SocketAddr, u8, u8),
}

/// A foreign client with its socket and its clock.
pub(crate) struct Driver<C> {
    pub(crate) client: C,
    line: Line,
    start: Instant,
    from_peers: Vec<FromPeer>,
    events: Vec<TurnEvent>,
}

/// What a client is told to ask for.
pub(crate) fn config() -> TurnConfig {
    TurnConfig::new(TurnCredentials::new(USER, PASSWORD))
}

impl Line {
    /// Datagrams to the server from a loopback port of its family.
    pub(crate) fn datagrams(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind((server.ip(), 0)).unwrap();
        socket.set_read_timeout(Some(LOOK)).unwrap();
        socket.connect(server).unwrap();
        Self::Datagrams(socket)
    }

    /// A connection to the server.
    pub(crate) fn stream(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).unwrap();
        stream.set_read_timeout(Some(LOOK)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self::Stream(stream)
    }

    pub(crate) fn is_stream(&self) -> bool {
        matches!(self, Self::Stream(_))
    }

    pub(crate) fn local(&self) -> SocketAddr {
        match self {
            Self::Datagrams(socket) => socket.local_addr().unwrap(),
            Self::Stream(stream) => stream.local_addr().unwrap(),
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        match self {
            Self::Datagrams(socket) => assert_eq!(socket.send(bytes).unwrap(), bytes.len()),
            Self::Stream(stream) => stream.write_all(bytes).unwrap(),
        }
    }

    /// What has come, if anything has.
    fn receive(&mut self) -> Option<Vec<u8>> {
        let mut bytes = vec![0; 65_535];
        let received = match self {
            Self::Datagrams(socket) => socket.recv(&mut bytes),
            Self::Stream(stream) => stream.read(&mut bytes),
        };
        match received {
            Ok(len) => {
                bytes.truncate(len);
                Some(bytes)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => None,
            Err(error) => panic!("the line to the server broke: {error}"),
        }
    }
}

impl<C: TurnClientApi> Driver<C> {
    /// Starts a client on this line and waits for its first allocation.
    pub(crate) fn allocated(line: Line, client: impl FnOnce(SocketAddr) -> C) -> (Self, SocketAddr) {
        let client = client(line.local());
        let mut driver = Self {
            client,
            line,
            start: Instant::now(),
            from_peers: Vec::new(),
            events: Vec::new(),
        };
        let relayed = driver.event("an allocation", |event| match event {
            TurnEvent::AllocationCreated(_, relayed) => Some(*relayed),
            TurnEvent::AllocationCreateFailed(family) => panic!("no allocation of {family:?}"),
            _ => None,
        });
        (driver, relayed)
    }

    pub(crate) fn permit(&mut self, peer: IpAddr) {
        let now = self.now();
        self.client
            .create_permission(TransportType::Udp, peer, now)
            .unwrap();
        self.event("a permission", |event| match event {
            TurnEvent::PermissionCreated(_, permitted) => (*permitted == peer).then_some(()),
            TurnEvent::PermissionCreateFailed(..) => panic!("no permission for {peer}"),
            _ => None,
        });
    }

    pub(crate) fn bind(&mut self, peer: SocketAddr) {
        let now = self.now();
        self.client.bind_channel(TransportType::Udp, peer, now).unwrap();
        self.event("a channel", |event| match event {
            TurnEvent::ChannelCreated(_, bound) => (*bound == peer).then_some(()),
            TurnEvent::ChannelCreateFailed(..) => panic!("no channel to {peer}"),
            _ => None,
        });
    }

    /// Sends to a peer, by channel if there is one.
    pub(crate) fn send(&mut self, peer: SocketAddr, data: &[u8]) {
        let now = self.now();
        let sent = self.client.send_to(TransportType::Udp, peer, data, now).unwrap();
        if let Some(transmit) = sent {
            self.line.send(&transmit.data.build());
        }
        self.step();
    }

    /// Waits for what comes next from a peer.
    pub(crate) fn next(&mut self) -> FromPeer {
        self.until("something from a peer", |driver| {
            (!driver.from_peers.is_empty()).then(|| driver.from_peers.remove(0))
        })
    }

    /// Asks for the end of the allocation.
    pub(crate) fn delete(&mut self) {
        let now = self.now();
        self.client.delete(now).unwrap();
        self.step();
    }

    /// Waits for an event; what does not fit is kept for later.
    pub(crate) fn event<T>(&mut self, what: &str, is: impl Fn(&TurnEvent) -> Option<T>) -> T {
        self.until(what, |driver| {
            let (place, found) = driver
                .events
                .iter()
                .enumerate()
                .find_map(|(at, e)| Some((at, is(e)?)))?;
            driver.events.remove(place);
            Some(found)
        })
    }

    fn until<T>(&mut self, what: &str, mut is: impl FnMut(&mut Self) -> Option<T>) -> T {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(found) = is(self) {
                return found;
            }
            assert!(
                Instant::now() < deadline,
                "{what} does not come: {:?}",
                self.events
            );
            self.step();
        }
    }

    /// Sends what the client wants sent, and hands it what has come.
    fn step(&mut self) {
        let now = self.now();
        if let TurnPollRet::Closed = self.client.poll(now) {
            self.flush();
            return;
        }
        self.flush();
        let Some(bytes) = self.line.receive() else { return };
        let received = Transmit::new(
            bytes,
            self.client.transport(),
            self.client.remote_addr(),
            self.client.local_addr(),
        );
        let now = self.now();
        match self.client.recv(received, now) {
            TurnRecvRet::PeerData(data) => self
                .from_peers
                .push(FromPeer::Data(data.peer, data.data().to_vec())),
            TurnRecvRet::PeerIcmp {
                peer,
                icmp_type,
                icmp_code,
                ..
            } => self.from_peers.push(FromPeer::Icmp(peer, icmp_type, icmp_code)),
            // The latter with OpenSSL when records hold nothing for TURN, such as session tickets.
            TurnRecvRet::Handled | TurnRecvRet::Ignored(_) => {}
        }
        while let Some(data) = self.client.poll_recv(now) {
            self.from_peers
                .push(FromPeer::Data(data.peer, data.data().to_vec()));
        }
        self.flush();
    }

    fn flush(&mut self) {
        let now = self.now();
        while let Some(transmit) = self.client.poll_transmit(now) {
            self.line.send(&transmit.data);
        }
        while let Some(event) = self.client.poll_event() {
            self.events.push(event);
        }
    }

    fn now(&self) -> Moment {
        Moment::from_std(self.start)
    }
}
