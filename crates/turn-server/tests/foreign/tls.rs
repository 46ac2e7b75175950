//! A certificate for one test, and TLS clients of two libraries that trust it.

use std::{fs, path::Path, sync::Arc};

use certificates::{Certificates, PairConfig};
use openssl::ssl::{SslContext, SslMethod, SslVerifyMode};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion, crypto::aws_lc_rs, pki_types::CertificateDer,
};

/// The name that the certificate is for.
pub(crate) const NAME: &str = "turn.example.org";

/// A certificate that is its own authority.
pub(crate) struct Identity {
    der: CertificateDer<'static>,
    folder: tempfile::TempDir,
}

impl Identity {
    pub(crate) fn mint() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let minted = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        fs::write(folder.path().join("chain.pem"), minted.cert.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), minted.signing_key.serialize_pem()).unwrap();
        Self {
            der: minted.cert.der().clone(),
            folder,
        }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        Path::join(self.folder.path(), name)
    }

    /// What the server shows.
    pub(crate) fn certificates(&self) -> Certificates {
        Certificates::load(&[PairConfig {
            certificate: self.file("chain.pem"),
            key: self.file("key.pem"),
            awaited: false,
        }])
        .unwrap()
    }

    /// A client with rustls that speaks this version and verifies chain and name.
    pub(crate) fn rustls(&self, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }

    /// A client with OpenSSL, over TLS or DTLS, that verifies the chain.
    pub(crate) fn openssl(&self, method: SslMethod) -> SslContext {
        let mut context = SslContext::builder(method).unwrap();
        context.set_ca_file(self.file("chain.pem")).unwrap();
        context.set_verify(SslVerifyMode::PEER);
        context.build()
    }
}
