//! Certificates from an authority that hands them out by itself (ACME, RFC 8555).

mod challenges;
mod config;
mod nonces;
mod order;
mod schedule;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use rustls_pki_types::CertificateDer;
use tracing::{info, warn};
use x509_parser::prelude::{FromDer, X509Certificate};

pub use self::{
    challenges::Challenges,
    config::{AcmeConfig, Challenge},
};

use self::schedule::{Backoff, Validity};
use crate::{
    Certificates, Pair, PairConfig,
    files::{self, FileError},
    pair::seconds_since_1970,
};

/// Names of the files in the folder of ACME.
const ACCOUNT: &str = "account.json";
const SERVER: &str = "server.pem";
const OFFERED: &str = "offered.pem";

/// One certificate for all domains of the settings, obtained and renewed.
pub struct Acme {
    config: AcmeConfig,
    folder: PathBuf,
    challenges: Challenges,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum AcmeError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("cannot make a key or a request: {0}")]
    Mint(#[from] rcgen::Error),
    #[error("{directory}: {}", told(.error))]
    Directory {
        directory: String,
        error: instant_acme::Error,
    },
    #[error("{domain} was not proved to be this machine: {reason}")]
    Refused { domain: String, reason: String },
    #[error("the directory offers no {challenge} for {domain}")]
    NoChallenge { domain: String, challenge: Challenge },
    #[error("what the directory sent is no certificate for what was asked: {0}")]
    Useless(String),
    #[error("the directory took longer than {} minutes", .0.as_secs() / 60)]
    TooSlow(Duration),
}

impl Acme {
    /// Prepares the folder; until the first certificate has come, a self-signed one takes its place in the files
    /// returned.
    pub fn open(config: &AcmeConfig, folder: &Path) -> Result<(Self, PairConfig), AcmeError> {
        files::make_folder(folder)?;
        let path = folder.join(SERVER);
        let pair = pair_at(&path);
        if Pair::read(&pair).is_err() {
            let made = rcgen::generate_simple_self_signed(config.domains.clone())?;
            let pem = made.signing_key.serialize_pem() + &made.cert.pem();
            files::write(&path, &pem, 0o600)?;
        }
        let acme = Self {
            config: config.clone(),
            folder: folder.to_owned(),
            challenges: Challenges::default(),
        };
        Ok((acme, pair))
    }

    /// What the listeners answer when the directory looks whether the domains are ours.
    pub fn challenges(&self) -> Challenges {
        self.challenges.clone()
    }

    /// Obtains the certificate and renews it ahead of its end, for ever; each new one goes into `certificates`.
    pub async fn keep(&self, certificates: &Certificates) {
        let mut backoff = Backoff::default();
        // One fraction for all windows, so that asking again does not move the time.
        let fraction = rand::random();
        loop {
            let wait = match self.step(certificates, fraction).await {
                Ok(wait) => {
                    backoff = Backoff::default();
                    wait
                }
                Err(error) => {
                    let wait = backoff.next(rand::random());
                    certificates.count_renewal_failure();
                    warn!(
                        "no new certificate for {}: {error}; trying again in {} minutes",
                        self.config.domains.join(", "),
                        wait.as_secs().div_ceil(60)
                    );
                    wait
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Renews if it is time, and says how long there is nothing to do.
    async fn step(&self, certificates: &Certificates, fraction: f64) -> Result<Duration, AcmeError> {
        let current = self.current();
        let mut window = None;
        if let Some(pair) = &current {
            window = self.window(pair).await;
            let due = schedule::due(validity(pair), window, fraction);
            let now = seconds_since_1970();
            if now < due {
                return Ok(schedule::pause(now, due));
            }
        }
        // Directories that know of renewal windows want to know which certificate is replaced.
        let replaced = current.as_ref().filter(|_| window.is_some());
        let pem = self.obtain(replaced).await?;
        let pair = self.take(&pem)?;
        certificates.refresh();
        info!(names = ?pair.names, days = pair.days_left(), "a new certificate has come");
        let due = schedule::due(validity(&pair), None, fraction);
        Ok(schedule::pause(seconds_since_1970(), due))
    }

    /// Puts what a directory sent into the folder, once it has shown itself to be better than what is there.
    fn take(&self, pem: &str) -> Result<Pair, AcmeError> {
        let offered = self.folder.join(OFFERED);
        files::write(&offered, pem, 0o600)?;
        let pair = Pair::read(&pair_at(&offered));
        // What is not taken is left for whoever wants to see what came.
        let pair = pair.map_err(|error| AcmeError::Useless(error.to_string()))?;
        if !self.is_for_all(&pair) {
            return Err(AcmeError::Useless("it names other domains".to_owned()));
        }
        files::write(&self.folder.join(SERVER), pem, 0o600)?;
        let _ = std::fs::remove_file(offered);
        Ok(pair)
    }

    /// The certificate in the folder, if it is the directory's and for the domains of the settings.
    fn current(&self) -> Option<Pair> {
        let pair = Pair::read(&pair_at(&self.folder.join(SERVER)));
        pair.ok()
            .filter(|pair| self.is_for_all(pair) && !is_self_signed(pair))
    }

    fn is_for_all(&self, pair: &Pair) -> bool {
        self.config.domains.iter().all(|domain| pair.covers(domain))
    }
}

/// Key and certificate in one file.
fn pair_at(path: &Path) -> PairConfig {
    PairConfig {
        certificate: path.to_owned(),
        key: path.to_owned(),
        awaited: false,
    }
}

fn validity(pair: &Pair) -> Validity {
    Validity {
        from: pair.not_before,
        until: pair.not_after,
    }
}

fn is_self_signed(pair: &Pair) -> bool {
    let subject_is_issuer = |leaf: &CertificateDer<'_>| {
        X509Certificate::from_der(leaf).is_ok_and(|(_, leaf)| leaf.subject() == leaf.issuer())
    };
    pair.chain.first().is_none_or(subject_is_issuer)
}

/// The directory's own words where there are any.
fn told(error: &instant_acme::Error) -> String {
    use std::error::Error as _;
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests;
