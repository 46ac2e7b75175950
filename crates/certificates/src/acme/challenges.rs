//! Answers to a directory that looks whether a domain leads here.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use instant_acme::KeyAuthorization;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::PrivateKeyDer,
    server::{ClientHello, NoServerSessionStorage},
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

    pub(super) fn answer_handshake(
        &self,
        domain: &str,
        authorization: &KeyAuthorization,
    ) -> Result<Answer, rcgen::Error> {
        let config = handshake(domain, authorization.digest().as_ref())?;
        self.open().handshakes.insert(domain.to_owned(), Arc::new(config));
        Ok(self.answer(domain))
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

/// Settings that show a certificate with the digest in it (RFC 8737 §3).
fn handshake(domain: &str, digest: &[u8]) -> Result<ServerConfig, rcgen::Error> {
    let mut params = CertificateParams::new([domain.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate()?;
    let chain = vec![params.self_signed(&key)?.der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    let mut config = config.map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}
