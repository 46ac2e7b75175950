//! What can be wrong with a pair of files, and what to do about it.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use rustls_pki_types::pem;

use crate::PairConfig;

/// One thing wrong with one pair.
#[derive(Debug, thiserror::Error)]
#[error("{problem}")]
pub struct Mistake {
    /// Which of the pairs, from 0, as they stand in the settings.
    pub pair: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a file, and what to do.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Problem {
    #[error("cannot read {}: {}", .file.display(), Reading(.error))]
    Unreadable { file: PathBuf, error: io::Error },
    #[error("{} is not PEM ({error}): convert it, or copy it again", .file.display())]
    NotPem { file: PathBuf, error: pem::Error },
    #[error("{} holds no certificate{}", .file.display(), if *.holds_key { ", but a key: `certificate` and `key` are swapped" } else { ": the chain in PEM is wanted, with the server's own certificate first" })]
    NoCertificate { file: PathBuf, holds_key: bool },
    #[error("{} holds no private key{}", .file.display(), if *.holds_certificate { ", but a certificate: `certificate` and `key` are swapped, or the key is in another file" } else { " in PEM" })]
    NoKey { file: PathBuf, holds_certificate: bool },
    #[error("the key in {0} is locked with a passphrase; unlock it with `openssl pkey -in {0} -out unlocked.pem`", .file.display())]
    LockedKey { file: PathBuf },
    #[error("the certificate in {} cannot be used: {error}", .file.display())]
    Certificate { file: PathBuf, error: String },
    #[error("the key in {} cannot be used: {error}; keys are ECDSA (P-256, P-384, P-521), Ed25519, or RSA of 2048 bits or more", .file.display())]
    Key { file: PathBuf, error: rustls::Error },
    #[error("{} and {} do not belong together: {}", .certificate.display(), .key.display(), if *.leaf_is_below { "the key is that of a later certificate in the file; the server's own has to come first" } else { "the key is that of another certificate" })]
    Strangers {
        certificate: PathBuf,
        key: PathBuf,
        leaf_is_below: bool,
    },
}

impl Problem {
    /// Whether there is no such file.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::Unreadable { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }

    /// Whether the key's file is the one to look at.
    pub(crate) fn is_in_key(&self, files: &PairConfig) -> bool {
        match self {
            Self::Unreadable { file, .. } | Self::NotPem { file, .. } => *file == files.key,
            Self::NoCertificate { .. } | Self::Certificate { .. } => false,
            Self::NoKey { .. } | Self::LockedKey { .. } | Self::Key { .. } | Self::Strangers { .. } => true,
        }
    }

    pub(crate) fn pem(file: &Path, error: pem::Error) -> Self {
        Self::NotPem {
            file: file.to_owned(),
            error,
        }
    }
}

struct Reading<'a>(&'a io::Error);

impl fmt::Display for Reading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.0.kind();
        if kind == io::ErrorKind::NotFound {
            f.write_str("there is no such file; correct the path")
        } else if kind == io::ErrorKind::PermissionDenied {
            f.write_str(
                "the user that the server runs as may not read it; give that user or its group access",
            )
        } else {
            self.0.fmt(f)
        }
    }
}
