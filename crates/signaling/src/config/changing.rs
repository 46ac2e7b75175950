//! What of a configuration can change while the server runs.

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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use settings::{Loaded, Source, load_with_keys};

    use super::*;
    use crate::standalone::Settings;

    fn load(text: &str) -> Loaded<Settings> {
        let file = tempfile::NamedTempFile::new().unwrap();
        let source = Source {
            env: Vec::new(),
            ..Source::new("WATARI_").file(Some(file.path().to_owned()))
        };
        let text = format!("[signaling]\nice.secret = \"north\"\n{text}");
        std::fs::write(file.path(), text).unwrap();
        load_with_keys(&source).unwrap()
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
    fn a_burst_that_the_queues_there_are_do_not_hold_is_refused_and_named() {
        let wanted = load("limits.message_burst = 900\nlimits.outgoing_messages = 1000");
        let refused = wanted.taking(&load("").keys, WHILE_RUNNING).unwrap_err();
        let refused = refused.to_string();
        assert!(
            refused.contains("signaling.limits.outgoing_messages: must be at least message_burst"),
            "{refused}"
        );
    }

    #[test]
    fn a_key_changes_while_the_server_runs_exactly_if_it_is_said_to() {
        let running = load("");
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for example in EXAMPLES.lines().filter(|line| !line.is_empty()) {
            let wanted = load(example);
            assert_ne!(wanted.value, running.value, "{example}");
            let key = format!("signaling.{}", example.split(" =").next().unwrap());
            let said = WHILE_RUNNING
                .iter()
                .find(|said| key == **said || key.starts_with(&format!("{said}.")));
            let changed = wanted.taking(&running.keys, WHILE_RUNNING).unwrap();
            let expected = said.map_or(&running.value, |_| &wanted.value);
            assert_eq!(&changed, expected, "{example}");
            seen.extend(said);
        }
        assert_eq!(seen.len(), WHILE_RUNNING.len(), "{seen:?}");
    }
}
