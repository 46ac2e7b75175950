//! Why a verb failed, and the exit code that says so.

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use certificates::{AcmeError, AuthorityError, Mistake};
use lifecycle::exit;
use settings::Mistakes;

use crate::{
    say::Colours,
    state::StateError,
    verbs::{bench, check_config, nat},
};

/// Why a verb failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Settings(#[from] Mistakes),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Wrong(#[from] check_config::Wrong),
    #[error("{}", .0.iter().map(Mistake::to_string).collect::<Vec<_>>().join("\n"))]
    Certificates(Vec<Mistake>),
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error(transparent)]
    Acme(#[from] AcmeError),
    #[error("{}", listen_message(.what, *.address, .error))]
    Listen {
        what: &'static str,
        address: SocketAddr,
        error: io::Error,
    },
    #[error("turn: {0}")]
    Turn(#[from] turn_server::StartError),
    #[error("stun: {0}")]
    Stun(#[from] stun_server::StartError),
    #[error(transparent)]
    Signaling(#[from] signaling::SetupError),
    #[error(transparent)]
    IceSecret(#[from] signaling::SecretError),
    #[error(transparent)]
    Ended(#[from] lifecycle::Failure),
    #[error("there is no authority in {} yet: start `watari up --https` once, or name another folder with --state", .folder.display())]
    NoAuthority { folder: PathBuf },
    #[error("the secret in {place} is empty")]
    EmptySecret { place: String },
    #[error("cannot read the secret from {place}: {error}")]
    Secret { place: String, error: io::Error },
    #[error(transparent)]
    Nat(#[from] nat::Unreachable),
    #[error(transparent)]
    Unfitting(#[from] bench::Unfitting),
    #[error(transparent)]
    Unusable(#[from] bench::Unusable),
    #[error(transparent)]
    Load(#[from] turn_load::Error),
    #[error(transparent)]
    Unmeasured(#[from] bench::Unmeasured),
    #[error("cannot write {}: {error}", .path.display())]
    Write { path: PathBuf, error: io::Error },
    #[error("cannot read a report from {}: {error}", .path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Everything has been said already; only the code is left.
    #[error("")]
    Told(u8),
}

impl Failure {
    /// Writes the failure to standard error and returns the exit code.
    pub(crate) fn tell(&self) -> ExitCode {
        if !matches!(self, Self::Told(_)) {
            let Colours { error, plain, .. } = Colours::on(&io::stderr());
            // With nobody left to read it, the exit code still tells.
            let _ = writeln!(io::stderr(), "{error}error:{plain} {}{self}", self.opening());
        }
        ExitCode::from(self.code())
    }

    fn opening(&self) -> String {
        match self {
            Self::Settings(mistakes) => mistakes_in_the_settings(mistakes.iter().count()),
            Self::Wrong(wrong) => mistakes_in_the_settings(wrong.count()),
            Self::State(_)
            | Self::Certificates(_)
            | Self::Authority(_)
            | Self::Acme(_)
            | Self::NoAuthority { .. }
            | Self::Listen { .. }
            | Self::Turn(_)
            | Self::Stun(_)
            | Self::Signaling(_)
            | Self::IceSecret(_)
            | Self::Ended(_)
            | Self::EmptySecret { .. }
            | Self::Secret { .. }
            | Self::Nat(_)
            | Self::Unfitting(_)
            | Self::Unusable(_)
            | Self::Load(_)
            | Self::Unmeasured(_)
            | Self::Write { .. }
            | Self::Read { .. }
            | Self::Io(_)
            | Self::Told(_) => String::new(),
        }
    }

    fn code(&self) -> u8 {
        match self {
            Self::Settings(_)
            | Self::Wrong(_)
            | Self::State(_)
            | Self::Certificates(_)
            | Self::Authority(_)
            | Self::Acme(_)
            | Self::NoAuthority { .. }
            | Self::EmptySecret { .. }
            | Self::Secret { .. }
            | Self::Read { .. }
            | Self::IceSecret(_) => exit::CONFIG,
            Self::Unfitting(_)
            | Self::Unusable(bench::Unusable::NoAccount | bench::Unusable::NoPassword { .. }) => exit::USAGE,
            Self::Listen { .. }
            | Self::Turn(_)
            | Self::Stun(_)
            | Self::Nat(_)
            | Self::Unusable(_)
            | Self::Load(_)
            | Self::Unmeasured(_) => exit::UNAVAILABLE,
            Self::Ended(_) | Self::Signaling(_) | Self::Write { .. } | Self::Io(_) => exit::FAILURE,
            Self::Told(code) => *code,
        }
    }
}

fn mistakes_in_the_settings(count: usize) -> String {
    match count {
        1 => "there is a mistake in the settings\n".to_owned(),
        many => format!("there are {many} mistakes in the settings\n"),
    }
}

fn listen_message(what: &str, address: SocketAddr, error: &io::Error) -> String {
    let port = address.port();
    let kind = error.kind();
    let (key, flag) = match what {
        "https" => ("web.listen_https".to_owned(), "--listen-https".to_owned()),
        "acme" => ("tls.acme.listen".to_owned(), "--set tls.acme.listen=…".to_owned()),
        _ => (format!("{what}.listen"), format!("--listen-{what}")),
    };
    let advice = if kind == io::ErrorKind::AddrInUse {
        format!(
            "the port is in use, perhaps by another watari. `ss -ltnp 'sport = :{port}'` names the process; \
             end it, or choose another port with {flag} or the key {key}"
        )
    } else if kind == io::ErrorKind::AddrNotAvailable {
        format!("no network interface of this machine has that address; correct the key {key}")
    } else if kind == io::ErrorKind::PermissionDenied {
        format!(
            "ports below 1024 need a privilege (root, or CAP_NET_BIND_SERVICE); or choose a higher one with {flag}"
        )
    } else {
        error.to_string()
    };
    format!("cannot listen on {address} (TCP) for {what}: {advice}")
}
