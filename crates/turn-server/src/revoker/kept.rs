//! A file that keeps revoked usernames over a restart, one a line as a JSON string.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use turn_credentials::parse_username;

/// As many lines as the file has at least before those that have expired are taken out of it.
const TIDY_AT: usize = 1024;

/// The file, open, and what is in it.
pub(crate) struct Kept {
    path: PathBuf,
    separator: char,
    file: File,
    /// With the second in which each expires.
    usernames: BTreeMap<Arc<str>, u64>,
    tidy_at: usize,
}

impl Kept {
    /// Reads what was kept and is still of use; the file is made if there is none.
    ///
    /// # Errors
    /// When it can be neither read nor written.
    pub(crate) fn open(path: &Path, separator: char) -> io::Result<Self> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            read => read?,
        };
        // The last line may be half of one.
        let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        let expiring = lines.filter_map(|name: String| {
            let expires = parse_username(&name, separator)?.expires_unix;
            Some((Arc::from(name), expires))
        });
        let mut kept = Self {
            usernames: expiring.collect(),
            path: path.to_owned(),
            separator,
            file: append_to(path)?,
            tidy_at: TIDY_AT,
        };
        kept.tidy()?;
        Ok(kept)
    }

    /// The usernames that have not expired.
    pub(crate) fn usernames(&self) -> impl Iterator<Item = &Arc<str>> {
        self.usernames.keys()
    }

    /// Keeps one more, safe from a crash when this returns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn keep(&mut self, username: &Arc<str>) -> io::Result<()> {
        let parsed = parse_username(username, self.separator);
        let Some(expires) = parsed.map(|parsed| parsed.expires_unix) else {
            return Ok(());
        };
        if expires <= now() || self.usernames.contains_key(username) {
            return Ok(());
        }
        self.file.write_all(line(username)?.as_bytes())?;
        self.file.sync_data()?;
        self.usernames.insert(Arc::clone(username), expires);
        if self.usernames.len() >= self.tidy_at {
            self.tidy()?;
        }
        Ok(())
    }

    /// Writes the file anew, whole or not at all, without those that have expired.
    fn tidy(&mut self) -> io::Result<()> {
        let now = now();
        self.usernames.retain(|_, expires| *expires > now);
        self.tidy_at = (2 * self.usernames.len()).max(TIDY_AT);
        let lines: Vec<_> = self.usernames.keys().map(line).collect::<io::Result<_>>()?;
        let mut beside = self.path.clone().into_os_string();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let mut new = create(&beside)?;
        new.write_all(lines.concat().as_bytes())?;
        new.sync_all()?;
        fs::rename(&beside, &self.path)?;
        self.file = append_to(&self.path)?;
        Ok(())
    }
}

fn line(username: &Arc<str>) -> io::Result<String> {
    let text = serde_json::to_string(&**username)?;
    Ok(text + "\n")
}

fn append_to(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600).open(path)
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(kept: &Kept) -> Vec<&str> {
        kept.usernames().map(|name| &**name).collect()
    }

    #[test]
    fn what_is_kept_is_there_again_after_a_restart_and_what_has_expired_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revoked");
        let mut kept = Kept::open(&path, ':').unwrap();
        let lasting = ["9999999999:a", "9999999999:b\n\"c\""];
        for name in lasting.iter().chain(&["17:expired", "none", lasting[0]]) {
            kept.keep(&Arc::from(*name)).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
        assert_eq!(names(&Kept::open(&path, ':').unwrap()), lasting);
        fs::write(&path, "\"17:expired\"\n\"9999999999:a\"\n\"99999999").unwrap();
        let mut kept = Kept::open(&path, ':').unwrap();
        assert_eq!(names(&kept), ["9999999999:a"]);
        kept.keep(&Arc::from("9999999999:d")).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "\"9999999999:a\"\n\"9999999999:d\"\n");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_a_mistake() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Kept::open(&folder.path().join("no/folder"), ':').is_err());
        assert!(Kept::open(folder.path(), ':').is_err());
    }
}
