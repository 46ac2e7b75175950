//! Which directories to look at, and what there counts as a change.
//!
//! Directories are watched and not files: certbot puts a new symbolic link in place of the old one, Kubernetes turns
//! `..data`, and editors rename. A watch on a file would go on looking at what nobody reads any more.

use std::{
    collections::BTreeSet,
    fs,
    path::{Component, Path, PathBuf},
    sync::mpsc::Sender,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode},
};
use tracing::{debug, warn};

use super::News;
use crate::PairConfig;

/// Symbolic links followed in one path; the system itself follows 40.
const MAX_LINKS: usize = 40;

pub(super) struct Lookout {
    /// Nothing when the system has no watches to give: then the hourly reading has to do.
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
}

impl Lookout {
    pub(super) fn new(to_thread: Sender<News>) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.as_ref().map_or(true, is_change) {
                // Nobody listens any more when the watch is being dropped.
                let _ = to_thread.send(News::Changed);
            }
        });
        let watcher = watcher.map_err(|error| {
            warn!(%error, "changed certificates are noticed once an hour only: the system gives no watch");
        });
        Self {
            watcher: watcher.ok(),
            watched: BTreeSet::new(),
        }
    }

    /// Looks at the directories that these files lead through, and at no others.
    pub(super) fn follow(&mut self, files: &[PairConfig]) {
        let Some(watcher) = &mut self.watcher else { return };
        let files = files.iter().flat_map(|pair| [&pair.certificate, &pair.key]);
        let wanted: BTreeSet<_> = files.flat_map(|file| directories(file)).collect();
        for gone in self.watched.difference(&wanted) {
            // A directory that was removed took its watch with it.
            let _ = watcher.unwatch(gone);
        }
        let mut watched: BTreeSet<_> = self.watched.intersection(&wanted).cloned().collect();
        for new in wanted.difference(&self.watched) {
            match watcher.watch(new, RecursiveMode::NonRecursive) {
                Ok(()) => drop(watched.insert(new.clone())),
                Err(error) => debug!(directory = %new.display(), %error, "not watched"),
            }
        }
        self.watched = watched;
    }
}

/// Reading counts as no change, or our own would make us read for ever.
fn is_change(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        EventKind::Any
        | EventKind::Create(_)
        | EventKind::Modify(_)
        | EventKind::Remove(_)
        | EventKind::Other => true,
    }
}

/// The directories in which an entry decides what `file` is: its own, and those of symbolic links on the way. For a
/// directory that is not there yet, the one in which it or what leads to it would appear.
fn directories(file: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    for _ in 0..MAX_LINKS {
        let Some((link, rest)) = first_link(&path) else {
            let there = path.ancestors().skip(1).find(|directory| directory.is_dir());
            found.extend(there.map(Path::to_owned));
            return found;
        };
        let parent = link.parent().unwrap_or(Path::new("/")).to_owned();
        let Ok(target) = fs::read_link(&link) else { break };
        path = plain(&parent.join(target).join(rest));
        found.insert(parent);
    }
    found
}

/// The first component that is a symbolic link, and what stands behind it.
fn first_link(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let mut walked = PathBuf::new();
    let mut components = path.components();
    while let Some(component) = components.next() {
        walked.push(component);
        if walked.is_symlink() {
            return Some((walked, components.as_path().to_owned()));
        }
    }
    None
}

/// Without `.` and `..`, which is safe before the first link.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(component),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_link_on_the_way_to_a_file_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        for directory in ["live/site", "archive/site"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        fs::write(root.join("archive/site/chain1.pem"), "").unwrap();
        symlink("../../archive/site/chain1.pem", root.join("live/site/chain.pem")).unwrap();
        symlink("live", root.join("current")).unwrap();
        let found = directories(&root.join("current/site/chain.pem"));
        let wanted = [root.clone(), root.join("live/site"), root.join("archive/site")];
        assert_eq!(found, BTreeSet::from(wanted));
    }

    #[test]
    fn for_what_is_not_there_yet_the_directory_is_looked_at_in_which_it_would_appear() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        assert_eq!(
            directories(&root.join("live/site/chain.pem")),
            BTreeSet::from([root])
        );
    }

    #[test]
    fn links_in_a_circle_end_the_search() {
        let folder = tempfile::tempdir().unwrap();
        symlink("b", folder.path().join("a")).unwrap();
        symlink("a", folder.path().join("b")).unwrap();
        assert!(directories(&folder.path().join("a")).len() <= 2);
    }
}
