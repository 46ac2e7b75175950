//! OpenSSL's DTLS client over a UDP socket.

use std::{
    cell::RefCell,
    io::{self, Read, Write},
    net::{SocketAddr, UdpSocket},
    rc::Rc,
    time::Duration,
};

use openssl::ssl::{
    ErrorCode, ShutdownState, Ssl, SslContext, SslMethod, SslOptions, SslStream, SslVerifyMode,
};

use crate::client::{Client, wire::Wire};

/// A client of `server` with a session.
pub(crate) fn connect(server: SocketAddr) -> Client {
    Session::open(server).client(server)
}

/// One session; clones share it.
#[derive(Clone)]
pub(crate) struct Session {
    stream: Rc<RefCell<SslStream<Datagrams>>>,
}

/// Each read and each write is one datagram of a socket.
struct Datagrams(UdpSocket);

impl Session {
    pub(crate) fn open(server: SocketAddr) -> Self {
        let home = if server.is_ipv4() {
            "127.0.0.1:0"
        } else {
            "[::1]:0"
        };
        let socket = UdpSocket::bind(home).unwrap();
        socket.connect(server).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self::over(socket)
    }

    /// Another session from the same address to the same server.
    pub(crate) fn open_again(&self) -> Self {
        Self::over(self.stream.borrow().get_ref().0.try_clone().unwrap())
    }

    fn over(socket: UdpSocket) -> Self {
        let mut context = SslContext::builder(SslMethod::dtls_client()).unwrap();
        context.set_verify(SslVerifyMode::NONE);
        context.set_options(SslOptions::NO_QUERY_MTU);
        let mut ssl = Ssl::new(&context.build()).unwrap();
        ssl.set_mtu(1400).unwrap();
        ssl.set_connect_state();
        let mut stream = SslStream::new(ssl, Datagrams(socket)).unwrap();
        stream.do_handshake().expect("a handshake");
        Self {
            stream: Rc::new(RefCell::new(stream)),
        }
    }

    /// A TURN client in this session.
    pub(crate) fn client(&self, server: SocketAddr) -> Client {
        Client::by(Wire::sealed(self.clone()), server)
    }

    /// The server's certificate.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        let stream = self.stream.borrow();
        stream.ssl().peer_certificate().unwrap().to_der().unwrap()
    }

    /// Says goodbye.
    pub(crate) fn close(&self) {
        self.stream.borrow_mut().shutdown().unwrap();
    }

    /// Waits for the server's goodbye, whatever else comes before.
    pub(crate) fn hears_the_end(&self) -> bool {
        let mut stream = self.stream.borrow_mut();
        let mut bytes = [0; 2048];
        loop {
            match stream.ssl_read(&mut bytes) {
                Ok(_) => {}
                Err(error) => {
                    let received = stream.get_shutdown().contains(ShutdownState::RECEIVED);
                    return error.code() == ErrorCode::ZERO_RETURN && received;
                }
            }
        }
    }
}

impl Read for Session {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.borrow_mut().ssl_read(into).map_err(io::Error::other)
    }
}

impl Write for Session {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream
            .borrow_mut()
            .ssl_write(bytes)
            .map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Datagrams {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.recv(into)
    }
}

impl Write for Datagrams {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
