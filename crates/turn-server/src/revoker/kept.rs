//! A file that keeps revoked usernames over a restart, one a line as a JSON string.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use tracing::warn;
use turn_credentials::parse_username;

/// As many lines as the file has at least before those that have expired are taken out of it.
const TIDY_AT: usize = 1024;

/// What is in the file. It is opened for each line: another process may have put a new one in its place meanwhile.
pub(crate) struct Kept {
    path: PathBuf,
    separator: char,
    /// With the second in which each expires.
    usernames: BTreeMap<Arc<str>, u64>,
    tidy_at: usize,
    /// Nobody knows what is left in the file of a line that could not be written.
    has_failed: bool,
}

impl Kept {
    /// Reads what was kept and is still of use; the file is made if there is none.
    ///
    /// # Errors
    /// When it can be neither read nor written.
    pub(crate) fn open(path: &Path, separator: char) -> io::Result<Self> {
        let mut kept = Self {
            path: path.to_owned(),
            separator,
            usernames: BTreeMap::new(),
            tidy_at: TIDY_AT,
            has_failed: false,
        };
        let _lock = kept.lock()?;
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
        let _lock = self.lock()?;
        // What is added to half a line is lost with it.
        if self.has_failed || !ends_with_a_line(&self.path) {
            self.tidy()?;
        }
        self.has_failed = true;
        self.append(&line(username)?)?;
        self.has_failed = false;
        self.usernames.insert(Arc::clone(username), expires);
        if self.usernames.len() >= self.tidy_at {
            // It is kept all the same, and the old file is as good as a new one.
            let _ = self
                .tidy()
                .inspect_err(|error| warn!(%error, "turn.admin.revoked_file is not tidied"));
        }
        Ok(())
    }

    /// Keeps other processes from the file: a new one in its place would lack what they add to the old one.
    fn lock(&self) -> io::Result<File> {
        let lock = options().append(true).open(beside(&self.path, ".lock"))?;
        lock.lock()?;
        Ok(lock)
    }

    fn append(&self, line: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).open(&self.path)?;
        file.write_all(line.as_bytes())?;
        file.sync_data()
    }

    /// Writes the file anew, whole or not at all, without those that have expired.
    fn tidy(&mut self) -> io::Result<()> {
        self.read()?;
        let now = now();
        self.usernames.retain(|_, expires| *expires > now);
        self.tidy_at = (2 * self.usernames.len()).max(TIDY_AT);
        let lines: Vec<_> = self.usernames.keys().map(line).collect::<io::Result<_>>()?;
        let new = beside(&self.path, ".new");
        let replaced = write_anew(&new, &lines.concat()).and_then(|()| fs::rename(&new, &self.path));
        if let Err(error) = replaced {
            // It may be the disk that is full.
            let _ = fs::remove_file(&new);
            return Err(error);
        }
        self.has_failed = true;
        sync_folder_of(&self.path)?;
        self.has_failed = false;
        Ok(())
    }

    /// Takes in what is in the file, which another process may have added to.
    fn read(&mut self) -> io::Result<()> {
        let bytes = match fs::read(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        let mut unreadable = 0;
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            // A crash or a full disk leaves half of a line, which may end within a character.
            let Ok(name) = serde_json::from_slice::<String>(line) else {
                unreadable += 1;
                continue;
            };
            if let Some(parsed) = parse_username(&name, self.separator) {
                let expires = parsed.expires_unix;
                self.usernames.insert(Arc::from(name), expires);
            }
        }
        if unreadable > 0 {
            warn!(
                unreadable,
                "turn.admin.revoked_file has lines that are none of ours"
            );
        }
        Ok(())
    }
}

fn line(username: &Arc<str>) -> io::Result<String> {
    let text = serde_json::to_string(&**username)?;
    Ok(text + "\n")
}

/// Tells whether a line can be added to the file.
fn ends_with_a_line(path: &Path) -> bool {
    let last = || -> io::Result<u8> {
        let mut file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(b'\n');
        }
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        Ok(last[0])
    };
    last().is_ok_and(|last| last == b'\n')
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).mode(0o600);
    options
}

fn write_anew(path: &Path, text: &str) -> io::Result<()> {
    let mut file = options().write(true).truncate(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Makes a crash leave the file under its name.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests;
