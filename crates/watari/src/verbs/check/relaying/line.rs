//! What leads to the server: a socket, with TLS or DTLS on it or without.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use rustls::{ClientConnection, StreamOwned};

use super::{Trouble, secured::Expected};

/// How long one look at the socket takes.
const LOOK: Duration = Duration::from_millis(10);

pub(super) enum Line {
    Datagrams(UdpSocket),
    Stream(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    #[cfg(feature = "dtls")]
    Dtls(Box<openssl::ssl::SslStream<Datagrams>>),
}

impl Line {
    pub(super) fn datagrams(server: SocketAddr) -> io::Result<Self> {
        let socket = socket_to(server)?;
        socket.set_read_timeout(Some(LOOK))?;
        Ok(Self::Datagrams(socket))
    }

    pub(super) fn stream(server: SocketAddr, patience: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&server, patience)?;
        stream.set_read_timeout(Some(LOOK))?;
        stream.set_nodelay(true)?;
        Ok(Self::Stream(stream))
    }

    pub(super) fn tls(server: SocketAddr, patience: Duration, expected: &Expected) -> Result<Self, Trouble> {
        let broken = |error: rustls::Error| Trouble::Broken(error.to_string());
        let stream = TcpStream::connect_timeout(&server, patience)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        let config = expected.tls().map_err(broken)?;
        let connection = ClientConnection::new(config, expected.name.clone()).map_err(broken)?;
        let mut stream = StreamOwned::new(connection, stream);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        stream.sock.set_read_timeout(Some(LOOK))?;
        Ok(Self::Tls(Box::new(stream)))
    }

    #[cfg(feature = "dtls")]
    pub(super) fn dtls(server: SocketAddr, patience: Duration, expected: &Expected) -> Result<Self, Trouble> {
        use openssl::{
            error::ErrorStack,
            ssl::{HandshakeError, Ssl},
        };
        let broken = |error: ErrorStack| Trouble::Broken(error.to_string());
        let socket = socket_to(server)?;
        socket.set_read_timeout(Some(LOOK))?;
        let context = expected.dtls().map_err(broken)?;
        let mut ssl = Ssl::new(&context).map_err(broken)?;
        ssl.set_mtu(1400).map_err(broken)?;
        let deadline = std::time::Instant::now() + patience;
        let mut shaken = ssl.connect(Datagrams(socket));
        loop {
            match shaken {
                Ok(stream) => return Ok(Self::Dtls(Box::new(stream))),
                Err(HandshakeError::WouldBlock(half)) if std::time::Instant::now() < deadline => {
                    // What was lost is sent again in its time.
                    shaken = half.handshake();
                }
                Err(HandshakeError::WouldBlock(_)) => return Err(Trouble::Silent),
                Err(HandshakeError::SetupFailure(error)) => return Err(broken(error)),
                Err(HandshakeError::Failure(half)) => return Err(Trouble::Broken(half.error().to_string())),
            }
        }
    }

    pub(super) fn local(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Datagrams(socket) => socket.local_addr(),
            Self::Stream(stream) => stream.local_addr(),
            Self::Tls(stream) => stream.sock.local_addr(),
            #[cfg(feature = "dtls")]
            Self::Dtls(stream) => stream.get_ref().0.local_addr(),
        }
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Datagrams(socket) => socket.send(bytes).map(drop),
            Self::Stream(stream) => stream.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            #[cfg(feature = "dtls")]
            Self::Dtls(stream) => stream.write_all(bytes),
        }
    }

    /// What has come, if anything has; the end of a stream is an error.
    pub(super) fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = vec![0; 65_535];
        let received = match self {
            Self::Datagrams(socket) => socket.recv(&mut bytes),
            Self::Stream(stream) => some(stream.read(&mut bytes)),
            Self::Tls(stream) => some(stream.read(&mut bytes)),
            #[cfg(feature = "dtls")]
            Self::Dtls(stream) => some(stream.read(&mut bytes)),
        };
        match received {
            Ok(len) => {
                bytes.truncate(len);
                Ok(Some(bytes))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

fn some(read: io::Result<usize>) -> io::Result<usize> {
    match read {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        read => read,
    }
}

fn socket_to(server: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(server)?;
    Ok(socket)
}

/// Each read and each write is one datagram of a socket.
#[cfg(feature = "dtls")]
#[derive(Debug)]
pub(super) struct Datagrams(UdpSocket);

#[cfg(feature = "dtls")]
impl Read for Datagrams {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.recv(into)
    }
}

#[cfg(feature = "dtls")]
impl Write for Datagrams {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
