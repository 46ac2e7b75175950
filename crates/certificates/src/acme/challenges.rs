//! Answers to a directory that looks whether a domain leads here.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use instant_acme::KeyAuthorization;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::PrivateKeyDer,
    server::{ClientHello, NoServerSessionStorage},
    sign::{CertifiedKey, SingleCertAndKey},
};

/// The application protocol of such a handshake (RFC 8737 §6.2).
const ALPN: &[u8] = b"acme-tls/1";

/// What is answered at this moment; clones share it. Empty but for the seconds in which a certificate is obtained.
#[derive(Clone, Default)]
pub struct Challenges(Arc<Mutex<Open>>);

#[derive(Default)]
struct Open {
    /// Key authorizations by their tokens.
    pages: HashMap<String, String>,
    /// Settings of handshakes by their domains.
    handshakes: HashMap<String, Arc<ServerConfig>>,
}

/// An answer that is given until this is dropped.
pub(super) struct Answer {
    challenges: Challenges,
    key: String,
}

impl Challenges {
    /// The path below which pages are asked for (RFC 8555 §8.3).
    pub const PATH: &'static str = "/.well-known/acme-challenge/";

    /// The page of this token.
    pub fn page(&self, token: &str) -> Option<String> {
        self.open().pages.get(token).cloned()
    }

    /// The settings for a directory's handshake; it carries nothing and is closed once done. Nothing for all others.
    pub fn handshake(&self, hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        let mut offered = hello.alpn()?;
        // RFC 8737 §3: it offers this protocol and no other.
        (offered.next() == Some(ALPN) && offered.next().is_none())
            .then(|| self.open().handshakes.get(hello.server_name()?).cloned())?
    }

    pub(super) fn answer_page(&self, token: &str, authorization: &KeyAuthorization) -> Answer {
        let text = authorization.as_str().to_owned();
        self.open().pages.insert(token.to_owned(), text);
        self.answer(token)
    }

    pub(super) fn answer_handshake(&self, domain: &str, digest: &[u8]) -> Result<Answer, rcgen::Error> {
        let config = handshake(domain, digest)?;
        let name = name_in_hello(domain);
        self.open().handshakes.insert(name.clone(), Arc::new(config));
        Ok(self.answer(&name))
    }

    fn answer(&self, key: &str) -> Answer {
        Answer {
            challenges: self.clone(),
            key: key.to_owned(),
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let mut open = self.challenges.open();
        open.pages.remove(&self.key);
        open.handshakes.remove(&self.key);
    }
}

impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.open();
        f.debug_struct("Challenges")
            .field("pages", &open.pages.len())
            .field("handshakes", &open.handshakes.len())
            .finish()
    }
}

/// What a directory's ClientHello names: the domain, or for an address the name below which DNS has it in reverse (RFC 8738 §6).
fn name_in_hello(domain: &str) -> String {
    match domain.parse() {
        Err(_) => domain.to_owned(),
        Ok(IpAddr::V4(address)) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        Ok(IpAddr::V6(address)) => {
            let nibbles = address
                .octets()
                .into_iter()
                .rev()
                .flat_map(|byte| [byte & 15, byte >> 4]);
            nibbles.map(|nibble| format!("{nibble:x}.")).collect::<String>() + "ip6.arpa"
        }
    }
}

/// Settings that show a certificate with the digest in it (RFC 8737 §3).
fn handshake(domain: &str, digest: &[u8]) -> Result<ServerConfig, rcgen::Error> {
    let mut params = CertificateParams::new([domain.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate()?;
    let chain = vec![params.self_signed(&key)?.der().clone()];
    let provider = aws_lc_rs::default_provider();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
    // Not by way of a check whether both belong together: it knows nothing of the critical extension.
    let shown = SingleCertAndKey::from(CertifiedKey::new(chain, key));
    let builder =
        ServerConfig::builder_with_provider(Arc::new(provider)).with_safe_default_protocol_versions();
    let Ok(builder) = builder else {
        unreachable!("the provider has cipher suites for both versions");
    };
    let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(shown));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

#[cfg(test)]
mod tests {
    use rustls::{ClientConfig, ClientConnection, RootCertStore, pki_types::ServerName, server::Acceptor};
    use x509_parser::prelude::{FromDer, X509Certificate};

    use super::*;
    use crate::testing;

    const DOMAIN: &str = "call.example.org";
    const DIGEST: [u8; 32] = [7; 32];

    fn client(name: &str, alpn: &[&[u8]]) -> ClientConnection {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let mut config = builder
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        config
            .dangerous()
            .set_certificate_verifier(Arc::new(testing::Anyone));
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        ClientConnection::new(config.into(), ServerName::try_from(name.to_owned()).unwrap()).unwrap()
    }

    /// What is found for the first message of this client.
    fn found(challenges: &Challenges, client: &mut ClientConnection) -> Option<Arc<ServerConfig>> {
        let mut acceptor = Acceptor::default();
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        acceptor.read_tls(&mut wire.as_slice()).unwrap();
        challenges.handshake(&acceptor.accept().unwrap().unwrap().client_hello())
    }

    fn with_answer() -> Challenges {
        let challenges = Challenges::default();
        let config = handshake(DOMAIN, &DIGEST).unwrap();
        challenges
            .open()
            .handshakes
            .insert(DOMAIN.to_owned(), config.into());
        challenges
    }

    /// RFC 8738 §6 has no addresses in SNI.
    #[test]
    fn an_address_is_asked_for_by_its_name_in_reverse() {
        for (domain, name) in [
            ("call.example.org", "call.example.org"),
            ("192.0.2.1", "1.2.0.192.in-addr.arpa"),
            (
                "2001:db8::1",
                "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
            ),
        ] {
            assert_eq!(name_in_hello(domain), name);
        }
        let challenges = Challenges::default();
        let answer = challenges.answer_handshake("192.0.2.1", &DIGEST).unwrap();
        let mut asked = client("1.2.0.192.in-addr.arpa", &[ALPN]);
        assert!(found(&challenges, &mut asked).is_some());
        drop(answer);
        let mut asked = client("1.2.0.192.in-addr.arpa", &[ALPN]);
        assert!(found(&challenges, &mut asked).is_none());
    }

    #[test]
    fn a_directory_is_shown_the_digest_in_a_critical_extension() {
        let config = found(&with_answer(), &mut client(DOMAIN, &[ALPN])).unwrap();
        let (mut client, mut server) = (
            client(DOMAIN, &[ALPN]),
            rustls::ServerConnection::new(config).unwrap(),
        );
        while client.is_handshaking() || server.is_handshaking() {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).unwrap();
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            wire.clear();
            server.write_tls(&mut wire).unwrap();
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets().unwrap();
        }
        assert_eq!(client.alpn_protocol(), Some(ALPN));
        let leaf = client.peer_certificates().unwrap()[0].clone();
        let (_, leaf) = X509Certificate::from_der(&leaf).unwrap();
        let identifier = leaf
            .extensions()
            .iter()
            .find(|found| found.oid.to_id_string() == "1.3.6.1.5.5.7.1.31");
        let identifier = identifier.unwrap();
        assert!(identifier.critical);
        assert_eq!(identifier.value, [[4, 32].as_slice(), &DIGEST].concat());
    }

    #[test]
    fn nobody_else_sees_it() {
        let challenges = with_answer();
        assert!(found(&challenges, &mut client(DOMAIN, &[])).is_none());
        assert!(found(&challenges, &mut client(DOMAIN, &[b"http/1.1"])).is_none());
        assert!(
            found(&challenges, &mut client(DOMAIN, &[ALPN, b"h2"])).is_none(),
            "RFC 8737 §3"
        );
        assert!(found(&challenges, &mut client("other.example.org", &[ALPN])).is_none());
        drop(challenges.answer(DOMAIN));
        assert!(
            found(&challenges, &mut client(DOMAIN, &[ALPN])).is_none(),
            "it is given for a while only"
        );
    }
}
