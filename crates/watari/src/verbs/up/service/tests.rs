use std::time::Instant;

use axum::routing::get;
use certificates::{Certificates, MinVersion, PairConfig};
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsConnector, client};

use super::*;
use crate::verbs::up::limited::{Limited, Limits};

const HEAD: Duration = Duration::from_secs(1);
const NAMES: [&str; 3] = ["call.example.org", "mybox.local", "localhost"];

/// A server with a certificate for [`NAMES`], and what a client needs to trust it.
struct Server {
    address: SocketAddr,
    connector: TlsConnector,
    shutdown: Shutdown,
    _folder: tempfile::TempDir,
}

impl Server {
    async fn start(is_strict: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(NAMES.map(str::to_owned)).unwrap();
        let path = folder.path().join("pair.pem");
        std::fs::write(&path, made.cert.pem() + &made.signing_key.serialize_pem()).unwrap();
        let pair = PairConfig {
            certificate: path.clone(),
            key: path,
            awaited: false,
        };
        let certificates = Certificates::load(&[pair]).unwrap();
        let tls = certificates.server_config(&[b"http/1.1"], MinVersion::Tls12);
        let secure = Router::new().route("/", get(|| async { "secure" }));
        let plain = Router::new().route("/", get(|| async { "plain" }));
        let service = Service::plain(plain).or_secure(tls, secure, is_strict);

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut limited = Limited {
            listener,
            limits: Limits::new(100, 100, &[]),
        };
        let shutdown = Shutdown::new();
        let until = shutdown.clone();
        tokio::spawn(async move {
            loop {
                let (connection, peer) = axum::serve::Listener::accept(&mut limited).await;
                tokio::spawn(service.clone().attend(connection, peer, HEAD, until.clone()));
            }
        });
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap();
        let mut client = client.with_root_certificates(roots).with_no_client_auth();
        client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self {
            address,
            connector: TlsConnector::from(Arc::new(client)),
            shutdown,
            _folder: folder,
        }
    }

    async fn connect(&self, name: &'static str) -> client::TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from(name).unwrap();
        self.connector.connect(name, stream).await.unwrap()
    }
}

/// What comes until the end, which a missing close_notify makes an error of.
async fn rest(mut stream: impl AsyncRead + Unpin) -> String {
    let mut bytes = Vec::new();
    let read = timeout(10 * HEAD, stream.read_to_end(&mut bytes));
    let _ = read.await.expect("the connection is still open after 10 s");
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> String {
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    rest(stream).await
}

#[tokio::test]
async fn one_listener_speaks_tls_to_those_who_begin_with_it_and_http_to_others() {
    let server = Server::start(false).await;
    let secure = server.connect("call.example.org").await;
    assert_eq!(secure.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
    assert!(ask(secure).await.ends_with("secure"));
    let plain = TcpStream::connect(server.address).await.unwrap();
    assert!(ask(plain).await.ends_with("plain"));
}

#[tokio::test]
async fn only_a_public_name_is_told_to_come_over_tls_for_good() {
    let strict = Server::start(true).await;
    let header = "strict-transport-security: max-age=";
    assert!(
        ask(strict.connect("call.example.org").await)
            .await
            .contains(header)
    );
    for name in ["mybox.local", "localhost"] {
        assert!(!ask(strict.connect(name).await).await.contains(header), "{name}");
    }
    let lenient = Server::start(false).await;
    assert!(
        !ask(lenient.connect("call.example.org").await)
            .await
            .contains(header)
    );
}

#[tokio::test]
async fn a_handshake_that_does_not_go_on_is_cut_off() {
    let server = Server::start(false).await;
    let start = Instant::now();
    let silent = TcpStream::connect(server.address).await.unwrap();
    let mut halting = TcpStream::connect(server.address).await.unwrap();
    halting.write_all(&[HANDSHAKE, 3, 1]).await.unwrap();
    assert_eq!(rest(silent).await, "");
    assert_eq!(rest(halting).await, "");
    assert!(
        start.elapsed() >= HEAD && start.elapsed() < 4 * HEAD,
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_tls_connection_that_asks_for_nothing_is_cut_off_too() {
    let server = Server::start(false).await;
    let start = Instant::now();
    assert_eq!(rest(server.connect("localhost").await).await, "");
    assert!(
        start.elapsed() >= HEAD && start.elapsed() < 4 * HEAD,
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn an_empty_client_hello_is_answered_with_an_alert() {
    let server = Server::start(false).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream
        .write_all(&[HANDSHAKE, 3, 1, 0, 4, 1, 0, 0, 0])
        .await
        .unwrap();
    let mut kind = [0];
    let read = timeout(HEAD / 2, stream.read_exact(&mut kind)).await;
    read.expect("nothing within half a second").unwrap();
    assert_eq!(kind, [21], "RFC 8446 §5.1: a record of the type alert");
}

#[tokio::test]
async fn a_handshake_under_way_does_not_hold_the_end_up() {
    let server = Server::start(false).await;
    let start = Instant::now();
    let silent = TcpStream::connect(server.address).await.unwrap();
    tokio::time::sleep(HEAD / 10).await;
    server.shutdown.request();
    assert_eq!(rest(silent).await, "");
    assert!(start.elapsed() < HEAD, "{:?}", start.elapsed());
}
