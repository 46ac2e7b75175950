use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection, pki_types::ServerName};

use super::*;
use crate::{PairConfig, testing};

/// Shakes hands in memory and returns the leaf that the client was shown and the protocol agreed on.
fn handshake(
    server: &Arc<ServerConfig>,
    name: &str,
    alpn: &[&[u8]],
    versions: &[&'static SupportedProtocolVersion],
) -> Result<(Vec<u8>, Option<Vec<u8>>), rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap();
    let mut client = builder
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    client
        .dangerous()
        .set_certificate_verifier(Arc::new(testing::Anyone));
    client.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut server = ServerConnection::new(server.clone()).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets()?;
        wire.clear();
        server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    let leaf = client.peer_certificates().unwrap()[0].to_vec();
    Ok((leaf, client.alpn_protocol().map(<[u8]>::to_vec)))
}

fn load(pairs: &[PairConfig]) -> Certificates {
    Certificates::load(pairs).unwrap()
}

#[test]
fn the_name_a_client_asks_for_chooses_the_pair() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = load(&[
        testing::write(folder.path(), "first", &["first.example"]),
        testing::write(folder.path(), "wild", &["*.wild.example"]),
        testing::write(folder.path(), "last", &["last.example", "also.example"]),
    ]);
    let config = certificates.server_config(&[], MinVersion::Tls12);
    let pairs = certificates.pairs();
    for (name, index) in [
        ("first.example", 0),
        ("a.wild.example", 1),
        ("also.example", 2),
        ("unknown.example", 0),
        ("192.0.2.1", 0),
    ] {
        for versions in [&[&version::TLS12], &[&version::TLS13]] {
            let (leaf, _) = handshake(&config, name, &[], versions).unwrap();
            assert_eq!(leaf, pairs[index].chain[0].as_ref(), "{name}");
        }
    }
}

#[test]
fn a_swap_is_seen_by_the_next_handshake_of_the_same_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = load(&[testing::write(folder.path(), "a", &["a.example"])]);
    let config = certificates.server_config(&[], MinVersion::Tls12);
    let (before, _) = handshake(&config, "a.example", &[], FROM_12).unwrap();
    testing::write(folder.path(), "a", &["a.example"]);
    assert!(certificates.reload().unwrap());
    let (after, _) = handshake(&config, "a.example", &[], FROM_12).unwrap();
    assert_ne!(before, after);
    assert_eq!(after, certificates.pairs()[0].chain[0].as_ref());
}

#[test]
fn of_two_pairs_for_a_name_the_client_gets_one_it_can_verify() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = load(&[
        testing::write_as(folder.path(), "ed", &["a.example"], &rcgen::PKCS_ED25519),
        testing::write_as(folder.path(), "rsa", &["a.example"], &rcgen::PKCS_RSA_SHA256),
    ]);
    let config = certificates.server_config(&[], MinVersion::Tls12);
    let (leaf, _) = handshake(&config, "a.example", &[], FROM_13).unwrap();
    assert_eq!(
        leaf,
        certificates.pairs()[1].chain[0].as_ref(),
        "the test's client knows no Ed25519"
    );
}

#[test]
fn versions_below_the_least_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = load(&[testing::write(folder.path(), "a", &["a.example"])]);
    let config = certificates.server_config(&[], MinVersion::Tls13);
    handshake(&config, "a.example", &[], &[&version::TLS12]).unwrap_err();
    handshake(&config, "a.example", &[], &[&version::TLS13]).unwrap();
}

#[test]
fn the_application_protocol_is_agreed_on() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = load(&[testing::write(folder.path(), "a", &["a.example"])]);
    let config = certificates.server_config(&[b"stun.turn"], MinVersion::Tls12);
    let (_, agreed) = handshake(&config, "a.example", &[b"x", b"stun.turn"], FROM_12).unwrap();
    assert_eq!(agreed.as_deref(), Some(b"stun.turn".as_slice()));
    let (_, agreed) = handshake(&config, "a.example", &[], FROM_12).unwrap();
    assert_eq!(agreed, None, "a browser's TURN offers none");
}

#[test]
fn an_empty_set_refuses_handshakes() {
    let config = Certificates::default().server_config(&[], MinVersion::Tls12);
    handshake(&config, "a.example", &[], FROM_12).unwrap_err();
}
