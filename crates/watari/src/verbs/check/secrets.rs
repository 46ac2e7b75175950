//! Which files hold secrets: settings with one in them, and those that settings name.

use std::{fs, path::Path, path::PathBuf};

use redis::ConnectionInfo;
use toml::{Table, Value};

/// The keys whose values nobody else should read; `*` stands for each key of a table and each entry of a list.
const SECRETS: [&str; 10] = [
    "turn.shared_secrets.*",
    "turn.users.*",
    "turn.oauth.keys.*.key",
    "turn.admin.token",
    "signaling.ice.secret",
    "signaling.ice.admin.token",
    "signaling.ice.nodes.*.secret",
    "signaling.ice.nodes.*.admin.token",
    "signaling.credentials.api_keys.*",
    "signaling.room_tokens.keys.*.secret",
];

/// The URL of Redis is a secret when there is a password in it.
const REDIS: &str = "signaling.cluster.redis";

/// Whether a settings file says something that others should not read.
pub(super) fn are_in(file: &Path) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.parse::<Table>()
        .is_ok_and(|settings| are_set(&Value::Table(settings)))
}

fn are_set(settings: &Value) -> bool {
    let has_password = |value: &Value| {
        let url = value.as_str().and_then(|url| url.parse::<ConnectionInfo>().ok());
        url.is_some_and(|url| url.redis_settings().password().is_some())
    };
    SECRETS.iter().any(|key| !at(settings, key).is_empty())
        || at(settings, REDIS).into_iter().any(has_password)
}

/// What stands at a key.
fn at<'a>(settings: &'a Value, key: &str) -> Vec<&'a Value> {
    key.split('.').fold(vec![settings], |found, word| {
        let within = |value: &'a Value| -> Vec<&'a Value> {
            match (value.as_table(), value.as_array(), word) {
                (Some(table), _, "*") => table.values().collect(),
                (_, Some(list), "*") => list.iter().collect(),
                (Some(table), _, name) => table.get(name).into_iter().collect(),
                (None, _, _) => Vec::new(),
            }
        };
        found.into_iter().flat_map(within).collect()
    })
}

/// The files of secrets that settings of a relay name.
pub(super) fn files_of_turn(config: &turn_server::Config) -> Vec<PathBuf> {
    let named = [&config.shared_secret_file, &config.admin.token_file];
    named.into_iter().flatten().cloned().collect()
}

/// The files of secrets that settings of signaling name; keys by which signatures are only checked are for all.
pub(super) fn files_of_signaling(config: &signaling::Config) -> Vec<PathBuf> {
    let nodes = config.ice.nodes.iter();
    let of_nodes = nodes.clone().map(|node| node.secret_file.as_ref());
    let admins = nodes
        .map(|node| node.admin.as_ref())
        .chain([config.ice.admin.as_ref()]);
    let of_admins = admins.map(|admin| admin?.token_file.as_ref());
    let rooms = config.room_tokens.keys.iter();
    let of_rooms = rooms.map(|key| match key.algorithm {
        signaling::KeyAlgorithm::HS256 => key.file.as_ref(),
        signaling::KeyAlgorithm::RS256 | signaling::KeyAlgorithm::EdDSA => None,
    });
    let all = of_nodes.chain(of_admins).chain(of_rooms);
    all.chain([config.ice.secret_file.as_ref()])
        .flatten()
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str) -> bool {
        are_set(&Value::Table(text.parse().unwrap()))
    }

    #[test]
    fn samples_hold_no_secret() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
        for name in ["watari", "turn-server", "stun-server", "signaling", "demo-web"] {
            let file = folder.join(format!("{name}.toml"));
            assert!(file.exists() && !are_in(&file), "{name}");
        }
    }

    #[test]
    fn each_key_that_hides_its_value_is_known_however_it_is_written() {
        for text in [
            "[turn]\nshared_secrets = [\"north\"]",
            "turn = { shared_secrets = [ # of old\n \"north\" ] }",
            "[turn.users]\nbob = \"p\"",
            "turn.oauth.keys = [{ kid = \"a\", key = \"b\" }]",
            "[[turn.oauth.keys]]\nkid = \"a\"\nkey = \"b\"",
            "[turn.admin]\ntoken=\"0123456789abcdef\"",
            "signaling.ice = { secret = \"s\" }",
            "[signaling.ice.admin]\ntoken = \"t\"",
            "signaling.ice.nodes = [{ name = \"a\" }, { name = \"b\", secret = \"s\" }]",
            "signaling.ice.nodes = [{ name = \"a\", admin = { token = \"t\" } }]",
            "[signaling.credentials]\napi_keys = [\"k\"]",
            "signaling.room_tokens.keys = [{ algorithm = \"HS256\", secret = \"s\" }]",
            "signaling.cluster.redis = \"redis://:hunter2@localhost/\"",
            "signaling.cluster.redis = \"redis+unix:///run/redis?pass=hunter2\"",
        ] {
            assert!(holds(text), "{text}");
        }
    }

    #[test]
    fn what_is_empty_or_open_is_no_secret() {
        for text in [
            "[turn]\n# shared_secrets = [\"north\"]\nshared_secrets = []\n[turn.users]",
            "[signaling.peerjs]\nkey = \"peerjs\"",
            "[signaling.cluster]\nredis = \"redis://127.0.0.1/\"",
            "signaling.room_tokens.keys = [{ algorithm = \"EdDSA\", public_key = \"p\" }]",
            "turn.admin.token_file = \"/run/token\"",
        ] {
            assert!(!holds(text), "{text}");
        }
    }

    #[test]
    fn every_file_of_a_secret_is_named() {
        let settings: signaling::Config = toml::from_str(
            "ice.secret_file = \"1\"\nice.admin = { url = \"http://a\", token_file = \"2\" }\n\
             ice.nodes = [{ name = \"a\", urls = [], secret_file = \"3\", admin = { url = \"http://b\", token_file = \"4\" } }]\n\
             room_tokens.keys = [{ algorithm = \"HS256\", file = \"5\" }, { algorithm = \"EdDSA\", file = \"6\" }]",
        )
        .unwrap();
        let mut files = files_of_signaling(&settings);
        files.sort();
        assert_eq!(files, ["1", "2", "3", "4", "5"].map(PathBuf::from));
        let settings = toml::from_str("shared_secret_file = \"1\"\nadmin.token_file = \"2\"").unwrap();
        assert_eq!(files_of_turn(&settings), ["1", "2"].map(PathBuf::from));
    }
}
