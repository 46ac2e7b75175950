//! Whom clients over TLS trust.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use certificates::Believer;
use rustls::{
    ClientConfig, Error as TlsError, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{
        CertificateDer, ServerName,
        pem::{Error as PemError, PemObject},
    },
};
use thiserror::Error;

use crate::plan::Tls;

/// Whom clients trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trusted {
    /// The authorities of this machine.
    System,
    /// Those in a PEM file.
    File(PathBuf),
    /// Anyone: for a bench of one's own server on a test certificate.
    Anyone,
}

/// Why nobody can be trusted.
#[derive(Debug, Error)]
pub enum TrustError {
    /// This machine has no authorities.
    #[error("this machine trusts no authority: name a PEM file with --ca, or trust anyone with --insecure")]
    NoSystem,
    /// The file cannot be read.
    #[error("cannot read certificates from {}: {reason}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The name is neither a DNS name nor an address.
    #[error("{0} is no name that a certificate can have")]
    Name(String),
    /// TLS cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
}

impl Tls {
    /// What clients need to reach a server of this name.
    ///
    /// # Errors
    /// If there is nobody to trust, or the name is none.
    pub fn new(host: &str, trusted: &Trusted) -> Result<Self, TrustError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| TrustError::Name(host.to_owned()))?;
        let config = match trusted {
            Trusted::Anyone => Believer::client(None)?,
            Trusted::System => authorized(system()?)?,
            Trusted::File(file) => authorized(of_file(file)?)?,
        };
        Ok(Self {
            config: Arc::new(config),
            name,
        })
    }
}

fn authorized(roots: RootCertStore) -> Result<ClientConfig, TlsError> {
    Ok(
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth(),
    )
}

fn system() -> Result<RootCertStore, TrustError> {
    let roots = authorities();
    match roots.is_empty() {
        true => Err(TrustError::NoSystem),
        false => Ok(roots),
    }
}

/// The authorities of this machine.
pub fn authorities() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // One that cannot be read does not spoil the others.
    let _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn of_file(file: &Path) -> Result<RootCertStore, TrustError> {
    let wrong = |reason: String| TrustError::File {
        file: file.to_owned(),
        reason,
    };
    let told = |error: PemError| wrong(error.to_string());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(told)? {
        roots
            .add(certificate.map_err(told)?)
            .map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("there is none in it".to_owned()));
    }
    Ok(roots)
}
