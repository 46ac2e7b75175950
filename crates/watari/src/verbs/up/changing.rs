//! Takes settings that were read again, in all parts or in none.

use certificates::Certificates;
use standalone::Refused;

use super::{ice::IceMaker, limited::Limits, site};
use crate::{state::Secrets, suite::Suite};

/// The parts that can change.
pub(super) struct Changing {
    pub(super) secrets: Secrets,
    pub(super) turn: turn_server::Reloader,
    /// If there is a page.
    pub(super) site: Option<Site>,
    /// Of connections of the web.
    pub(super) limits: Limits,
    pub(super) certificates: Certificates,
}

/// Signaling beside the page.
pub(super) struct Site {
    pub(super) signaling: signaling::Reloader,
    pub(super) ice: IceMaker,
}

impl Changing {
    /// Goes by other settings, as far as they can change.
    ///
    /// # Errors
    /// What is wrong with them, and then nothing has changed.
    pub(super) async fn apply(&self, suite: &Suite) -> Result<(), Refused> {
        let turn = of_turn(suite, &self.secrets);
        let turn = self.turn.prepare(&turn).map_err(Refused::new)?;
        let signaling = match &self.site {
            Some(site) => {
                let ice = site.ice.servers(suite).map_err(|error| Refused::new([error]))?;
                let config = of_signaling(suite, &self.secrets);
                let prepared = site.signaling.prepare(&config, ice);
                Some(prepared.map_err(|error| Refused::new([error]))?)
            }
            None => None,
        };
        self.certificates.look_again().map_err(Refused::new)?;
        // From here on nothing fails.
        turn.apply().await;
        if let Some(signaling) = signaling {
            signaling.apply();
        }
        site::set_limits(&self.limits, &suite.signaling);
        Ok(())
    }
}

/// The relay's configuration: it knows the secret that signaling mints with.
pub(super) fn of_turn(suite: &Suite, secrets: &Secrets) -> turn_server::Config {
    let mut config = suite.turn.clone();
    config.shared_secrets.push(secrets.turn_secret.as_str().into());
    config
}

/// The configuration of signaling: the minted key opens its endpoints.
pub(super) fn of_signaling(suite: &Suite, secrets: &Secrets) -> signaling::Config {
    let mut config = suite.signaling.clone();
    let key = signaling::Hidden(secrets.api_key.clone());
    config.credentials.api_keys.push(key);
    config
}
