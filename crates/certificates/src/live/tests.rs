use super::*;
use crate::testing;

#[test]
fn every_bad_pair_is_named_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let good = testing::write(folder.path(), "good", &["good.example"]);
    let absent = |stem: &str| PairConfig {
        certificate: folder.path().join(format!("{stem}.crt")),
        key: good.key.clone(),
        awaited: false,
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
fn an_awaited_pair_is_served_when_it_has_come_and_is_missed_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let there = testing::write(folder.path(), "there", &["there.example"]);
    let awaited = PairConfig {
        certificate: folder.path().join("a.crt"),
        key: folder.path().join("a.key"),
        awaited: true,
    };
    let certificates = Certificates::load(&[awaited.clone(), there]).unwrap();
    let served = || {
        let pairs = certificates.pairs();
        pairs
            .iter()
            .flat_map(|pair| pair.names.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(served(), ["there.example"]);
    assert!(!certificates.reload().unwrap());

    let came = testing::write(folder.path(), "a", &["late.example"]);
    assert!(certificates.reload().unwrap());
    assert_eq!(served(), ["late.example", "there.example"]);

    std::fs::remove_file(came.key).unwrap();
    certificates.reload().unwrap_err();
    assert_eq!(served(), ["late.example", "there.example"]);
}

#[test]
fn a_set_that_is_only_awaited_is_not_empty() {
    let awaited = PairConfig {
        certificate: "/nowhere/a.crt".into(),
        key: "/nowhere/a.key".into(),
        awaited: true,
    };
    let certificates = Certificates::load(&[awaited]).unwrap();
    assert!(certificates.pairs().is_empty());
    assert!(!certificates.is_empty());
}

#[test]
fn no_files_are_an_empty_set() {
    assert!(Certificates::load(&[]).unwrap().is_empty());
    assert!(Certificates::default().is_empty());
}

#[test]
fn a_part_serves_its_own_files_and_follows_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["a", "b", "c"].map(|stem| testing::write(folder.path(), stem, &["before.example", stem]));
    let whole = Certificates::load(&files).unwrap();
    let part = whole.of(&[files[2].clone(), files[0].clone()]);
    let names =
        |part: &Certificates| -> Vec<_> { part.pairs().iter().map(|pair| pair.names.clone()).collect() };
    assert_eq!(names(&part), [["before.example", "a"], ["before.example", "c"]]);
    assert!(!part.is_empty());
    testing::write(folder.path(), "c", &["after.example", "c"]);
    assert!(whole.reload().unwrap());
    assert_eq!(names(&part), [["before.example", "a"], ["after.example", "c"]]);
    assert_eq!(part.generation(), 1);
    let nothing = whole.of(&[]);
    assert!(nothing.is_empty() && nothing.pairs().is_empty());
}
