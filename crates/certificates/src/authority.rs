//! An authority of our own, for pages in a local network: no public one certifies `localhost` or `192.168.1.7`.
//!
//! Its certificate and key are minted once and kept, so that a device which was told to trust it goes on doing so. What
//! it may certify is limited to names and addresses of local networks and of this machine: whoever steals the key cannot
//! pose as a bank with it.

mod constraints;
mod mint;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use rcgen::KeyPair;
use rustls_pki_types::{CertificateDer, pem::PemObject};
use sha2::{Digest, Sha256};
use tracing::{info, warn};
use x509_parser::prelude::{FromDer, X509Certificate};

use self::constraints::Permitted;
use crate::{
    Pair, PairConfig,
    files::{self, FileError},
    pair::seconds_since_1970,
};

/// Names of the files in the authority's folder.
const CERTIFICATE: &str = "authority.crt";
const KEY: &str = "authority.key";
const SERVER: &str = "server.pem";

/// A server's certificate is replaced when less is left of it.
const RENEW_BEFORE_DAYS: i64 = 30;

/// What a certificate is to be for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Host {
    /// The machine's own name, if it has one.
    pub name: Option<String>,
    /// Addresses under which it is reached.
    pub addresses: Vec<IpAddr>,
}

/// An authority that certifies this machine only.
pub struct Authority {
    folder: PathBuf,
    certificate: CertificateDer<'static>,
    common_name: String,
    key: KeyPair,
    permitted: Permitted,
}

/// Why the authority cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum AuthorityError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(
        "{} does not hold what watari wrote there: {error}; restore it, or delete the folder {} to mint a new authority, \
         which every device has to be told to trust again",
        .path.display(), .path.parent().unwrap_or(.path).display()
    )]
    Damaged { path: PathBuf, error: String },
    #[error("cannot mint a certificate: {0}")]
    Mint(#[from] rcgen::Error),
}

impl Authority {
    /// Opens the authority of this folder; the first time, mints one that may certify `host`.
    pub fn open(folder: &Path, host: &Host) -> Result<Self, AuthorityError> {
        if !folder.join(CERTIFICATE).exists() && !folder.join(KEY).exists() {
            files::make_folder(folder)?;
            let (certificate, key) = mint::authority(host)?;
            files::write(&folder.join(KEY), &key, 0o600)?;
            files::write(&folder.join(CERTIFICATE), &certificate, 0o644)?;
            info!(folder = %folder.display(), "minted an authority for this machine");
        }
        let authority = Self::read(folder)?;
        authority.warn_of_age();
        Ok(authority)
    }

    /// Opens the authority of this folder if there is one.
    pub fn existing(folder: &Path) -> Result<Option<Self>, AuthorityError> {
        folder
            .join(CERTIFICATE)
            .exists()
            .then(|| Self::read(folder))
            .transpose()
    }

    fn read(folder: &Path) -> Result<Self, AuthorityError> {
        let (path, key_path) = (folder.join(CERTIFICATE), folder.join(KEY));
        let damaged = |error: String| AuthorityError::Damaged {
            path: path.clone(),
            error,
        };
        let pem = files::read(&path)?;
        let certificate =
            CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| damaged(error.to_string()))?;
        let (_, parsed) =
            X509Certificate::from_der(&certificate).map_err(|error| damaged(error.to_string()))?;
        let common_name = parsed
            .subject()
            .iter_common_name()
            .next()
            .and_then(|name| name.as_str().ok());
        let common_name = common_name
            .ok_or_else(|| damaged("it has no name".into()))?
            .to_owned();
        let permitted = Permitted::by(&parsed);
        files::refuse_if_open(&key_path)?;
        let key = KeyPair::from_pem(&files::read(&key_path)?).map_err(|error| AuthorityError::Damaged {
            path: key_path,
            error: error.to_string(),
        })?;
        if key.public_key_raw() != parsed.public_key().subject_public_key.as_ref() {
            return Err(damaged("the key beside it is that of another one".into()));
        }
        drop(parsed);
        Ok(Self {
            folder: folder.to_owned(),
            certificate,
            common_name,
            key,
            permitted,
        })
    }

    /// The files with a certificate for `host`, minted anew when the old one is for others or soon expires.
    pub fn certify(&self, host: &Host) -> Result<PairConfig, AuthorityError> {
        let path = self.folder.join(SERVER);
        let files = PairConfig {
            certificate: path.clone(),
            key: path.clone(),
            awaited: false,
        };
        let names = self.names(host);
        if !self.is_good(&files, &names) {
            let pem = mint::server(&names, &self.common_name, &self.key)?;
            files::write(&path, &format!("{pem}{}", self.pem()?), 0o600)?;
            info!(?names, "minted a certificate for this machine");
        }
        Ok(files)
    }

    /// The authority's own certificate, for devices that shall trust it.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join(CERTIFICATE)
    }

    /// The same as text.
    pub fn pem(&self) -> Result<String, AuthorityError> {
        Ok(files::read(&self.certificate())?)
    }

    /// SHA-256 of the authority's certificate as devices show it: `AB:CD:…`.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(&self.certificate);
        let bytes: Vec<_> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        bytes.join(":")
    }

    /// The names of `host` that this authority may certify, in a fixed order.
    fn names(&self, host: &Host) -> Vec<String> {
        let mut names = vec!["localhost".to_owned()];
        for name in mint::names_of(host) {
            names.extend(self.permitted.names(&name).then_some(name));
        }
        let mut addresses = host.addresses.clone();
        addresses.extend(mint::LOOPBACK);
        addresses.sort_unstable();
        addresses.dedup();
        addresses.retain(|address| mint::is_certifiable(*address) && self.permitted.address(*address));
        names.extend(addresses.iter().map(IpAddr::to_string));
        names
    }

    fn is_good(&self, files: &PairConfig, names: &[String]) -> bool {
        Pair::read(files).is_ok_and(|pair| {
            pair.names == names
                && pair.days_left() >= RENEW_BEFORE_DAYS
                && pair.chain.last() == Some(&self.certificate)
        })
    }

    fn warn_of_age(&self) {
        let Ok((_, parsed)) = X509Certificate::from_der(&self.certificate) else {
            return;
        };
        let days = (parsed.validity().not_after.timestamp() - seconds_since_1970()) / 86_400;
        if days < 365 {
            warn!(
                "the authority in {0} expires in {days} days: delete that folder to mint a new one, which every device has \
                 to be told to trust",
                self.folder.display()
            );
        }
    }
}

#[cfg(test)]
mod tests;
