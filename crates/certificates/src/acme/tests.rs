use std::{fs, os::unix::fs::MetadataExt};

use super::*;
use crate::testing;

fn config(domains: &[&str]) -> AcmeConfig {
    AcmeConfig {
        domains: domains.iter().map(ToString::to_string).collect(),
        directory: "https://127.0.0.1:1/directory".to_owned(),
        ..AcmeConfig::default()
    }
}

#[test]
fn until_the_first_certificate_a_self_signed_one_stands_in_and_counts_as_none() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("acme");
    let (acme, files) = Acme::open(&config(&["call.example.org", "192.0.2.1"]), &folder).unwrap();
    let certificates = Certificates::load(std::slice::from_ref(&files)).unwrap();
    assert_eq!(certificates.pairs()[0].names, ["call.example.org", "192.0.2.1"]);
    assert!(acme.current().is_none());
    assert_eq!(fs::metadata(&files.key).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o7777, 0o700);
}

/// A pair that an authority has signed, as a directory's is.
fn put_signed(folder: &Path, domain: &str) {
    let issuer_key = rcgen::KeyPair::generate().unwrap();
    let mut issuer = rcgen::CertificateParams::default();
    issuer
        .distinguished_name
        .push(rcgen::DnType::CommonName, "a directory");
    let issuer = rcgen::Issuer::from_params(&issuer, &issuer_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new([domain.to_owned()]).unwrap();
    let leaf = params.signed_by(&key, &issuer).unwrap();
    testing::put(folder, SERVER, &(key.serialize_pem() + &leaf.pem()));
}

#[test]
fn a_kept_certificate_counts_as_long_as_it_is_for_all_domains() {
    let folder = tempfile::tempdir().unwrap();
    put_signed(folder.path(), "call.example.org");
    let (acme, files) = Acme::open(&config(&["call.example.org"]), folder.path()).unwrap();
    assert!(acme.current().is_some());
    let before = fs::read(&files.certificate).unwrap();
    let (acme, files) = Acme::open(&config(&["call.example.org", "b.example.org"]), folder.path()).unwrap();
    assert!(acme.current().is_none(), "a new one is wanted");
    assert_eq!(
        fs::read(files.certificate).unwrap(),
        before,
        "and the old one served meanwhile"
    );
}

/// A directory that errs does not cost the certificate that is there.
#[test]
fn only_what_is_good_takes_the_place_of_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    put_signed(folder.path(), "call.example.org");
    let (acme, files) = Acme::open(&config(&["call.example.org"]), folder.path()).unwrap();
    let before = fs::read(&files.certificate).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    put_signed(elsewhere.path(), "other.example.org");
    let other = fs::read_to_string(elsewhere.path().join(SERVER)).unwrap();
    for (pem, why) in [
        ("nothing", "no certificate for what was asked"),
        (&*other, "it names other domains"),
    ] {
        let Err(error) = acme.take(pem) else {
            panic!("taken: {why}");
        };
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(fs::read(&files.certificate).unwrap(), before);
    }
    put_signed(elsewhere.path(), "call.example.org");
    let renewed = fs::read_to_string(elsewhere.path().join(SERVER)).unwrap();
    acme.take(&renewed).unwrap();
    assert_eq!(fs::read_to_string(&files.certificate).unwrap(), renewed);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing is left over"
    );
}

#[tokio::test]
async fn a_directory_that_does_not_answer_is_a_failure_with_its_address() {
    let folder = tempfile::tempdir().unwrap();
    let (acme, files) = Acme::open(&config(&["call.example.org"]), folder.path()).unwrap();
    let certificates = Certificates::load(&[files]).unwrap();
    let error = acme.step(&certificates, 0.5).await.unwrap_err().to_string();
    assert!(error.contains("https://127.0.0.1:1/directory"), "{error}");
    assert!(!folder.path().join(ACCOUNT).exists());
}
