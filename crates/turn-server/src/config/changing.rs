//! What of a configuration can change while the server runs.

/// The dotted keys of what [`Reloader`](crate::Reloader) takes, a table standing for everything in it. Everything else is as
/// it was at the start.
pub const WHILE_RUNNING: &[&str] = &[
    "turn.users",
    "turn.shared_secrets",
    "turn.shared_secret_file",
    "turn.refresh_after_expiry",
    "turn.oauth",
    "turn.admin.token",
    "turn.admin.token_file",
    "turn.log_auth_failures",
    "turn.lifetimes",
    "turn.peers",
    "turn.limits",
    "turn.tcp_relay.connections",
    "turn.tcp_relay.connections_per_user",
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
        let text = format!("[turn]\n{text}");
        let text = match text.contains("shared_secrets") {
            true => text,
            false => format!("{text}\nshared_secrets = [\"north\"]"),
        };
        std::fs::write(file.path(), text).unwrap();
        load_with_keys(&source).unwrap()
    }

    /// A value that is not the default for as many keys as there are.
    const EXAMPLES: &str = r#"
listen = ["127.0.0.1:1"]
listen_tcp = ["127.0.0.1:2"]
listen_tls = ["127.0.0.1:3"]
realm = "example.org"
software = ""
workers = 3
listen_buffer = 65536
channels = "rfc5766"
classic_stun = true
users.ann = "secret"
shared_secrets = ["south"]
shared_secret_file = "SECRETS"
username_separator = "|"
refresh_after_expiry = false
oauth = { allocations_per_key = 7, keys = [{ kid = "a", key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" }] }
admin.token = "0123456789abcdef"
admin.token_file = "SECRETS"
admin.revoked_file = "/tmp/revoked"
relay.min_port = 50000
tls.min_version = "1.3"
mobility.enabled = true
dtls.enabled = false
alternate.check_interval = 9
drain_seconds = 9
log_auth_failures = true
lifetimes.allocation = 700
peers.deny = ["192.0.2.0/24"]
limits.allocations = 7
tcp_relay.enabled = true
tcp_relay.connections_per_allocation = 3
tcp_relay.connections = 7
tcp_relay.connections_per_user = 7
streams.connections = 7
proxy_protocol.from = ["192.0.2.0/24"]
shared_port.default = "web"
"#;

    #[test]
    fn a_key_changes_while_the_server_runs_exactly_if_it_is_said_to() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secrets");
        std::fs::write(&file, "a-secret-of-this-test\n").unwrap();
        let running = load("");
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for example in EXAMPLES.lines().filter(|line| !line.is_empty()) {
            let wanted = load(&example.replace("SECRETS", &file.display().to_string()));
            assert_ne!(wanted.value, running.value, "{example}");
            let key = format!("turn.{}", example.split(" =").next().unwrap());
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
