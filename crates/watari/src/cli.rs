//! The command line.

mod bench;
mod check;
mod check_config;
mod nat;

use std::{io, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use settings::Source;

use crate::{addresses, say, suite};

pub(crate) use bench::{BenchArgs, BenchCommand, LONGEST, LoadArgs, OtherServer, Scenario, SignalingArgs};
pub(crate) use check::CheckArgs;
pub(crate) use check_config::{CheckConfigArgs, Kind, Which};
pub(crate) use nat::NatArgs;

/// Version and, when it is known, revision.
pub(crate) const VERSION: &str = env!("WATARI_VERSION");

/// The same with what differs from build to build.
fn version() -> String {
    format!("{VERSION}, {}", turn_server::built_with())
}

/// Watari (渡り): STUN, TURN, signaling and a call page, on your own machine.
#[derive(Debug, Parser)]
#[command(name = "watari", version = version(), args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
    #[command(flatten)]
    pub(crate) up: UpArgs,
}

const EXAMPLES: &str = "\
Examples:
  watari                                     start everything, page at http://localhost:3001
  watari --https                             for every device in your network, over HTTPS
  watari --config watari.toml                the same with your settings
  watari credentials --format ice-servers    credentials for another application
  watari default-config > watari.toml        every setting, explained
  watari check-config watari.toml            every mistake in a settings file, at once
  watari check watari.toml                   what keeps calls from working, and what to do
  watari nat turn.example.org                what the NAT in front of this machine does
  watari bench turn:turn.example.org --user alice --password secret      what a TURN server can do
  watari bench signaling 127.0.0.1:3001      what a signaling server can do

Without a verb, `watari` means `watari up`.";

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run the suite in this process until Ctrl-C
    #[command(after_help = UP_EXAMPLES)]
    Up(UpArgs),
    /// Mint time-limited TURN credentials for another application
    #[command(after_help = CREDENTIALS_EXAMPLES)]
    Credentials(CredentialsArgs),
    /// Find out how the NAT in front of this machine behaves, and what that means for WebRTC
    #[command(after_help = nat::EXAMPLES)]
    Nat(NatArgs),
    /// Load a TURN server, ours or another, and measure what it costs, or two of them in turns; or a signaling server
    #[command(after_help = bench::EXAMPLES)]
    Bench(Box<BenchCommand>),
    /// Tell how devices learn to trust the certificate of `up --https`
    #[command(after_help = TRUST_EXAMPLES)]
    Trust(TrustArgs),
    /// Find out what keeps calls from working: settings, ports, addresses, certificates, kernel, clock, and the relay itself
    #[command(after_help = check::EXAMPLES)]
    Check(CheckArgs),
    /// Check settings files and list every mistake, without starting anything
    #[command(after_help = check_config::EXAMPLES)]
    CheckConfig(CheckConfigArgs),
    /// Ask a suite that runs on this machine whether it serves
    #[command(after_help = HEALTH_EXAMPLES)]
    Health(HealthArgs),
    /// Print a settings file that holds every default, explained
    #[command(after_help = DEFAULT_CONFIG_EXAMPLES)]
    DefaultConfig(DefaultConfigArgs),
    /// Print completions for a shell
    #[command(after_help = COMPLETION_EXAMPLES)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages of this program and of the single servers, for packages
    #[command(hide = true, after_help = "Example:\n  watari man-pages target/man")]
    ManPages {
        /// The folder, which is made where it is not there
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        folder: PathBuf,
    },
}

/// Where settings come from: shared by every verb that reads them.
#[derive(Debug, Args)]
pub(crate) struct SettingsArgs {
    /// Set one key, as in the settings file; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) set: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub(crate) struct UpArgs {
    /// Settings file; without one everything has its default
    #[arg(long, short, env = "WATARI_CONFIG", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Folder that keeps the minted secrets [default: ~/.local/state/watari, as root /var/lib/watari]
    #[arg(long, env = "WATARI_STATE", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) state: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    /// Serve the page and signaling here (key web.listen); may be given several times
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen_web: Vec<SocketAddr>,
    /// Serve the page over HTTPS, and TURN over TLS, with a certificate that this machine mints for itself
    /// (key tls.local_authority); `watari trust` tells how devices learn to trust it
    #[arg(long)]
    pub(crate) https: bool,
    /// Serve the page over HTTPS here (key web.listen_https); may be given several times
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen_https: Vec<SocketAddr>,
    /// Serve TURN and STUN here (key turn.listen); may be given several times
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen_turn: Vec<SocketAddr>,
    /// Serve metrics and health here (key metrics.listen)
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen_metrics: Option<SocketAddr>,
    /// What to log: a level or directives (key log.filter)
    #[arg(long, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// Say where everything listens as one line of JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const UP_EXAMPLES: &str = "\
Examples:
  watari up                                  everything with its default
  watari up --listen-web 127.0.0.1:8080      the page on another port
  watari up --https                          with a certificate of this machine's own
  watari up --set turn.realm=example.org --set 'turn.listen=[\"192.0.2.1:3478\"]'
  WATARI_TURN__REALM=example.org watari up   the same key from the environment

Flags win over the environment, the environment over the file.
Exit codes: 64 wrong flags, 69 a port is taken, 78 wrong settings.";

#[derive(Debug, Args)]
pub(crate) struct CredentialsArgs {
    /// Shape of the output
    #[arg(long, value_enum, default_value = "json")]
    pub(crate) format: Shape,
    /// How long they are valid: 3600, 90s, 30m, 6h, 2d
    #[arg(long, default_value = "6h", value_name = "TIME", value_parser = seconds)]
    pub(crate) ttl: u64,
    /// Whom they are for; quotas count per name
    #[arg(long, value_name = "NAME")]
    pub(crate) id: Option<String>,
    /// Host name or address of the TURN server in URIs [default: this machine's address]
    #[arg(long, value_name = "HOST", value_parser = addresses::host)]
    pub(crate) host: Option<String>,
    /// Port of the TURN server in URIs [default: that of the key turn.listen]
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Settings file that `up` has, for the keys of its listeners, certificates, turn.username_separator and state.folder
    #[arg(long, short, env = "WATARI_CONFIG", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    /// Folder with the minted secrets [default: as for `up`]
    #[arg(long, env = "WATARI_STATE", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) state: Option<PathBuf>,
    /// File with the shared secret of another TURN server, `-` for standard input; or put the secret in
    /// the environment as WATARI_SECRET
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) secret_file: Option<PathBuf>,
}

/// How minted credentials are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// username, password, ttl, uris: what `/turn` answers
    Json,
    /// one turn:// URI with user and password, for GStreamer and the like
    Uri,
    /// an RTCConfiguration for browsers: what `/ice` answers
    IceServers,
}

const CREDENTIALS_EXAMPLES: &str = "\
Examples:
  watari credentials --id alice --ttl 1h
  watari credentials --format ice-servers --host turn.example.org
  watari credentials --config watari.toml
  watari credentials --secret-file /etc/turn.secret --format uri

A secret is never taken from the command line, where other users could read it.";

#[derive(Debug, Args)]
pub(crate) struct TrustArgs {
    /// Print the authority's certificate itself, as PEM
    #[arg(long)]
    pub(crate) pem: bool,
    /// Settings file that `up` has, for the keys web.listen_https and state.folder
    #[arg(long, short, env = "WATARI_CONFIG", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    /// Folder with the authority [default: as for `up`]
    #[arg(long, env = "WATARI_STATE", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) state: Option<PathBuf>,
}

const TRUST_EXAMPLES: &str = "\
Examples:
  watari trust                               on each kind of device
  watari trust --pem > authority.crt         the file to bring to them";

#[derive(Debug, Args)]
pub(crate) struct HealthArgs {
    /// Settings file of the suite, which says where its health page is (key metrics.listen)
    #[arg(long, short, env = "WATARI_CONFIG", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) settings: SettingsArgs,
    /// Ask only whether it is alive: a suite that drains is, and serves no more
    #[arg(long)]
    pub(crate) alive: bool,
}

const HEALTH_EXAMPLES: &str = "\
Examples:
  watari health                                            ready, or exit code 69
  watari health --alive --set metrics.listen=127.0.0.1:9999

It prints what each part says of itself, as JSON.";

/// What to print of a settings file.
#[derive(Debug, Args)]
pub(crate) struct DefaultConfigArgs {
    /// Whose settings file [default: the suite's]
    #[arg(
        long,
        value_enum,
        value_name = "SERVER",
        default_value = "suite",
        hide_default_value = true
    )]
    pub(crate) server: Kind,
    /// Print its JSON Schema instead, with which editors complete and check it
    #[arg(long)]
    pub(crate) schema: bool,
}

const DEFAULT_CONFIG_EXAMPLES: &str = "\
Examples:
  watari default-config > watari.toml
  watari default-config --schema > watari.schema.json      beside it, for editors
  watari default-config --server turn > turn-server.toml";

const COMPLETION_EXAMPLES: &str = "\
Examples:
  watari completions bash > ~/.local/share/bash-completion/completions/watari
  watari completions fish > ~/.config/fish/completions/watari.fish
  watari completions zsh > ~/.zfunc/_watari";

impl UpArgs {
    /// The layers of settings: file, environment, flags.
    pub(crate) fn source(&self) -> Source {
        let mut source = self.settings.source(self.config.clone());
        let mut list = |flag: &str, key: &str, addresses: &[SocketAddr]| {
            if !addresses.is_empty() {
                let quoted: Vec<_> = addresses.iter().map(|address| format!("\"{address}\"")).collect();
                source.flag(flag, key, &format!("[{}]", quoted.join(", ")));
            }
        };
        list("--listen-web", "web.listen", &self.listen_web);
        list("--listen-https", "web.listen_https", &self.listen_https);
        list("--listen-turn", "turn.listen", &self.listen_turn);
        if self.https {
            source.flag("--https", "tls.local_authority", "true");
        }
        if let Some(address) = self.listen_metrics {
            source.flag("--listen-metrics", "metrics.listen", &address.to_string());
        }
        if let Some(filter) = &self.log {
            source.flag("--log", "log.filter", filter);
        }
        source
    }
}

impl SettingsArgs {
    /// The layers of settings with this file at the bottom.
    pub(crate) fn source(&self, file: Option<PathBuf>) -> Source {
        let mut source = Source::new(suite::ENV_PREFIX)
            .file(file)
            .reserved(suite::RESERVED);
        for (key, value) in &self.set {
            source.set(key, value);
        }
        source
    }
}

/// Says what is wrong with the command line, or prints the help or version it asked for.
pub(crate) fn refused(error: &clap::Error) -> ExitCode {
    let code = if error.use_stderr() {
        lifecycle::exit::USAGE
    } else {
        lifecycle::exit::OK
    };
    // With nobody left to read it, the exit code still tells.
    let _ = error.print();
    ExitCode::from(code)
}

/// Prints the completions for a shell.
pub(crate) fn completions(shell: Shell) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "watari", &mut script);
    say::bytes(&script)
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("has no `=`: write KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

fn seconds(text: &str) -> Result<u64, String> {
    let units = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
    let unit = units
        .iter()
        .find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size)));
    let (number, size) = unit.unwrap_or((text, 1));
    let number: u64 = number
        .parse()
        .map_err(|_| "is not a time such as 3600, 30m or 6h".to_owned())?;
    let seconds = number
        .checked_mul(size)
        .filter(|seconds| *seconds <= u64::from(u32::MAX));
    seconds
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| "is not between a second and 136 years".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_are_read_with_and_without_a_unit() {
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("30m"), Ok(1800));
        assert_eq!(seconds("6h"), Ok(21_600));
        assert_eq!(seconds("2d"), Ok(172_800));
        for wrong in ["", "h", "-1", "0", "6 h", "99999999999999d"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn flags_of_up_work_without_the_verb() {
        let cli = Cli::try_parse_from(["watari", "--set", "turn.realm=a=b"]).unwrap();
        assert!(cli.verb.is_none());
        assert_eq!(cli.up.settings.set, [("turn.realm".to_owned(), "a=b".to_owned())]);
    }
}
