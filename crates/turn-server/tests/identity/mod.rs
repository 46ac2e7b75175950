//! A certificate for the server of a test.

use std::fs;

use certificates::{Certificates, PairConfig};
use tempfile::TempDir;

/// A certificate in files.
pub(crate) struct Identity {
    pub(crate) certificates: Certificates,
    folder: TempDir,
}

impl Identity {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let files = write(&folder);
        Self {
            certificates: Certificates::load(&[files]).unwrap(),
            folder,
        }
    }

    /// Puts another one in its place.
    pub(crate) fn renew(&self) {
        write(&self.folder);
        assert!(self.certificates.reload().unwrap());
    }
}

fn write(folder: &TempDir) -> PairConfig {
    let identity = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let files = PairConfig {
        certificate: folder.path().join("server.crt"),
        key: folder.path().join("server.key"),
        awaited: false,
    };
    fs::write(&files.certificate, identity.cert.pem()).unwrap();
    fs::write(&files.key, identity.signing_key.serialize_pem()).unwrap();
    files
}
