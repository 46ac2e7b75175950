//! What one user is given.

use std::fmt;

use serde::Serialize;

/// One user's servers and credentials.
pub(crate) struct Grant {
    pub(super) plain: Vec<String>,
    /// Never empty of entries, though the entry of a server that relays nothing names no URIs.
    pub(super) relays: Vec<Relays>,
    pub(crate) username: String,
    /// Seconds from now until the credentials expire.
    pub(crate) ttl: u64,
}

/// Relays that check credentials with one secret.
pub(super) struct Relays {
    pub(super) urls: Vec<String>,
    pub(super) password: String,
}

impl Grant {
    pub(super) fn new(username: String, ttl: u64) -> Self {
        Self {
            plain: Vec::new(),
            relays: Vec::new(),
            username,
            ttl,
        }
    }

    /// Adds the URIs of one server, whose relays take this password.
    pub(super) fn add(&mut self, urls: impl IntoIterator<Item = String>, password: String) {
        let (relays, plain): (Vec<_>, Vec<_>) = urls.into_iter().partition(|url| url.starts_with("turn"));
        self.plain.extend(plain);
        match self.relays.iter_mut().find(|known| known.password == password) {
            Some(known) => known.urls.extend(relays),
            None => self.relays.push(Relays {
                urls: relays,
                password,
            }),
        }
    }

    /// The password and the relays for clients that take only one: those of the best server, and of all with its secret.
    pub(crate) fn first(&self) -> (&str, &[String]) {
        let first = self.relays.first();
        first.map_or(("", &[]), |relays| (&relays.password, &relays.urls))
    }

    /// The list in the shape of `RTCConfiguration.iceServers`.
    pub(crate) fn ice_servers(&self) -> Vec<IceServer> {
        let plain = IceServer {
            urls: self.plain.clone(),
            username: None,
            credential: None,
        };
        let relays = self.relays.iter().map(|relays| IceServer {
            urls: relays.urls.clone(),
            username: Some(self.username.clone()),
            credential: Some(relays.password.clone()),
        });
        let all = std::iter::once(plain).chain(relays);
        all.filter(|server| !server.urls.is_empty()).collect()
    }
}

/// An `RTCIceServer` dictionary.
#[derive(Serialize)]
pub(crate) struct IceServer {
    pub(crate) urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) credential: Option<String>,
}

impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServer")
            .field("urls", &self.urls)
            .finish_non_exhaustive()
    }
}
