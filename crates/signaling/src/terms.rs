//! What an operator can change while clients are connected.

use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;

use crate::{
    address::{AddressLimits, Addresses},
    config::Config,
    credentials::Keys,
    descriptors,
    doors::{Doors, RoomKeyError},
    gate::Origins,
    hub::Hub,
    ice::{IceServers, Probes},
    meter::MessageLimits,
};

/// All of it. Whoever needs it takes what there is at that moment; a connection keeps the limits it began with.
pub(crate) struct Terms {
    pub(crate) origins: Origins,
    pub(crate) proxies: Box<[IpNet]>,
    pub(crate) log_addresses: bool,
    pub(crate) log_auth_failures: bool,
    pub(crate) keys: Keys,
    pub(crate) doors: Doors,
    pub(crate) ice: IceServers,
    pub(crate) messages: MessageLimits,
}

impl Terms {
    /// Reads the keys that `config` names.
    pub(crate) fn new(config: &Config, ice: IceServers) -> Result<Self, RoomKeyError> {
        Ok(Self {
            origins: Origins::new(config),
            proxies: config.trusted_proxies.clone().into(),
            log_addresses: config.log_addresses,
            log_auth_failures: config.log_auth_failures,
            keys: Keys::new(&config.credentials),
            doors: Doors::new(&config.room_tokens)?,
            ice,
            messages: MessageLimits::from(&config.limits),
        })
    }
}

/// Gives a running server another configuration.
pub struct Reloader {
    hub: Arc<Hub>,
    addresses: Arc<Addresses>,
    probes: Mutex<Probes>,
}

/// A configuration that can be used. Dropped, it changes nothing.
pub struct Prepared<'a> {
    reloader: &'a Reloader,
    config: Config,
    terms: Terms,
}

impl Reloader {
    pub(crate) fn new(hub: Arc<Hub>, addresses: Arc<Addresses>, probes: Probes) -> Self {
        Self {
            hub,
            addresses,
            probes: Mutex::new(probes),
        }
    }

    /// Reads what a configuration names. `ice` is made of the same one. It is to differ from that of the start
    /// [in what can change](crate::WHILE_RUNNING) alone, as [`settings::Loaded::taking`] has it.
    ///
    /// # Errors
    /// When a key cannot be used.
    pub fn prepare(&self, wanted: &Config, ice: IceServers) -> Result<Prepared<'_>, RoomKeyError> {
        let terms = Terms::new(wanted, ice)?;
        Ok(Prepared {
            reloader: self,
            config: wanted.clone(),
            terms,
        })
    }
}

impl Prepared<'_> {
    /// Has the server go by it.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn apply(self) {
        let Reloader {
            hub,
            addresses,
            probes,
        } = self.reloader;
        descriptors::make_room_for(self.config.limits.connections);
        addresses.set_limits(AddressLimits::from(&self.config));
        self.terms.ice.go_on_after(&hub.terms().ice);
        let mut probes = probes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = probes.ask(&self.terms.ice) {
            tracing::error!(%error, "the TURN nodes are not asked whether they are there");
        }
        hub.set_terms(self.terms);
    }
}
