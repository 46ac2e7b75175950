use std::fs;

use rcgen::CertificateParams;

use super::*;
use crate::testing;

fn refusal(certificate: &Path, key: &Path) -> String {
    let files = PairConfig {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        awaited: false,
    };
    Pair::read(&files).unwrap_err().to_string()
}

#[test]
fn ecdsa_ed25519_and_rsa_pairs_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for (stem, algorithm) in [
        ("p256", &rcgen::PKCS_ECDSA_P256_SHA256),
        ("p384", &rcgen::PKCS_ECDSA_P384_SHA384),
        ("ed25519", &rcgen::PKCS_ED25519),
        ("rsa", &rcgen::PKCS_RSA_SHA256),
    ] {
        let files = testing::write_as(
            folder.path(),
            stem,
            &["Turn.example.org", "192.0.2.7", "2001:db8::7"],
            algorithm,
        );
        let pair = Pair::read(&files).unwrap();
        assert_eq!(
            pair.names,
            ["turn.example.org", "192.0.2.7", "2001:db8::7"],
            "{stem}"
        );
        assert!(pair.not_after > seconds_since_1970(), "{stem}");
    }
}

#[test]
fn a_missing_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let files = testing::write(folder.path(), "a", &["a.example"]);
    let said = refusal(&folder.path().join("nothing.pem"), &files.key);
    assert!(
        said.contains("nothing.pem") && said.contains("no such file"),
        "{said}"
    );
}

#[test]
fn swapped_files_are_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let files = testing::write(folder.path(), "a", &["a.example"]);
    assert!(refusal(&files.key, &files.certificate).contains("swapped"));
    assert!(refusal(&files.certificate, &files.certificate).contains("swapped"));
}

#[test]
fn the_key_of_another_certificate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (
        testing::write(folder.path(), "a", &["a.example"]),
        testing::write(folder.path(), "b", &["b.example"]),
    );
    let said = refusal(&a.certificate, &b.key);
    assert!(
        said.contains("a.crt") && said.contains("b.key") && said.contains("do not belong together"),
        "{said}"
    );
}

#[test]
fn a_chain_that_does_not_begin_with_the_leaf_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (
        testing::write(folder.path(), "a", &["a.example"]),
        testing::write(folder.path(), "b", &["b.example"]),
    );
    let text = [&b, &a]
        .map(|files| fs::read_to_string(&files.certificate).unwrap())
        .concat();
    let upside_down = testing::put(folder.path(), "chain.crt", &text);
    assert!(refusal(&upside_down, &a.key).contains("has to come first"));
}

#[test]
fn rubbish_is_not_taken_for_a_certificate_or_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let files = testing::write(folder.path(), "a", &["a.example"]);
    let whole = fs::read_to_string(&files.certificate).unwrap();
    let half = testing::put(folder.path(), "half.crt", &whole[..whole.len() / 2]);
    assert!(refusal(&half, &files.key).contains("half.crt"));
    let framed = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let framed = testing::put(folder.path(), "framed.crt", framed);
    assert!(refusal(&framed, &files.key).contains("cannot be used"));
    let empty = testing::put(folder.path(), "empty.pem", "");
    assert!(refusal(&empty, &files.key).contains("holds no certificate"));
    assert!(refusal(&files.certificate, &empty).contains("holds no private key"));
    assert!(refusal(&files.certificate, Path::new("/dev/zero")).contains("larger"));
}

#[test]
fn a_locked_key_is_told_how_to_be_unlocked() {
    let folder = tempfile::tempdir().unwrap();
    let files = testing::write(folder.path(), "a", &["a.example"]);
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let locked = testing::put(folder.path(), "locked.key", locked);
    assert!(refusal(&files.certificate, &locked).contains("openssl pkey"));
}

#[test]
fn an_expired_certificate_is_still_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut params = CertificateParams::new(vec!["old.example".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2001, 1, 1);
    params.not_after = rcgen::date_time_ymd(2002, 1, 1);
    let files = testing::write_with(folder.path(), "old", params, &rcgen::PKCS_ECDSA_P256_SHA256);
    assert_eq!(Pair::read(&files).unwrap().not_after, 1_009_843_200);
}

#[test]
fn a_key_never_appears_in_debug_output() {
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair::read(&testing::write(folder.path(), "a", &["a.example"])).unwrap();
    let shown = format!("{pair:?}");
    assert!(shown.contains("a.example") && !shown.contains("key"), "{shown}");
}
