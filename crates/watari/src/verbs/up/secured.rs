//! The certificates of the suite, and what keeps them fresh.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use certificates::{Acme, Authority, AuthorityError, Certificates, Challenges, Host, PairConfig, Watch};
use lifecycle::Shutdown;

use crate::{addresses, failure::Failure, suite::Suite};

/// Name of the authority's folder in the state folder.
const AUTHORITY_FOLDER: &str = "https";

/// Name of the folder of ACME in the state folder.
const ACME_FOLDER: &str = "acme";

/// How often this machine's addresses are looked at: as often as the relay does.
const LOOK: Duration = Duration::from_secs(60);

/// The live certificates of all TLS listeners.
pub(super) struct Secured {
    /// All of them: what is watched, and what the page shows.
    pub(super) certificates: Certificates,
    /// Those of the relay, and those of the STUN server: each its own, and those of all.
    pub(super) of_turn: Certificates,
    pub(super) of_stun: Certificates,
    /// The authority of our own, if one is wanted.
    pub(super) authority: Option<Local>,
    /// What a directory is answered.
    pub(super) challenges: Option<Challenges>,
    pub(super) acme: Option<Acme>,
    _watch: Option<Watch>,
}

/// An authority that certifies this machine for its network.
#[derive(Clone)]
pub(super) struct Local {
    authority: Arc<Authority>,
    /// The file of its certificate, and what it holds.
    pub(super) certificate: PathBuf,
    pub(super) pem: String,
}

impl Secured {
    /// Loads what the settings name: pairs of TURN and STUN first, then those of all, then what a directory has
    /// signed, then the local authority's.
    pub(super) fn load(suite: &Suite, state: &Path) -> Result<Self, Failure> {
        let mut files = suite.tls.certificates.clone();
        let mut acme = None;
        if suite.tls.acme.is_on() {
            let (opened, pair) = Acme::open(&suite.tls.acme, &state.join(ACME_FOLDER))?;
            files.push(pair);
            acme = Some(opened);
        }
        let mut local = None;
        if suite.tls.local_authority {
            let authority = Authority::open(&state.join(AUTHORITY_FOLDER), &this_host())?;
            files.push(authority.certify(&this_host())?);
            local = Some(Local {
                certificate: authority.certificate(),
                pem: authority.pem()?,
                authority: Arc::new(authority),
            });
        }
        let (of_turn, of_stun) = (&suite.turn.tls.certificates, &suite.stun.tls.certificates);
        let all = [&of_turn[..], of_stun, &files].concat();
        let certificates = Certificates::load(&all).map_err(Failure::Certificates)?;
        let with_common = |own: &[PairConfig]| certificates.of(&[own, &files].concat());
        let (of_turn, of_stun) = (with_common(of_turn), with_common(of_stun));
        let watch = (!certificates.is_empty())
            .then(|| certificates.watch())
            .transpose()?;
        Ok(Self {
            certificates,
            of_turn,
            of_stun,
            authority: local,
            challenges: acme.as_ref().map(Acme::challenges),
            acme,
            _watch: watch,
        })
    }
}

/// Obtains and renews what a directory signs, until the shutdown.
pub(super) async fn keep_signed(
    acme: Acme,
    certificates: Certificates,
    shutdown: Shutdown,
) -> Result<(), Infallible> {
    tokio::select! {
        () = acme.keep(&certificates) => {}
        () = shutdown.wait() => {}
    }
    Ok(())
}

impl Local {
    /// Mints a new certificate when this machine's addresses change or the old one nears its end, until the
    /// shutdown.
    ///
    /// The watch over the files takes it into use.
    pub(super) async fn keep_certified(self, shutdown: Shutdown) -> Result<(), Infallible> {
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = shutdown.wait() => return Ok(()),
            }
            let authority = self.authority.clone();
            let certified = tokio::task::spawn_blocking(move || authority.certify(&this_host()));
            if let Ok(Err(error)) = certified.await {
                telemetry::warn_sparingly!("the certificate for this machine stays as it is: {error}");
            }
        }
    }
}

/// The authority in this state folder, if one was minted.
pub(crate) fn existing_authority(state: &Path) -> Result<Option<Authority>, AuthorityError> {
    Authority::existing(&state.join(AUTHORITY_FOLDER))
}

/// This machine as its neighbours know it.
fn this_host() -> Host {
    Host {
        name: addresses::host_name(),
        addresses: datagram_io::host_addresses(),
    }
}
