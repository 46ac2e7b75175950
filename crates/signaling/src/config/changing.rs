//! What of a configuration can change while the server runs.

use super::{Config, CredentialsConfig, LimitsConfig};

/// The dotted keys of what [`Reloader`](crate::Reloader) takes, a table standing for everything in it. Everything else is as
/// it was at the start.
pub const WHILE_RUNNING: &[&str] = &[
    "signaling.allowed_origins",
    "signaling.trusted_proxies",
    "signaling.log_addresses",
    "signaling.log_auth_failures",
    "signaling.room_tokens",
    "signaling.limits.connections",
    "signaling.limits.connections_per_address",
    "signaling.limits.arrivals_per_second",
    "signaling.limits.messages_per_second",
    "signaling.limits.message_burst",
    "signaling.ice",
    "signaling.credentials.api_keys",
    "signaling.credentials.requests_per_second",
    "signaling.credentials.request_burst",
];

impl Config {
    /// The configuration of a server that runs by this one and is told `wanted`. Each key is named, so that a new one is
    /// thought about.
    pub(crate) fn changed_to(&self, wanted: &Self) -> Self {
        let Self {
            allowed_origins,
            trusted_proxies,
            log_addresses,
            log_auth_failures,
            room_tokens,
            limits,
            ice,
            credentials,
            listen: _,
            rooms: _,
            classic: _,
            resume: _,
            peerjs: _,
            y_webrtc: _,
            drain_seconds: _,
            cluster: _,
        } = wanted.clone();
        Self {
            allowed_origins,
            trusted_proxies,
            log_addresses,
            log_auth_failures,
            room_tokens,
            limits: self.limits.changed_to(&limits),
            ice,
            credentials: self.credentials.changed_to(credentials),
            ..self.clone()
        }
    }
}

impl LimitsConfig {
    fn changed_to(&self, wanted: &Self) -> Self {
        let Self {
            connections,
            connections_per_address,
            arrivals_per_second,
            messages_per_second,
            message_burst,
            message_bytes: _,
            outgoing_messages: _,
            outgoing_bytes: _,
            ping_seconds: _,
        } = *wanted;
        // As the check of a whole configuration has it: no burst disconnects its receiver.
        let most = u32::try_from(self.outgoing_messages).unwrap_or(u32::MAX);
        Self {
            connections,
            connections_per_address,
            arrivals_per_second,
            messages_per_second,
            message_burst: message_burst.min(most),
            ..self.clone()
        }
    }
}

impl CredentialsConfig {
    fn changed_to(&self, wanted: Self) -> Self {
        let Self {
            api_keys,
            requests_per_second,
            request_burst,
            // Which pages may read the answers was settled with it.
            anonymous: _,
        } = wanted;
        Self {
            api_keys,
            requests_per_second,
            request_burst,
            anonymous: self.anonymous,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::Deserialize;
    use settings::{Check, Report, Source, load_text};

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct File {
        signaling: Config,
    }

    impl Check for File {
        fn check(&self, report: &mut Report<'_>) {
            report.within("signaling", |report| self.signaling.check(report));
        }
    }

    fn load(text: &str) -> Config {
        let source = Source {
            env: Vec::new(),
            ..Source::new("WATARI_")
        };
        load_text::<File>(&format!("[signaling]\n{text}"), &source)
            .unwrap()
            .signaling
    }

    /// A value that is not the default for as many keys as there are.
    const EXAMPLES: &str = r#"
listen = "127.0.0.1:1"
allowed_origins = ["https://a.example"]
trusted_proxies = ["192.0.2.0/24"]
log_addresses = true
log_auth_failures = true
rooms.capacity = 3
rooms.max = 9
room_tokens.issuer = "a"
resume.seconds = 9
peerjs.enabled = false
y_webrtc.enabled = false
limits.connections = 9
limits.connections_per_address = 9
limits.arrivals_per_second = 9
limits.message_bytes = 5000
limits.messages_per_second = 9
limits.message_burst = 99
limits.outgoing_messages = 400
limits.outgoing_bytes = 4000000
limits.ping_seconds = 9
drain_seconds = 9
cluster.prefix = "a"
ice.urls = ["turn:a.example"]
credentials.api_keys = ["0123456789abcdef"]
credentials.anonymous = true
credentials.requests_per_second = 9
credentials.request_burst = 9
"#;

    #[test]
    fn a_burst_is_no_larger_than_the_queues_there_are() {
        let wanted = load("limits.message_burst = 900\nlimits.outgoing_messages = 1000");
        let limits = load("").changed_to(&wanted).limits;
        assert_eq!((limits.message_burst, limits.outgoing_messages), (320, 320));
    }

    #[test]
    fn a_key_changes_while_the_server_runs_exactly_if_it_is_said_to() {
        let running = load("");
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for example in EXAMPLES.lines().filter(|line| !line.is_empty()) {
            let wanted = load(example);
            assert_ne!(wanted, running, "{example}");
            let key = format!("signaling.{}", example.split(" =").next().unwrap());
            let said = WHILE_RUNNING
                .iter()
                .find(|said| key == **said || key.starts_with(&format!("{said}.")));
            let changed = running.changed_to(&wanted);
            assert_eq!(
                changed,
                if said.is_some() { wanted } else { running.clone() },
                "{example}"
            );
            seen.extend(said);
        }
        assert_eq!(seen.len(), WHILE_RUNNING.len(), "{seen:?}");
    }
}
