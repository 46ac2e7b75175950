//! What threads outside have to tell the core.

use turn_core::Server;

use crate::{alternates::Alternates, drain::Drain, hosts::Hosts};

/// Whatever may change while we run. Looking costs a load each.
#[derive(Clone)]
pub(crate) struct News {
    hosts: Hosts,
    alternates: Alternates,
    drain: Drain,
    is_draining: bool,
}

impl News {
    pub(crate) fn new(hosts: Hosts, alternates: Alternates, drain: Drain) -> Self {
        Self {
            hosts,
            alternates,
            drain,
            is_draining: false,
        }
    }

    /// Tells the core what changed since the last time.
    pub(super) fn tell(&mut self, core: &mut Server) {
        if let Some(addresses) = self.hosts.changed() {
            core.set_host_addresses(addresses);
        }
        if let Some(alternates) = self.alternates.changed() {
            core.set_alternates(alternates);
        }
        if !self.is_draining && self.drain.is_begun() {
            self.is_draining = true;
            core.set_draining();
        }
    }
}
