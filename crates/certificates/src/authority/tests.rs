use std::{fs, os::unix::fs::MetadataExt};

use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::aws_lc_rs,
    pki_types::{ServerName, UnixTime},
};

use super::*;
use crate::Certificates;

fn host(name: &str, addresses: &[&str]) -> Host {
    Host {
        name: Some(name.to_owned()),
        addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
    }
}

/// Whether a device that trusts the authority would trust these files for `name`.
fn is_trusted(authority: &Authority, files: &PairConfig, name: &str) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.clone()).unwrap();
    let provider = aws_lc_rs::default_provider().into();
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider)
        .build()
        .unwrap();
    let pairs = Certificates::load(std::slice::from_ref(files)).unwrap().pairs();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let chain = &pairs[0].chain;
    verifier
        .verify_server_cert(&chain[0], &chain[1..], &name, &[], UnixTime::now())
        .is_ok()
}

#[test]
fn names_and_addresses_of_the_machine_are_certified() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(
        "MyBox",
        &[
            "192.168.1.7",
            "203.0.113.5",
            "2001:db8:1:2::7",
            "fd00::7",
            "fe80::1",
        ],
    );
    let authority = Authority::open(folder.path(), &host).unwrap();
    let files = authority.certify(&host).unwrap();
    for name in [
        "localhost",
        "mybox",
        "mybox.local",
        "127.0.0.1",
        "::1",
        "192.168.1.7",
        "203.0.113.5",
        "2001:db8:1:2::7",
        "fd00::7",
    ] {
        assert!(is_trusted(&authority, &files, name), "{name}");
    }
    for name in ["example.org", "203.0.113.6", "fe80::1"] {
        assert!(!is_trusted(&authority, &files, name), "{name}");
    }
}

#[test]
fn a_stolen_key_certifies_nothing_outside() {
    let folder = tempfile::tempdir().unwrap();
    let host = host("mybox", &["192.168.1.7"]);
    let authority = Authority::open(folder.path(), &host).unwrap();
    let names = ["bank.example", "8.8.8.8", "192.168.1.9"].map(str::to_owned);
    for name in &names {
        let pem = mint::server(std::slice::from_ref(name), &authority.common_name, &authority.key).unwrap();
        let path = folder.path().join("forged.pem");
        fs::write(&path, pem + &authority.pem().unwrap()).unwrap();
        let files = PairConfig {
            certificate: path.clone(),
            key: path,
            awaited: false,
        };
        assert_eq!(
            is_trusted(&authority, &files, name),
            name == "192.168.1.9",
            "{name}"
        );
    }
}

#[test]
fn the_authority_is_kept_and_its_key_is_for_the_owner_only() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("https");
    let host = host("mybox", &["192.168.1.7"]);
    let first = Authority::open(&folder, &host).unwrap();
    let second = Authority::open(&folder, &host).unwrap();
    assert_eq!(first.fingerprint(), second.fingerprint());
    assert_eq!(first.fingerprint().len(), 32 * 3 - 1);
    first.certify(&host).unwrap();
    let mode = |name: &str| fs::metadata(folder.join(name)).unwrap().mode() & 0o7777;
    assert_eq!(mode("."), 0o700);
    assert_eq!(mode(KEY), 0o600);
    assert_eq!(mode(SERVER), 0o600);
    assert_eq!(mode(CERTIFICATE), 0o644);
    assert_eq!(
        fs::read_dir(&folder).unwrap().count(),
        3,
        "temporary files are gone"
    );
}

#[test]
fn a_certificate_is_minted_anew_when_the_addresses_change_and_only_then() {
    let folder = tempfile::tempdir().unwrap();
    let at_home = host("mybox", &["192.168.1.7"]);
    let authority = Authority::open(folder.path(), &at_home).unwrap();
    let files = authority.certify(&at_home).unwrap();
    let first = fs::read(&files.certificate).unwrap();
    authority.certify(&at_home).unwrap();
    assert_eq!(fs::read(&files.certificate).unwrap(), first);
    authority.certify(&host("mybox", &["10.1.2.3"])).unwrap();
    assert_ne!(fs::read(&files.certificate).unwrap(), first);
    assert!(is_trusted(&authority, &files, "10.1.2.3"));
    fs::write(&files.certificate, "rubbish").unwrap();
    authority.certify(&at_home).unwrap();
    assert!(is_trusted(&authority, &files, "192.168.1.7"));
}

#[test]
fn what_the_kept_authority_may_not_certify_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let before = host("mybox", &["192.168.1.7", "2001:db8:1:2::7"]);
    let authority = Authority::open(folder.path(), &before).unwrap();
    let after = host(
        "other.example.org",
        &["203.0.113.5", "2001:db8:1:2::8", "2001:db8:9::8"],
    );
    let files = authority.certify(&after).unwrap();
    let names = Pair::read(&files).unwrap().names;
    assert_eq!(names, ["localhost", "127.0.0.1", "::1", "2001:db8:1:2::8"]);
    assert!(
        is_trusted(&authority, &files, "localhost"),
        "one bad name would spoil the rest"
    );
}

#[test]
fn damage_and_open_keys_are_refused_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::default();
    Authority::open(folder.path(), &host).unwrap();
    let refusal = || Authority::open(folder.path(), &host).err().unwrap().to_string();

    let key = folder.path().join(KEY);
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    assert!(refusal().contains("chmod 600"), "{}", refusal());
    fs::remove_file(&key).unwrap();
    assert!(refusal().contains("authority.key"), "{}", refusal());

    let other = tempfile::tempdir().unwrap();
    Authority::open(other.path(), &host).unwrap();
    fs::copy(other.path().join(KEY), &key).unwrap();
    assert!(refusal().contains("that of another one"), "{}", refusal());
    fs::write(folder.path().join(CERTIFICATE), "rubbish").unwrap();
    assert!(refusal().contains("delete the folder"), "{}", refusal());
}
