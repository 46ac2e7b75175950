//! Tells the program which revision it was built from, when that can be known.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=WATARI_REVISION");
    // A packager builds from a tarball and says the revision; a checkout knows it.
    let revision = std::env::var("WATARI_REVISION")
        .ok()
        .or_else(|| git(&["rev-parse", "--short=12", "HEAD"]));
    let version = env!("CARGO_PKG_VERSION");
    let version = revision.map_or_else(
        || version.to_owned(),
        |revision| format!("{version} ({revision})"),
    );
    println!("cargo::rustc-env=WATARI_VERSION={version}");
    // Each commit and checkout writes to this log.
    if let Some(log) = git(&["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}
