//! Certificates made for tests, as files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm};
use rustls::{
    DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use crate::PairConfig;

/// A self-signed certificate for these names, and its key, in a folder.
pub(crate) fn write(folder: &Path, stem: &str, names: &[&str]) -> PairConfig {
    write_as(folder, stem, names, &rcgen::PKCS_ECDSA_P256_SHA256)
}

pub(crate) fn write_as(
    folder: &Path,
    stem: &str,
    names: &[&str],
    algorithm: &'static SignatureAlgorithm,
) -> PairConfig {
    let params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    write_with(folder, stem, params, algorithm)
}

pub(crate) fn write_with(
    folder: &Path,
    stem: &str,
    params: CertificateParams,
    algorithm: &'static SignatureAlgorithm,
) -> PairConfig {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    PairConfig {
        certificate: put(folder, &format!("{stem}.crt"), &certificate.pem()),
        key: put(folder, &format!("{stem}.key"), &key.serialize_pem()),
        awaited: false,
    }
}

pub(crate) fn put(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path
}

/// A verifier that believes everyone, and knows ECDSA and RSA signatures only.
#[derive(Debug)]
pub(crate) struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::RSA_PSS_SHA256,
        ]
    }
}
