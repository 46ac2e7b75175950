//! Certificates made for tests.

use std::{fs, path::Path, sync::LazyLock};

use certificates::PairConfig;
use openssl::{
    asn1::Asn1Time,
    bn::{BigNum, MsbOption},
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    rsa::Rsa,
    x509::{
        X509, X509Name, X509NameBuilder,
        extension::{BasicConstraints, SubjectAlternativeName},
    },
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ecdsa,
    Rsa,
}

/// A chain and the key of its leaf, as they stand in files.
pub(super) struct Identity {
    chain: Vec<X509>,
    key: PKey<Private>,
}

impl Identity {
    pub(super) fn leaf(&self) -> Vec<u8> {
        self.chain[0].to_der().unwrap()
    }

    /// Writes both files, over those of the same name.
    pub(super) fn write(&self, folder: &Path, name: &str) -> PairConfig {
        let files = PairConfig {
            certificate: folder.join(format!("{name}.crt")),
            key: folder.join(format!("{name}.key")),
            awaited: false,
        };
        let chain: Vec<u8> = self.chain.iter().flat_map(|one| one.to_pem().unwrap()).collect();
        fs::write(&files.certificate, chain).unwrap();
        fs::write(&files.key, self.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        files
    }
}

/// A self-signed certificate for one name.
pub(super) fn identity(kind: Kind, name: &str) -> Identity {
    let key = key(kind);
    Identity {
        chain: vec![certificate(name, &key, None)],
        key,
    }
}

/// A chain of RSA certificates: the leaf and two issuers.
pub(super) fn chain(name: &str) -> Identity {
    let keys: Vec<_> = (0..3).map(|_| key(Kind::Rsa)).collect();
    let root = certificate("root", &keys[2], None);
    let middle = certificate("middle", &keys[1], Some((&root, &keys[2])));
    let leaf = certificate(name, &keys[0], Some((&middle, &keys[1])));
    Identity {
        chain: vec![leaf, middle, root],
        key: keys[0].clone(),
    }
}

fn key(kind: Kind) -> PKey<Private> {
    /// Searching primes takes long.
    static RSA: LazyLock<PKey<Private>> =
        LazyLock::new(|| PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap());
    match kind {
        Kind::Rsa => RSA.clone(),
        Kind::Ecdsa => {
            let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
            PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
        }
    }
}

fn certificate(name: &str, key: &PKey<Private>, issuer: Option<(&X509, &PKey<Private>)>) -> X509 {
    let mut builder = X509::builder().unwrap();
    let subject = x509_name(name);
    builder.set_version(2).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(127, MsbOption::MAYBE_ZERO, false).unwrap();
    builder
        .set_serial_number(&serial.to_asn1_integer().unwrap())
        .unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder
        .set_issuer_name(issuer.map_or(&subject, |(issuer, _)| issuer.subject_name()))
        .unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(7).unwrap())
        .unwrap();
    builder.set_pubkey(key).unwrap();
    builder
        .append_extension(BasicConstraints::new().ca().build().unwrap())
        .unwrap();
    let names = SubjectAlternativeName::new()
        .dns(name)
        .build(&builder.x509v3_context(None, None))
        .unwrap();
    builder.append_extension(names).unwrap();
    let signer = issuer.map_or(key, |(_, key)| key);
    builder.sign(signer, MessageDigest::sha256()).unwrap();
    builder.build()
}

fn x509_name(name: &str) -> X509Name {
    let mut builder = X509NameBuilder::new().unwrap();
    builder.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    builder.build()
}
