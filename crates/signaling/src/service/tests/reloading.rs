//! What changes while clients are served.

use super::*;
use crate::config::NodeConfig;

const OTHER_KEY: &str = "another-key-of-some-length";

async fn start(config: &Config, registry: &Registry) -> Signaling {
    let ice = IceServers::from_config(&config.ice).unwrap();
    let started = Signaling::start(config, ice, registry, Shutdown::new()).await;
    started.unwrap()
}

fn reload(signaling: &Signaling, config: &Config) {
    let ice = IceServers::from_config(&config.ice).unwrap();
    signaling.reloader.prepare(config, ice).unwrap().apply();
}

async fn status(signaling: &Signaling, request: Request<Body>) -> StatusCode {
    ask(&signaling.router, request).await.0
}

fn keyed(key: &str) -> Config {
    let mut config = config();
    config.credentials.api_keys = vec![Hidden(key.into())];
    config
}

#[tokio::test]
async fn api_keys_servers_and_rates_are_those_of_the_last_configuration() {
    let signaling = start(&keyed(KEY), &Registry::new()).await;
    let with = |key: &str| get("/turn?service=turn", &[("x-api-key", key)]);
    assert_eq!(status(&signaling, with(OTHER_KEY)).await, StatusCode::FORBIDDEN);
    let mut wanted = keyed(OTHER_KEY);
    wanted.ice.urls = vec!["turn:new.example".into()];
    wanted.credentials.request_burst = 4;
    reload(&signaling, &wanted);
    let (code, body) = ask(&signaling.router, with(OTHER_KEY)).await;
    assert_eq!(
        (code, &body["uris"][0]),
        (StatusCode::OK, &"turn:new.example".into())
    );
    assert_eq!(status(&signaling, with(KEY)).await, StatusCode::FORBIDDEN);
    for _ in 0..4 {
        status(&signaling, with(KEY)).await;
    }
    assert_eq!(
        status(&signaling, with(OTHER_KEY)).await,
        StatusCode::TOO_MANY_REQUESTS
    );
}

#[tokio::test]
async fn pages_of_other_hosts_are_admitted_and_shut_out() {
    let signaling = start(&config(), &Registry::new()).await;
    let page = || {
        let polling = "/socket.io/?EIO=4&transport=polling";
        get(polling, &[("origin", "https://page.example")])
    };
    assert_eq!(status(&signaling, page()).await, StatusCode::FORBIDDEN);
    let mut open = config();
    open.allowed_origins = vec!["https://page.example".into()];
    reload(&signaling, &open);
    let answer = signaling.router.clone().oneshot(page()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let allowed = answer.headers().get("access-control-allow-origin");
    assert_eq!(allowed.unwrap(), "https://page.example");
    reload(&signaling, &config());
    assert_eq!(status(&signaling, page()).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_key_that_cannot_be_read_is_refused_and_nothing_changes() {
    let signaling = start(&keyed(KEY), &Registry::new()).await;
    let mut wrong = keyed(OTHER_KEY);
    wrong.room_tokens.keys = vec![crate::RoomKeyConfig {
        id: None,
        algorithm: crate::KeyAlgorithm::HS256,
        secret: None,
        public_key: None,
        file: Some("/nowhere/key".into()),
    }];
    let ice = IceServers::from_config(&wrong.ice).unwrap();
    assert!(signaling.reloader.prepare(&wrong, ice).is_err());
    let request = get("/turn?service=turn", &[("x-api-key", KEY)]);
    assert_eq!(status(&signaling, request).await, StatusCode::OK);
}

#[tokio::test]
async fn nodes_come_and_go_and_those_that_stay_are_as_healthy_as_they_were() {
    let node = |name: &str| NodeConfig {
        name: name.into(),
        urls: vec![format!("turn:{name}.example")],
        region: None,
        weight: 1,
        probe: Some("127.0.0.1:1".into()),
        secret: None,
        secret_file: None,
        admin: None,
    };
    let with = |names: &[&str]| {
        let mut config = config();
        config.ice.nodes = names.iter().map(|name| node(name)).collect();
        config.ice.probe_seconds = 300;
        config
    };
    let registry = Registry::new();
    let told = || {
        let families = registry.gather();
        let family = families
            .iter()
            .find(|family| family.name() == "signaling_turn_node_healthy");
        let samples = family.map(|family| family.get_metric()).unwrap_or_default();
        let sample = |sample: &prometheus::proto::Metric| {
            let name = sample.get_label()[0].value().to_owned();
            (name, sample.get_gauge().get_value())
        };
        samples.iter().map(sample).collect::<Vec<_>>()
    };
    let signaling = start(&config(), &registry).await;
    assert_eq!(told(), []);
    let first = IceServers::from_config(&with(&["a", "b"]).ice).unwrap();
    first.set_healthy("a", false);
    signaling
        .reloader
        .prepare(&with(&["a", "b"]), first)
        .unwrap()
        .apply();
    assert_eq!(told(), [("a".to_owned(), 0.0), ("b".to_owned(), 1.0)]);
    reload(&signaling, &with(&["a", "c"]));
    assert_eq!(told(), [("a".to_owned(), 0.0), ("c".to_owned(), 1.0)]);
    reload(&signaling, &config());
    assert_eq!(told(), []);
}
