use std::{fs, os::unix::fs::symlink, path::Path};

use super::*;
use crate::{PairConfig, testing};

const BRISK: Pace = Pace {
    quiet: Duration::from_millis(50),
    at_most: Duration::from_secs(1),
    unasked: Duration::from_secs(3600),
};

/// Waits until this name is served.
fn wait_for(certificates: &Certificates, name: &str) {
    let start = Instant::now();
    while certificates
        .pairs()
        .first()
        .is_none_or(|pair| pair.names != [name])
    {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{name} is not served after 10 s"
        );
        thread::sleep(Duration::from_millis(10));
    }
}

fn load(files: &PairConfig) -> Certificates {
    Certificates::load(std::slice::from_ref(files)).unwrap()
}

fn named(folder: &Path, link: &str) -> PairConfig {
    PairConfig {
        certificate: folder.join(link).join("a.crt"),
        key: folder.join(link).join("a.key"),
        awaited: false,
    }
}

#[test]
fn files_that_are_written_over_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = load(&testing::write(folder.path(), "a", &["one.example"]));
    let _watch = certificates.watch_at(BRISK).unwrap();
    for name in ["two.example", "three.example"] {
        testing::write(folder.path(), "a", &[name]);
        wait_for(&certificates, name);
    }
}

#[test]
fn awaited_files_are_served_when_they_come_in_a_folder_that_was_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let awaited = PairConfig {
        awaited: true,
        ..named(folder.path(), "live")
    };
    let certificates = load(&awaited);
    let _watch = certificates.watch_at(BRISK).unwrap();
    let live = folder.path().join("live");
    fs::create_dir(&live).unwrap();
    testing::write(&live, "a", &["late.example"]);
    wait_for(&certificates, "late.example");
}

#[test]
fn files_that_are_renamed_into_place_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let files = testing::write(folder.path(), "a", &["one.example"]);
    let certificates = load(&files);
    let _watch = certificates.watch_at(BRISK).unwrap();
    let new = testing::write(folder.path(), "new", &["two.example"]);
    fs::rename(new.key, &files.key).unwrap();
    fs::rename(new.certificate, &files.certificate).unwrap();
    wait_for(&certificates, "two.example");
}

#[test]
fn links_that_are_turned_to_other_files_are_served_as_certbot_does_it() {
    let folder = tempfile::tempdir().unwrap();
    let (live, archive) = (folder.path().join("live"), folder.path().join("archive"));
    fs::create_dir(&live).unwrap();
    fs::create_dir(&archive).unwrap();
    let turn = |stem: &str, name: &str| {
        testing::write(&archive, stem, &[name]);
        for kind in ["crt", "key"] {
            let temporary = live.join("temporary");
            symlink(format!("../archive/{stem}.{kind}"), &temporary).unwrap();
            fs::rename(&temporary, live.join(format!("a.{kind}"))).unwrap();
        }
    };
    turn("a1", "one.example");
    let certificates = load(&named(folder.path(), "live"));
    let _watch = certificates.watch_at(BRISK).unwrap();
    turn("a2", "two.example");
    wait_for(&certificates, "two.example");
    turn("a3", "three.example");
    wait_for(&certificates, "three.example");
}

#[test]
fn a_folder_that_is_exchanged_is_served_as_kubernetes_does_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let turn = |version: &str, name: &str| {
        fs::create_dir(root.join(version)).unwrap();
        testing::write(&root.join(version), "a", &[name]);
        symlink(version, root.join("..tmp")).unwrap();
        fs::rename(root.join("..tmp"), root.join("..data")).unwrap();
    };
    turn("..1", "one.example");
    symlink("..data/a.crt", root.join("a.crt")).unwrap();
    symlink("..data/a.key", root.join("a.key")).unwrap();
    let certificates = load(&named(root, "."));
    let _watch = certificates.watch_at(BRISK).unwrap();
    turn("..2", "two.example");
    wait_for(&certificates, "two.example");
    fs::remove_dir_all(root.join("..1")).unwrap();
    turn("..3", "three.example");
    wait_for(&certificates, "three.example");
}

#[test]
fn a_bad_pair_is_counted_and_the_next_good_one_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = load(&testing::write(folder.path(), "a", &["one.example"]));
    let _watch = certificates.watch_at(BRISK).unwrap();
    testing::put(folder.path(), "a.key", "rubbish");
    let start = Instant::now();
    while certificates.reload_failures() == 0 {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "the bad key is not noticed"
        );
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(certificates.pairs()[0].names, ["one.example"]);
    testing::write(folder.path(), "a", &["two.example"]);
    wait_for(&certificates, "two.example");
}

#[test]
fn without_being_told_the_files_are_read_again_after_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = load(&testing::write(folder.path(), "a", &["one.example"]));
    let pace = Pace {
        unasked: Duration::from_millis(100),
        ..BRISK
    };
    let (to_thread, news) = channel();
    let blind = Lookout::new(channel().0);
    let thread = {
        let certificates = certificates.clone();
        thread::spawn(move || keep(&certificates, blind, &news, pace))
    };
    testing::write(folder.path(), "a", &["two.example"]);
    wait_for(&certificates, "two.example");
    to_thread.send(News::End).unwrap();
    thread.join().unwrap();
}

#[test]
fn a_watch_at_rest_reads_nothing_and_ends_when_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = load(&testing::write(folder.path(), "a", &["one.example"]));
    let watch = certificates.watch_at(BRISK).unwrap();
    thread::sleep(4 * BRISK.quiet);
    let reads = certificates.reloads_tried();
    thread::sleep(6 * BRISK.quiet);
    assert_eq!(certificates.reloads_tried(), reads, "its own reading wakes it");
    let start = Instant::now();
    drop(watch);
    assert!(start.elapsed() < Duration::from_secs(1));
}
