//! Certificates of a test, and clients that trust them.

use std::{fs, io::Write, net::SocketAddr, sync::Arc};

use certificates::{Certificates, PairConfig};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, version::TLS13,
};
use std::net::TcpStream;

use crate::client::wire::connect;

pub(crate) const NAME: &str = "turn.example.org";
pub(crate) const WEB_NAME: &str = "www.example.org";

pub(crate) type Session = StreamOwned<ClientConnection, TcpStream>;

/// A certificate for both names.
pub(crate) struct Secured {
    pub(crate) certificates: Certificates,
    roots: Arc<RootCertStore>,
}

impl Secured {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names = [NAME, WEB_NAME, "localhost"].map(str::to_owned);
        let minted = rcgen::generate_simple_self_signed(names).unwrap();
        let files = PairConfig {
            certificate: folder.path().join("certificate.pem"),
            key: folder.path().join("key.pem"),
            awaited: false,
        };
        fs::write(&files.certificate, minted.cert.pem()).unwrap();
        fs::write(&files.key, minted.signing_key.serialize_pem()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(minted.cert.der().clone()).unwrap();
        Self {
            certificates: Certificates::load(&[files]).unwrap(),
            roots: Arc::new(roots),
        }
    }

    pub(crate) fn session(
        &self,
        name: &str,
        protocols: &[&str],
        version: &'static SupportedProtocolVersion,
    ) -> ClientConnection {
        let mut config = ClientConfig::builder_with_protocol_versions(&[version])
            .with_root_certificates(Arc::clone(&self.roots))
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        ClientConnection::new(Arc::new(config), name.to_owned().try_into().unwrap()).unwrap()
    }

    /// Connects and shakes hands.
    pub(crate) fn connect(&self, server: SocketAddr, name: &str, protocols: &[&str]) -> Session {
        self.over(connect(server), self.session(name, protocols, &TLS13))
    }

    /// Shakes hands on a connection.
    pub(crate) fn over(&self, stream: TcpStream, session: ClientConnection) -> Session {
        let mut session = StreamOwned::new(session, stream);
        while session.conn.is_handshaking() {
            session.conn.complete_io(&mut session.sock).unwrap();
        }
        session.flush().unwrap();
        session
    }
}
