//! A certificate chain and its key, read, understood and found to belong together.

use std::{
    fmt, fs,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use rustls::{Error, InconsistentKeys, crypto::aws_lc_rs, sign::CertifiedKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tracing::warn;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{PairConfig, Problem, names};

/// No chain or key is larger; a path that leads to a device or a database ends the reading here.
const MAX_FILE: u64 = 1 << 20;

/// A certificate chain with its key.
pub struct Pair {
    /// The chain in DER, the leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The leaf's private key in DER.
    pub key: PrivateKeyDer<'static>,
    /// DNS names and IP addresses that the leaf is for; a name may begin with `*.`.
    pub names: Vec<String>,
    /// When the leaf begins to be valid, in seconds since 1970.
    pub not_before: i64,
    /// When the leaf expires, in seconds since 1970.
    pub not_after: i64,
    pub(crate) certified: Arc<CertifiedKey>,
    /// Where it was read.
    pub(crate) files: PairConfig,
}

impl Clone for Pair {
    fn clone(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: self.key.clone_key(),
            names: self.names.clone(),
            not_before: self.not_before,
            not_after: self.not_after,
            certified: Arc::clone(&self.certified),
            files: self.files.clone(),
        }
    }
}

/// Chooses the pair for the name that a client asked for; the first one serves clients that ask for none or for a
/// name that no certificate is for.
pub fn for_name<'a>(pairs: &'a [Pair], name: Option<&str>) -> Option<&'a Pair> {
    let named = name.and_then(|name| pairs.iter().find(|pair| pair.covers(name)));
    named.or_else(|| pairs.first())
}

impl Pair {
    /// Reads both files.
    pub(crate) fn read(files: &PairConfig) -> Result<Self, Problem> {
        let chain = chain(&files.certificate)?;
        let key = key(&files.key)?;
        Self::new(chain, key, files)
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        files: &PairConfig,
    ) -> Result<Self, Problem> {
        let unusable = |error: String| Problem::Certificate {
            file: files.certificate.clone(),
            error,
        };
        let leaf = chain
            .first()
            .ok_or_else(|| unusable("the chain is empty".into()))?;
        let (_, parsed) = X509Certificate::from_der(leaf).map_err(|error| unusable(error.to_string()))?;
        let names = names::of(&parsed);
        let not_before = parsed.validity().not_before.timestamp();
        let not_after = parsed.validity().not_after.timestamp();
        let signing = aws_lc_rs::default_provider()
            .key_provider
            .load_private_key(key.clone_key())
            .map_err(|error| Problem::Key {
                file: files.key.clone(),
                error,
            })?;
        let certified = CertifiedKey::new(chain.clone(), signing);
        match certified.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                return Err(Problem::Strangers {
                    certificate: files.certificate.clone(),
                    key: files.key.clone(),
                    leaf_is_below: leaf_is_below(&certified),
                });
            }
            Err(error) => return Err(unusable(error.to_string())),
        }
        Ok(Self {
            chain,
            key,
            names,
            not_before,
            not_after,
            certified: Arc::new(certified),
            files: files.clone(),
        })
    }

    /// Whether the certificate is for this name.
    pub fn covers(&self, name: &str) -> bool {
        names::cover(&self.names, name)
    }

    /// Whole days until the leaf expires; negative once it has.
    pub fn days_left(&self) -> i64 {
        (self.not_after - seconds_since_1970()).div_euclid(86_400)
    }

    /// Says loudly what clients will refuse, though the pair can be served.
    pub(crate) fn warn_about(&self, files: &PairConfig) {
        let file = files.certificate.display();
        let now = seconds_since_1970();
        if self.not_after <= now {
            let days = (now - self.not_after) / 86_400;
            warn!("the certificate in {file} expired {days} days ago: clients refuse it; renew it");
        } else if self.not_before > now {
            warn!(
                "the certificate in {file} is not valid yet: clients refuse it; is this machine's clock right?"
            );
        }
        if self.names.is_empty() {
            warn!("the certificate in {file} has no alternative names: browsers refuse it");
        }
        if is_readable_by_all(&files.key) {
            warn!(
                "every user of this machine can read the key {0}: run `chmod 600 {0}`",
                files.key.display()
            );
        }
    }
}

impl fmt::Debug for Pair {
    // The key stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair")
            .field("names", &self.names)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let pem = read(file)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| Problem::pem(file, error))?;
    if chain.is_empty() {
        let holds_key = PrivateKeyDer::from_pem_slice(&pem).is_ok();
        return Err(Problem::NoCertificate {
            file: file.to_owned(),
            holds_key,
        });
    }
    Ok(chain)
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, Problem> {
    let pem = read(file)?;
    let mut sections = PrivateKeyDer::pem_slice_iter(&pem);
    match sections.next() {
        Some(Ok(key)) => Ok(key),
        Some(Err(error)) => Err(Problem::pem(file, error)),
        None if is_locked(&pem) => Err(Problem::LockedKey {
            file: file.to_owned(),
        }),
        None => {
            let holds_certificate = CertificateDer::from_pem_slice(&pem).is_ok();
            Err(Problem::NoKey {
                file: file.to_owned(),
                holds_certificate,
            })
        }
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Problem> {
    let unreadable = |error| Problem::Unreadable {
        file: file.to_owned(),
        error,
    };
    let mut bytes = Vec::new();
    let opened = fs::File::open(file).map_err(unreadable)?;
    opened
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(unreadable(io::Error::other(
            "it is larger than any certificate or key",
        )));
    }
    Ok(bytes)
}

fn is_locked(pem: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pem);
    text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED")
}

fn leaf_is_below(certified: &CertifiedKey) -> bool {
    certified.cert.iter().skip(1).any(|certificate| {
        let alone = CertifiedKey::new(vec![certificate.clone()], certified.key.clone());
        alone.keys_match().is_ok()
    })
}

fn is_readable_by_all(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.mode() & 0o004 != 0)
}

pub(crate) fn seconds_since_1970() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
