//! The flags of `watari check-config`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum, ValueHint};
use settings::Source;
use standalone::Program;

use super::SettingsArgs;
use crate::suite;

#[derive(Debug, Args)]
pub(crate) struct CheckConfigArgs {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which settings are checked.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Settings files; without one only the environment and --set are checked
    #[arg(env = "WATARI_CONFIG", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
    /// Whose settings they are [default: those of the server that a file is named after, as turn-server.toml is;
    /// others are the suite's]
    #[arg(long, value_enum, value_name = "SERVER")]
    pub(crate) server: Option<Kind>,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
}

impl Which {
    /// The files, each with whose settings it holds; without one, the environment alone.
    pub(crate) fn files(&self) -> Vec<(Option<PathBuf>, Kind)> {
        let files = if self.files.is_empty() {
            vec![None]
        } else {
            self.files.iter().cloned().map(Some).collect()
        };
        let with_kind = |file: Option<PathBuf>| {
            let by_name = || file.as_deref().map_or(Kind::Suite, Kind::of);
            let kind = self.server.unwrap_or_else(by_name);
            (file, kind)
        };
        files.into_iter().map(with_kind).collect()
    }

    /// The layers of settings of one of them.
    pub(crate) fn source(&self, file: Option<PathBuf>, kind: Kind) -> Source {
        let Some(program) = kind.program() else {
            return self.settings.source(file);
        };
        let mut source = program.source(file);
        // They are flags of this command.
        let own = |name: &str| suite::RESERVED.contains(&name.trim_start_matches(suite::ENV_PREFIX));
        source.env.retain(|(name, _)| !own(name));
        for (key, value) in &self.settings.set {
            source.set(key, value);
        }
        source
    }
}

/// Whose settings a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// `watari up`
    Suite,
    /// turn-server
    Turn,
    /// stun-server
    Stun,
    /// signaling
    Signaling,
    /// demo-web
    Web,
}

impl Kind {
    /// The kind that the name of a file says.
    pub(crate) fn of(file: &Path) -> Self {
        let named = |kind: &&Self| file.file_stem().is_some_and(|stem| stem == kind.name());
        Self::value_variants()
            .iter()
            .find(named)
            .copied()
            .unwrap_or(Self::Suite)
    }

    /// The stand-alone program; the suite has none.
    pub(crate) const fn program(self) -> Option<Program> {
        match self {
            Self::Suite => None,
            Self::Turn => Some(turn_server::PROGRAM),
            Self::Stun => Some(stun_server::PROGRAM),
            Self::Signaling => Some(signaling::PROGRAM),
            Self::Web => Some(demo_web::PROGRAM),
        }
    }

    /// What its program is called.
    pub(crate) fn name(self) -> &'static str {
        self.program().map_or("watari", |program| program.name)
    }
}

pub(super) const EXAMPLES: &str = "\
Examples:
  watari check-config watari.toml
  watari check-config /etc/watari/*.toml          those of single servers among them
  watari check-config --server turn relay.toml    for `turn-server --config relay.toml`
  watari check-config --json watari.toml | jq '.mistakes[].line'

Exit code 78 when there is a mistake.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_of_the_server_that_it_is_named_after_and_else_of_the_suite() {
        for (file, kind) in [
            ("/etc/watari/turn-server.toml", Kind::Turn),
            ("stun-server.toml", Kind::Stun),
            ("signaling.toml", Kind::Signaling),
            ("demo-web.toml", Kind::Web),
            ("/etc/watari/watari.toml", Kind::Suite),
            ("turn-server.toml/mine.toml", Kind::Suite),
        ] {
            assert_eq!(Kind::of(Path::new(file)), kind, "{file}");
        }
    }
}
