use super::*;
use crate::testing;

#[test]
fn every_bad_pair_is_named_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let good = testing::write(folder.path(), "good", &["good.example"]);
    let absent = |stem: &str| PairConfig {
        certificate: folder.path().join(format!("{stem}.crt")),
        key: good.key.clone(),
    };
    let mistakes = Certificates::load(&[absent("x"), good.clone(), absent("y")]).unwrap_err();
    let pairs: Vec<_> = mistakes.iter().map(|mistake| mistake.pair).collect();
    assert_eq!(pairs, [0, 2]);
    assert!(mistakes[1].to_string().contains("y.crt"));
}

#[test]
fn a_reload_serves_what_changed_and_counts_generations() {
    let folder = tempfile::tempdir().unwrap();
    let files = testing::write(folder.path(), "a", &["before.example"]);
    let certificates = Certificates::load(&[files]).unwrap();
    assert!(!certificates.reload().unwrap());
    assert_eq!(certificates.generation(), 0);

    testing::write(folder.path(), "a", &["after.example"]);
    assert!(certificates.reload().unwrap());
    assert_eq!(certificates.generation(), 1);
    assert_eq!(certificates.pairs()[0].names, ["after.example"]);
}

#[test]
fn a_bad_pair_leaves_the_old_ones_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let files = testing::write(folder.path(), "a", &["before.example"]);
    let certificates = Certificates::load(std::slice::from_ref(&files)).unwrap();
    testing::put(folder.path(), "a.key", "-----BEGIN");
    certificates.reload().unwrap_err();
    assert_eq!(certificates.pairs()[0].names, ["before.example"]);
    assert_eq!(certificates.generation(), 0);
}

#[test]
fn no_files_are_an_empty_set() {
    assert!(Certificates::load(&[]).unwrap().is_empty());
    assert!(Certificates::default().is_empty());
}
