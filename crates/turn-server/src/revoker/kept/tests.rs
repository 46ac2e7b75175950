use std::os::unix::fs::symlink;

use super::*;

const LASTING: [&str; 2] = ["9999999999:a", "9999999999:b\n\"c\""];

fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("revoked");
    (folder, path)
}

fn open(path: &Path) -> Kept {
    Kept::open(path, ':').unwrap()
}

fn keep(kept: &mut Kept, name: &str) -> io::Result<()> {
    kept.keep(&Arc::from(name))
}

fn names(kept: &Kept) -> Vec<&str> {
    kept.usernames().map(|name| &**name).collect()
}

#[test]
fn what_is_kept_is_there_again_after_a_restart_and_what_has_expired_is_not() {
    let (_folder, path) = file();
    let mut kept = open(&path);
    for name in LASTING.iter().chain(&["17:expired", "none", LASTING[0]]) {
        keep(&mut kept, name).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    assert_eq!(names(&open(&path)), LASTING);
    fs::write(&path, "\"17:expired\"\n\"9999999999:a\"\n").unwrap();
    assert_eq!(names(&open(&path)), ["9999999999:a"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "\"9999999999:a\"\n");
}

#[test]
fn half_a_line_costs_no_other_line_also_when_it_ends_within_a_character() {
    let (_folder, path) = file();
    let torn = "\"9999999999:a\"\n\"9999999999:ë".as_bytes();
    fs::write(&path, &torn[..torn.len() - 1]).unwrap();
    let mut kept = open(&path);
    assert_eq!(names(&kept), ["9999999999:a"]);
    keep(&mut kept, "9999999999:d").unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, "\"9999999999:a\"\n\"9999999999:d\"\n");
}

#[test]
fn nothing_is_added_to_the_half_line_that_a_full_disk_has_left() {
    let (_folder, path) = file();
    let mut kept = open(&path);
    keep(&mut kept, "9999999999:a").unwrap();
    let mut text = fs::read_to_string(&path).unwrap();
    text.push_str("\"99999999");
    fs::write(&path, text).unwrap();
    keep(&mut kept, "9999999999:b").unwrap();
    assert_eq!(names(&open(&path)), ["9999999999:a", "9999999999:b"]);
}

#[test]
fn after_a_line_that_was_not_written_the_file_is_made_anew() {
    let (_folder, path) = file();
    let mut kept = open(&path);
    keep(&mut kept, "9999999999:a").unwrap();
    fs::remove_file(&path).unwrap();
    symlink("/dev/full", &path).unwrap();
    let refused = keep(&mut kept, "9999999999:b").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::StorageFull);
    // The device has no end; a new file in its place does not need one.
    fs::remove_file(&path).unwrap();
    symlink("/dev/null", &path).unwrap();
    keep(&mut kept, "9999999999:b").unwrap();
    assert_eq!(names(&open(&path)), ["9999999999:a", "9999999999:b"]);
}

#[test]
fn a_file_that_was_taken_away_comes_back_with_everything() {
    let (_folder, path) = file();
    let mut kept = open(&path);
    keep(&mut kept, "9999999999:a").unwrap();
    fs::remove_file(&path).unwrap();
    keep(&mut kept, "9999999999:b").unwrap();
    assert_eq!(names(&open(&path)), ["9999999999:a", "9999999999:b"]);
}

#[test]
fn two_processes_with_one_file_lose_nothing_of_each_other() {
    let (_folder, path) = file();
    let mut first = open(&path);
    let mut second = open(&path);
    keep(&mut first, "9999999999:a").unwrap();
    keep(&mut second, "9999999999:b").unwrap();
    second.tidy().unwrap();
    keep(&mut first, "9999999999:c").unwrap();
    assert_eq!(
        names(&open(&path)),
        ["9999999999:a", "9999999999:b", "9999999999:c"]
    );
}

#[test]
fn a_new_file_is_not_put_in_place_while_another_process_adds_to_the_old_one() {
    const MANY: usize = 200;
    let (_folder, path) = file();
    let mut kept = open(&path);
    std::thread::scope(|scope| {
        let adds = scope.spawn(|| {
            for number in 0..MANY {
                keep(&mut kept, &format!("9999999999:{number}")).unwrap();
            }
        });
        while !adds.is_finished() {
            open(&path);
        }
    });
    assert_eq!(open(&path).usernames().count(), MANY);
}

#[test]
fn a_place_that_cannot_be_written_is_a_mistake() {
    let (folder, path) = file();
    assert!(Kept::open(&folder.path().join("no/folder"), ':').is_err());
    fs::create_dir(&path).unwrap();
    assert!(Kept::open(&path, ':').is_err());
}
