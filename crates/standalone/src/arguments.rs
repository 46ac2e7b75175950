//! The command line, alike for every server but for names and examples.

use std::{ffi::OsString, io, net::SocketAddr, path::PathBuf};

use clap::{Arg, ArgAction, ArgMatches, value_parser};
use clap_complete::Shell;
use settings::Source;

/// What variables of the environment start with.
const PREFIX: &str = "WATARI_";

/// Tables of the suite and of its servers: one environment may serve several of them.
const TABLES: &[&str] = &[
    "TURN__",
    "STUN__",
    "SIGNALING__",
    "WEB__",
    "STATE__",
    "METRICS__",
    "LOG__",
];

const EXIT_CODES: &str = "Exit codes: 0 ended when told to, 1 failed while running, \
64 wrong command line, 69 an address cannot be had, 78 wrong configuration.";

/// What a server's command is called and what it says about itself.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// The name of the binary.
    pub name: &'static str,
    /// One line, without a full stop.
    pub about: &'static str,
    /// The configuration file with every key at its default.
    pub default_file: &'static str,
    /// What `--listen` sets.
    pub listen: Listen,
    /// An example for `--set`: `turn.realm=example.org`.
    pub setting: &'static str,
    /// An example of a variable in the environment: `WATARI_TURN__REALM`.
    pub variable: &'static str,
    /// Says what it was built with or without, for `--version`.
    pub built_with: Option<fn() -> String>,
}

/// The dotted key that `--listen` sets.
#[derive(Clone, Copy, Debug)]
pub enum Listen {
    /// It holds one address.
    One(&'static str),
    /// It holds a list; the flag may be repeated.
    Several(&'static str),
}

impl Listen {
    const fn key(self) -> &'static str {
        match self {
            Self::One(key) | Self::Several(key) => key,
        }
    }

    fn flag(self) -> Arg {
        let flag = Arg::new("listen")
            .long("listen")
            .value_name("ADDRESS:PORT")
            .value_parser(value_parser!(SocketAddr));
        match self {
            Self::One(key) => flag.help(format!("Listens on this address instead of {key}")),
            Self::Several(key) => flag.action(ArgAction::Append).help(format!(
                "Listens on this address instead of {key}; may be given several times"
            )),
        }
    }

    /// Writes the addresses as the TOML value of the key; none leave it alone.
    fn value(self, addresses: &[SocketAddr]) -> Option<String> {
        let first = addresses.first()?;
        Some(match self {
            Self::One(_) => first.to_string(),
            Self::Several(_) => {
                let quoted: Vec<_> = addresses.iter().map(|address| format!("\"{address}\"")).collect();
                format!("[{}]", quoted.join(", "))
            }
        })
    }
}

/// What the user asks for.
#[derive(Debug)]
pub(crate) struct Arguments {
    config: Option<PathBuf>,
    set: Vec<(String, String)>,
    listen: Vec<SocketAddr>,
    pub(crate) check: bool,
    pub(crate) default_config: bool,
    pub(crate) completions: Option<Shell>,
}

impl Arguments {
    /// Parses a command line that starts with the name of the program.
    ///
    /// # Errors
    /// What is wrong with it, or the help or version that it asks for.
    pub(crate) fn parse(
        command: &Command,
        line: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, clap::Error> {
        let mut found: ArgMatches = parser(command).try_get_matches_from(line)?;
        Ok(Self {
            config: found.remove_one("config"),
            set: found.remove_many("set").into_iter().flatten().collect(),
            listen: found.remove_many("listen").into_iter().flatten().collect(),
            check: found.get_flag("check"),
            default_config: found.get_flag("default-config"),
            completions: found.remove_one("completions"),
        })
    }

    /// Says where the settings come from: the file, the environment of this process, these flags.
    pub(crate) fn source(&self, command: &Command) -> Source {
        let mut source = environment().file(self.config.clone());
        for (key, value) in &self.set {
            source.set(key, value);
        }
        if let Some(value) = command.listen.value(&self.listen) {
            source.flag("--listen", command.listen.key(), &value);
        }
        source
    }
}

/// Writes the completions of `shell` to standard output.
pub(crate) fn write_completions(command: &Command, shell: Shell) {
    clap_complete::generate(shell, &mut parser(command), command.name, &mut io::stdout());
}

/// The environment of this process as every server reads it.
pub(crate) fn environment() -> Source {
    Source::new(PREFIX).reserved(TABLES)
}

pub(crate) fn parser(command: &Command) -> clap::Command {
    let Command {
        variable, setting, ..
    } = *command;
    clap::Command::new(command.name)
        .about(command.about)
        .version(version(command))
        .after_help(EXIT_CODES)
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help(format!(
                    "The configuration file; without one, defaults and the environment ({variable}=...) count"
                )),
        )
        .arg(
            Arg::new("set")
                .long("set")
                .value_name("KEY=VALUE")
                .action(ArgAction::Append)
                .value_parser(move |text: &str| key_value(text, setting))
                .help(format!(
                    "Sets one key, over the file and the environment: `{setting}`"
                )),
        )
        .arg(command.listen.flag())
        .arg(switch("check", "Checks the configuration and ends"))
        .arg(switch(
            "default-config",
            "Writes the configuration file with all defaults and ends",
        ))
        .arg(
            Arg::new("completions")
                .long("completions")
                .value_name("SHELL")
                .value_parser(value_parser!(Shell))
                .help("Writes the completions of a shell and ends"),
        )
}

fn version(command: &Command) -> String {
    // The workspace has one version.
    let version = env!("CARGO_PKG_VERSION");
    match command.built_with {
        Some(built_with) => format!("{version}, {}", built_with()),
        None => version.to_owned(),
    }
}

fn switch(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

fn key_value(text: &str, example: &str) -> Result<(String, String), String> {
    let (key, value) = text
        .split_once('=')
        .ok_or_else(|| format!("must be KEY=VALUE, for example {example}"))?;
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;

    const TEA: Command = Command {
        name: "tea-server",
        about: "Serves tea",
        default_file: "",
        listen: Listen::Several("tea.listen"),
        setting: "tea.sort=green",
        variable: "WATARI_TEA__SORT",
        built_with: None,
    };

    const ONE_POT: Command = Command {
        listen: Listen::One("tea.listen"),
        ..TEA
    };

    fn parse(command: &Command, line: &[&str]) -> Result<Arguments, clap::Error> {
        let line = ["tea-server"].iter().chain(line).map(OsString::from);
        Arguments::parse(command, line)
    }

    fn overrides(command: &Command, line: &[&str]) -> Vec<(String, String, String)> {
        let source = parse(command, line).unwrap().source(command);
        source
            .overrides
            .into_iter()
            .map(|given| (given.flag, given.key, given.value))
            .collect()
    }

    #[test]
    fn the_flags_are_well_formed() {
        parser(&TEA).debug_assert();
        parser(&ONE_POT).debug_assert();
    }

    #[test]
    fn repeated_flags_become_a_list_and_keep_their_order() {
        let line = [
            "--listen=127.0.0.1:1",
            "--set",
            "tea.sort=a=b",
            "--listen=[::1]:2",
            "--set=tea.cups=2",
        ];
        let expected = [
            ("--set tea.sort", "tea.sort", "a=b"),
            ("--set tea.cups", "tea.cups", "2"),
            ("--listen", "tea.listen", r#"["127.0.0.1:1", "[::1]:2"]"#),
        ];
        assert_eq!(
            overrides(&TEA, &line),
            expected.map(|(flag, key, value)| (flag.into(), key.into(), value.into()))
        );
    }

    #[test]
    fn a_server_with_one_address_takes_one() {
        let one = overrides(&ONE_POT, &["--listen", "127.0.0.1:1"]);
        let expected = ("--listen".into(), "tea.listen".into(), "127.0.0.1:1".into());
        assert_eq!(one, [expected]);
        let two = parse(&ONE_POT, &["--listen=127.0.0.1:1", "--listen=127.0.0.1:2"]);
        assert_eq!(two.unwrap_err().kind(), ErrorKind::ArgumentConflict);
    }

    #[test]
    fn without_flags_nothing_is_overridden() {
        assert_eq!(overrides(&TEA, &[]), []);
    }

    #[test]
    fn a_setting_without_a_value_is_answered_with_an_example() {
        let error = parse(&TEA, &["--set", "tea.sort"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ValueValidation);
        assert!(
            error.to_string().contains("for example tea.sort=green"),
            "{error}"
        );
    }

    #[test]
    fn the_help_names_the_keys_of_this_server() {
        let help = parse(&TEA, &["--help"]).unwrap_err().to_string();
        for part in [
            "Serves tea",
            "WATARI_TEA__SORT=...",
            "`tea.sort=green`",
            "tea.listen",
            "Exit codes: 0",
        ] {
            assert!(help.contains(part), "{part} is missing in\n{help}");
        }
    }
}
