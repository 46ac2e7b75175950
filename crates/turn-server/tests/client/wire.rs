//! How a client's messages travel: a datagram each, or framed in a stream.

use std::{
    cell::RefCell,
    io::{Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use stun_wire::stream::{Frame, next_frame};

const PATIENCE: Option<Duration> = Some(Duration::from_secs(10));

/// Reads and writes bytes, in the clear or within TLS.
pub(crate) trait Bytes: Read + Write {}
impl<T: Read + Write> Bytes for T {}

pub(crate) enum Wire {
    Datagrams(UdpSocket),
    Stream(RefCell<Stream>),
    /// Datagrams within something else: each read and each write is one.
    Sealed(RefCell<Box<dyn Bytes>>),
}

pub(crate) struct Stream {
    pub(crate) bytes: Box<dyn Bytes>,
    received: Vec<u8>,
}

impl Wire {
    pub(crate) fn udp(home: SocketAddr, server: SocketAddr) -> Self {
        let socket = UdpSocket::bind(home).unwrap();
        socket.set_read_timeout(PATIENCE).unwrap();
        socket.connect(server).unwrap();
        Self::Datagrams(socket)
    }

    pub(crate) fn tcp(server: SocketAddr) -> Self {
        Self::over(connect(server))
    }

    pub(crate) fn over(bytes: impl Bytes + 'static) -> Self {
        Self::Stream(RefCell::new(Stream {
            bytes: Box::new(bytes),
            received: Vec::new(),
        }))
    }

    pub(crate) fn sealed(datagrams: impl Bytes + 'static) -> Self {
        Self::Sealed(RefCell::new(Box::new(datagrams)))
    }

    /// Sends a message; on a stream it is padded to a multiple of four bytes.
    pub(crate) fn send(&self, message: &[u8]) {
        match self {
            Self::Datagrams(socket) => drop(socket.send(message).unwrap()),
            Self::Stream(stream) => {
                let mut padded = message.to_vec();
                padded.resize(message.len().next_multiple_of(4), 0);
                stream.borrow_mut().bytes.write_all(&padded).unwrap();
            }
            Self::Sealed(datagrams) => datagrams.borrow_mut().write_all(message).unwrap(),
        }
    }

    /// Sends bytes as they are.
    pub(crate) fn send_raw(&self, bytes: &[u8]) {
        match self {
            Self::Datagrams(socket) => drop(socket.send(bytes).unwrap()),
            Self::Stream(stream) => stream.borrow_mut().bytes.write_all(bytes).unwrap(),
            Self::Sealed(datagrams) => datagrams.borrow_mut().write_all(bytes).unwrap(),
        }
    }

    /// Waits until so many bytes have come.
    pub(crate) fn read_raw(&self, into: &mut Vec<u8>, len: usize) {
        let Self::Stream(stream) = self else {
            panic!("datagrams are messages");
        };
        let have = into.len();
        into.resize(len, 0);
        stream.borrow_mut().bytes.read_exact(&mut into[have..]).unwrap();
    }

    /// Bytes that came behind the last message.
    pub(crate) fn take_rest(&self) -> Vec<u8> {
        match self {
            Self::Datagrams(_) | Self::Sealed(_) => Vec::new(),
            Self::Stream(stream) => std::mem::take(&mut stream.borrow_mut().received),
        }
    }

    /// Waits for a message.
    pub(crate) fn receive(&self, into: &mut [u8]) -> usize {
        match self {
            Self::Datagrams(socket) => socket.recv(into).expect("a datagram"),
            Self::Stream(stream) => stream.borrow_mut().frame(into).expect("a frame"),
            Self::Sealed(datagrams) => datagrams.borrow_mut().read(into).expect("a datagram"),
        }
    }
}

impl Stream {
    fn frame(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        loop {
            match next_frame(&self.received) {
                Frame::Complete { len, .. } => {
                    into[..len].copy_from_slice(&self.received[..len]);
                    self.received.drain(..len);
                    return Ok(len);
                }
                Frame::NeedMore(_) => {}
                Frame::Invalid => panic!("not a frame: {:?}", &self.received[..8]),
            }
            let mut more = [0; 4096];
            let len = self.bytes.read(&mut more)?;
            if len == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            self.received.extend_from_slice(&more[..len]);
        }
    }
}

/// Connects with the patience that every test has.
pub(crate) fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(PATIENCE).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}
