//! What is checked: what the settings of the suite, or of single servers, come to on this machine.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use certificates::{Challenge, PairConfig};
use serde::Deserialize;
use settings::{Check, Report};
use turn_credentials::Secret;

use super::secrets;
use crate::{
    cli::{CheckArgs, Kind},
    failure::Failure,
    state,
    suite::{self, Suite},
};

/// Everything that is looked at.
#[derive(Default)]
pub(super) struct Subject {
    pub(super) listeners: Vec<Listener>,
    pub(super) relays: Vec<Relay>,
    /// The pairs of files of all listeners.
    pub(super) pairs: Vec<PairConfig>,
    /// Settings with secrets in them.
    pub(super) settings_files: Vec<PathBuf>,
    /// Files that hold secrets alone.
    pub(super) secret_files: Vec<PathBuf>,
    /// The folder that the suite keeps, and what it minted there.
    pub(super) state: Option<PathBuf>,
    /// The certificate of the suite's own authority.
    pub(super) authority: Option<PathBuf>,
    /// The names by which clients reach the servers, as far as the settings tell.
    pub(super) names: Vec<String>,
    /// Where the certificate of ACME will be, and the names that it is for.
    pub(super) acme: Option<(PathBuf, Vec<String>)>,
    pub(super) redis: Vec<String>,
    /// Descriptors that signaling needs.
    pub(super) connections: u64,
}

/// A relay and how it is tried.
pub(super) struct Relay {
    /// Its own among all listeners.
    pub(super) listeners: Vec<Listener>,
    pub(super) config: turn_server::Config,
    pub(super) account: Account,
    /// The pairs that it shows.
    pub(super) pairs: Vec<PairConfig>,
    pub(super) has_dtls: bool,
}

/// With what an allocation is asked for.
pub(super) enum Account {
    Secret { secret: Secret, origin: String },
    User { name: String, password: String },
    None { why: String },
}

/// A place where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) part: Part,
    pub(super) address: SocketAddr,
}

/// What listens there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Turn,
    TurnTcp,
    TurnTls,
    Stun,
    StunTcp,
    Page,
    Https,
    Signaling,
    Metrics,
    Acme,
}

impl Part {
    /// What people call it, and the key that moves it.
    pub(super) const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Turn => ("TURN over UDP", "turn.listen"),
            Self::TurnTcp => ("TURN over TCP", "turn.listen_tcp"),
            Self::TurnTls => ("TURN over TLS", "turn.listen_tls"),
            Self::Stun => ("STUN over UDP", "stun.listen"),
            Self::StunTcp => ("STUN over TCP", "stun.listen_tcp"),
            Self::Page => ("the page", "web.listen"),
            Self::Https => ("the page over HTTPS", "web.listen_https"),
            Self::Signaling => ("signaling", "signaling.listen"),
            Self::Metrics => ("metrics and health", "metrics.listen"),
            Self::Acme => ("ACME's questions", "tls.acme.listen"),
        }
    }

    pub(super) const fn is_udp(self) -> bool {
        matches!(self, Self::Turn | Self::Stun)
    }
}

impl Subject {
    /// Reads what has been found to be without mistakes.
    pub(super) fn read(arguments: &CheckArgs) -> Result<Self, Failure> {
        let mut subject = Self::default();
        for (file, kind) in arguments.which.files() {
            let source = arguments.which.source(file.clone(), kind);
            if kind == Kind::Suite {
                subject.suite(&settings::load(&source)?, arguments)?;
            } else {
                subject.alone(kind, settings::load(&source)?);
            }
            subject
                .settings_files
                .extend(file.filter(|file| secrets::are_in(file)));
        }
        subject.names.extend(arguments.host.iter().cloned());
        Ok(subject)
    }

    fn listen(&mut self, part: Part, addresses: &[SocketAddr]) {
        let new = addresses.iter().map(|address| Listener {
            part,
            address: *address,
        });
        self.listeners.extend(new);
    }

    fn suite(&mut self, suite: &Suite, arguments: &CheckArgs) -> Result<(), Failure> {
        let folder = state::folder(arguments.state.as_deref().or(suite.state.folder.as_deref()))?;
        let mut common = suite.tls.certificates.clone();
        if suite.tls.acme.is_on() {
            let pair = kept_pair(&folder.join("acme"));
            let names = suite.tls.acme.domains.clone();
            self.names.extend(names.iter().cloned());
            self.acme = Some((pair.certificate.clone(), names));
            common.push(pair);
            if suite.tls.acme.challenge == Challenge::Http01 {
                self.listen(Part::Acme, &suite.tls.acme.listen);
            }
        }
        if suite.tls.local_authority {
            common.push(kept_pair(&folder.join("https")));
            self.authority = Some(folder.join("https/authority.crt"));
        }
        let of_turn = [&suite.turn.tls.certificates[..], &common].concat();
        self.pairs.extend(of_turn.iter().cloned());
        self.pairs.extend(suite.stun.tls.certificates.iter().cloned());
        let mut turn = suite.turn.clone();
        turn.tls.min_version = turn.tls.min_version.max(suite.tls.min_version);
        let account = minted(&folder).unwrap_or_else(|| account(&turn));
        let tls = suite.listen_turn_tls();
        self.turn(turn, &tls, of_turn, account);
        if suite.wants_stun() {
            self.stun(&suite.stun);
        }
        self.listen(Part::Page, &suite.web.listen);
        self.listen(Part::Https, suite.listen_https());
        self.listen(Part::Metrics, &[suite.metrics.listen]);
        self.signaling(&suite.signaling);
        self.state = Some(folder);
        Ok(())
    }

    fn alone(&mut self, kind: Kind, alone: Alone) {
        let metrics = |port: u16| {
            let default = (Ipv4Addr::LOCALHOST, port).into();
            [alone.metrics.listen.unwrap_or(default)]
        };
        match kind {
            Kind::Suite => {}
            Kind::Turn => {
                let pairs = alone.turn.tls.certificates.clone();
                let tls = suite::listen_tls(&alone.turn, !pairs.is_empty());
                self.listen(Part::Metrics, &metrics(9641));
                self.pairs.extend(pairs.iter().cloned());
                let account = account(&alone.turn);
                self.turn(alone.turn, &tls, pairs, account);
            }
            Kind::Stun => {
                self.listen(Part::Metrics, &metrics(9643));
                self.pairs.extend(alone.stun.tls.certificates.iter().cloned());
                self.stun(&alone.stun);
            }
            Kind::Signaling => {
                self.listen(Part::Signaling, &[alone.signaling.listen]);
                self.listen(Part::Metrics, &metrics(9642));
                self.signaling(&alone.signaling);
            }
            Kind::Web => self.listen(Part::Page, &[alone.web.listen]),
        }
    }

    fn turn(
        &mut self,
        config: turn_server::Config,
        tls: &[SocketAddr],
        pairs: Vec<PairConfig>,
        account: Account,
    ) {
        let others = self.listeners.len();
        self.listen(Part::Turn, &config.listen);
        self.listen(
            Part::TurnTcp,
            config.listen_tcp.as_ref().unwrap_or(&config.listen),
        );
        self.listen(Part::TurnTls, tls);
        self.secret_files.extend(secrets::files_of_turn(&config));
        self.relays.push(Relay {
            listeners: self.listeners[others..].to_vec(),
            has_dtls: cfg!(feature = "dtls") && config.wants_dtls() && !pairs.is_empty(),
            config,
            account,
            pairs,
        });
    }

    fn stun(&mut self, config: &stun_server::Config) {
        let udp = config.addresses();
        self.listen(Part::StunTcp, config.listen_tcp.as_ref().unwrap_or(&udp));
        self.listen(Part::Stun, &udp);
    }

    fn signaling(&mut self, config: &signaling::Config) {
        self.connections += config.limits.connections as u64;
        self.secret_files.extend(secrets::files_of_signaling(config));
        self.redis
            .extend(config.cluster.redis.iter().map(|url| url.0.clone()));
    }
}

/// The file of a single server, as far as it is looked at; that there is no mistake in it is known.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Alone {
    turn: turn_server::Config,
    stun: stun_server::Config,
    signaling: signaling::Config,
    web: demo_web::Config,
    metrics: Pages,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pages {
    listen: Option<SocketAddr>,
}

impl Check for Alone {
    fn check(&self, _: &mut Report<'_>) {}
}

/// What ACME and the suite's own authority keep in their folders: chain and key in one file.
fn kept_pair(folder: &Path) -> PairConfig {
    let path = folder.join("server.pem");
    PairConfig {
        certificate: path.clone(),
        key: path,
        awaited: true,
    }
}

/// What the suite minted, once it has.
fn minted(folder: &Path) -> Option<Account> {
    let secrets = state::load(folder).ok()?;
    Some(Account::Secret {
        secret: Secret::new(secrets.turn_secret),
        origin: folder.join(state::FILE).display().to_string(),
    })
}

/// What the settings of a TURN server give.
fn account(config: &turn_server::Config) -> Account {
    let of_secret = |secret: &str, origin: String| Account::Secret {
        secret: Secret::new(secret),
        origin,
    };
    if let Some(secret) = config.shared_secrets.first() {
        return of_secret(secret.reveal(), "turn.shared_secrets".to_owned());
    }
    if let Some(path) = &config.shared_secret_file {
        let text = fs::read_to_string(path).unwrap_or_default();
        if let Some(secret) = text.lines().map(str::trim).find(|line| !line.is_empty()) {
            return of_secret(secret, path.display().to_string());
        }
    }
    match config.user_with_password() {
        Some((name, password)) => Account::User {
            name: name.to_owned(),
            password: password.to_owned(),
        },
        None => Account::None {
            why: "there is no secret yet and no user with a password".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_of_a_relay_has_its_own() {
        let alone = |text: &str| toml::from_str::<Alone>(text).unwrap();
        let mut subject = Subject::default();
        for port in [3478, 3480] {
            let text = format!(
                "turn = {{ listen = [\"127.0.0.1:{port}\"] }}\nsignaling.cluster.redis = \"redis://a\""
            );
            subject.alone(Kind::Turn, alone(&text));
            subject.alone(Kind::Signaling, alone(&text));
        }
        let ports: Vec<Vec<u16>> = subject
            .relays
            .iter()
            .map(|relay| relay.listeners.iter().map(|at| at.address.port()).collect())
            .collect();
        assert_eq!(ports, [[3478, 3478], [3480, 3480]]);
        assert_eq!(subject.redis.len(), 2);
    }

    #[test]
    fn the_first_secret_is_tried_and_else_a_user() {
        let mut config = turn_server::Config::default();
        assert!(matches!(account(&config), Account::None { .. }));
        config.users.insert("bob".into(), "secret".into());
        assert!(matches!(account(&config), Account::User { .. }));
        config.shared_secrets.push("north".into());
        assert!(
            matches!(account(&config), Account::Secret { origin, .. } if origin == "turn.shared_secrets")
        );
    }
}
