//! What a configuration needs of the machine, and of who tries it.

use std::net::SocketAddr;

use turn_core::UserKey;

use super::Config;

impl Config {
    /// Descriptors with which every relay and every connection that is allowed can be there, served by so many workers.
    pub fn descriptors(&self, workers: usize) -> u64 {
        let ports = u64::from(self.relay.max_port.saturating_sub(self.relay.min_port)) + 1;
        let relays = ports.min(u64::from(self.limits.allocations) * 2);
        let addresses = |of: &Option<Vec<SocketAddr>>| of.as_ref().unwrap_or(&self.listen).len();
        let listeners = self.listen.len() + addresses(&self.listen_tcp) + addresses(&self.listen_tls);
        let peers = match &self.tcp_relay {
            // A peer's descriptor beside its client's, and pipes between slow ones.
            relay if relay.enabled => {
                u64::from(relay.connections) + peer_io::PIPE_DESCRIPTORS * workers as u64
            }
            _ => 0,
        };
        // A web server's end beside a client's, which is given away and counted no more among those below.
        let web = match &self.shared_port {
            shared if shared.upstream.is_some() => 2 * u64::from(shared.upstream_connections),
            _ => 0,
        };
        relays + u64::from(self.streams.connections) + peers + web + (listeners * workers) as u64 + 128
    }

    /// A static user whose password is known, not only the key made from it.
    pub fn user_with_password(&self) -> Option<(&str, &str)> {
        let mut users = self.users.iter();
        users.find_map(|(name, password)| match UserKey::parse(password.reveal()) {
            Some(_) => None,
            None => Some((name.as_str(), password.reveal())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_relay_and_each_connection_takes_a_descriptor() {
        let mut config = Config::default();
        let before = config.descriptors(1);
        config.streams.connections += 100;
        assert_eq!(config.descriptors(1), before + 100);
        config.relay.max_port = config.relay.min_port + 9;
        assert_eq!(config.descriptors(1), before + 100 - 16_384 + 10);
    }

    #[test]
    fn a_user_of_whom_only_the_key_is_known_cannot_be_tried() {
        let mut config = Config::default();
        assert_eq!(config.user_with_password(), None);
        let key = format!("0x{}", "ab".repeat(16));
        config.users.insert("alice".into(), key.as_str().into());
        assert_eq!(config.user_with_password(), None);
        config.users.insert("bob".into(), "secret".into());
        assert_eq!(config.user_with_password(), Some(("bob", "secret")));
    }
}
