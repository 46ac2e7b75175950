//! Secrets, the state folder, and room on its disk.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access, statvfs};

use super::{finding::Finding, subject::Subject};
use crate::state::{self, StateError};

/// Certificates, secrets and names that were revoked take kilobytes; below this something else fills the disk.
const LEAST_FREE: u64 = 64 << 20;

pub(super) fn look(subject: &Subject, server: Option<u32>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(folder) = &subject.state {
        findings.push(secrets(state::load(folder).map(drop), folder));
        findings.extend(writable(folder, server));
        findings.extend(nearest(folder).and_then(|folder| room(&folder)));
    }
    let keys = subject.pairs.iter().map(|pair| &pair.key);
    let settings = subject.settings_files.iter().map(|file| (file, Kind::Settings));
    let secrets = subject.secret_files.iter().chain(keys);
    let files = settings.chain(secrets.map(|file| (file, Kind::Secret)));
    findings.extend(files.filter_map(|(file, kind)| open_to_all(file, kind, mode(file)?)));
    findings.dedup();
    findings
}

fn secrets(loaded: Result<(), StateError>, folder: &Path) -> Finding {
    match loaded {
        Ok(()) => Finding::fine(format!(
            "the secrets in {} are for their owner alone",
            folder.display()
        )),
        Err(StateError::Absent { .. }) => Finding::note(format!(
            "there are no secrets in {} yet: the first start mints them",
            folder.display()
        )),
        Err(StateError::TooOpen { path, mode, wanted }) => Finding::problem(
            format!("{path} is open to other users (mode {mode:04o})"),
            format!("`chmod {wanted} {path}`; the server does not start before"),
        ),
        Err(StateError::Io { path, error }) if error.kind() == io::ErrorKind::PermissionDenied => {
            Finding::warning(
                format!("{path} is not for this user to read"),
                "run `watari check` as root, or as the user that the server runs as",
            )
        }
        Err(error @ (StateError::NoFolder | StateError::Io { .. } | StateError::Damaged { .. })) => {
            Finding::problem(
                error.to_string(),
                "restore the file, or name another folder with --state",
            )
        }
    }
}

/// Whether the server can write there: as the user that it runs as, or that asks now.
fn writable(folder: &Path, server: Option<u32>) -> Option<Finding> {
    let shown = folder.display();
    if let Some(pid) = server {
        let user = fs::metadata(format!("/proc/{pid}")).ok()?.uid();
        let owner = fs::metadata(folder).ok()?.uid();
        return Some(match user == owner || user == 0 {
            true => Finding::fine(format!("the server that runs may write to {shown}")),
            false => Finding::problem(
                format!("the server runs as user {user}, and {shown} belongs to {owner}"),
                format!("name the folder that the server has with --state, or `chown -R {user} {shown}`"),
            ),
        });
    }
    let place = nearest(folder)?;
    Some(match access(&place, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Finding::fine(format!("this user may write to {shown}")),
        Err(_) => Finding::warning(
            format!("this user may not write to {}", place.display()),
            "run `watari check` as the user that the server runs as; or give that user the folder, or name another with --state",
        ),
    })
}

/// The folder itself or, until it is made, the one that it will be in.
fn nearest(folder: &Path) -> Option<PathBuf> {
    folder
        .ancestors()
        .find(|place| place.is_dir())
        .map(Path::to_owned)
}

fn room(folder: &Path) -> Option<Finding> {
    let disk = statvfs(folder).ok()?;
    Some(judge_room(
        &folder.display().to_string(),
        disk.f_bavail * disk.f_frsize,
        (disk.f_favail, disk.f_files),
    ))
}

/// Some file systems have no table of inodes that could be full.
fn judge_room(shown: &str, free: u64, (inodes, all): (u64, u64)) -> Finding {
    let megabytes = free >> 20;
    if free < LEAST_FREE || (all > 0 && inodes < 100) {
        let what = format!(
            "the disk of {shown} is all but full: {megabytes} MB are free, {inodes} files can be made"
        );
        return Finding::warning(
            what,
            "make room: renewed certificates and revoked names could not be written",
        );
    }
    Finding::fine(format!("the disk of {shown} has {megabytes} MB free"))
}

fn mode(file: &Path) -> Option<u32> {
    Some(fs::metadata(file).ok()?.mode() & 0o7777)
}

/// What a file with a secret in it is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A secret or a key, and nothing else.
    Secret,
    /// Settings, which the units of systemd read as one of the others.
    Settings,
}

fn open_to_all(file: &Path, kind: Kind, mode: u32) -> Option<Finding> {
    let shown = file.display();
    let todo = match kind {
        Kind::Secret => format!("`chmod o= {shown}`, while the server reads it as its owner or in its group"),
        Kind::Settings => format!(
            "move the secret to a file of its own, where there is a key for one (…_file); `chmod o= {shown}` keeps the \
             server out, too, unless it is the owner or in the group: a unit with DynamicUser is not"
        ),
    };
    (mode & 0o007 != 0).then(|| {
        Finding::warning(
            format!(
                "every user of this machine can open {shown}, in which a secret or key is (mode {mode:04o})"
            ),
            todo,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Grade, *};

    #[test]
    fn secrets_that_others_can_read_are_a_problem_with_its_command() {
        let open = StateError::TooOpen {
            path: "/s/secrets.toml".into(),
            mode: 0o644,
            wanted: "600",
        };
        let finding = secrets(Err(open), Path::new("/s"));
        assert_eq!(finding.grade, Grade::Problem);
        assert!(finding.todo.unwrap().starts_with("`chmod 600 /s/secrets.toml`"));
        let absent = StateError::Absent { path: "/s".into() };
        assert_eq!(secrets(Err(absent), Path::new("/s")).grade, Grade::Note);
    }

    #[test]
    fn a_key_is_for_owner_and_group() {
        let todo =
            |kind, mode| open_to_all(Path::new("/k.pem"), kind, mode).map(|finding| finding.todo.unwrap());
        assert_eq!(todo(Kind::Secret, 0o640), None);
        assert!(
            todo(Kind::Secret, 0o644)
                .unwrap()
                .starts_with("`chmod o= /k.pem`")
        );
        assert!(
            todo(Kind::Settings, 0o644)
                .unwrap()
                .starts_with("move the secret")
        );
    }

    #[test]
    fn a_disk_is_full_by_bytes_or_by_files() {
        assert_eq!(judge_room("/", 1 << 30, (1000, 2000)).grade, Grade::Fine);
        assert_eq!(judge_room("/", 1 << 20, (1000, 2000)).grade, Grade::Warning);
        assert_eq!(judge_room("/", 1 << 30, (3, 2000)).grade, Grade::Warning);
        assert_eq!(judge_room("/", 1 << 30, (0, 0)).grade, Grade::Fine);
    }

    #[test]
    fn a_folder_that_is_not_there_yet_will_be_made_in_the_nearest_one() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(
            nearest(&folder.path().join("a/b")),
            Some(folder.path().to_owned())
        );
    }
}
