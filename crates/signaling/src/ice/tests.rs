use std::fs;

use super::*;
use crate::config::{Hidden, NodeConfig};

fn servers(config: &IceConfig) -> IceServers {
    IceServers::new(Secret::new("north"), config)
}

fn grant(servers: &IceServers, user: &str, ttl: Option<u64>) -> Grant {
    let site = Site::parse("localhost:3001");
    let asker = Asker {
        site: site.as_ref(),
        region: None,
        user,
    };
    servers.grant(asker, ttl.map(Duration::from_secs))
}

fn node(name: &str) -> NodeConfig {
    NodeConfig {
        name: name.to_owned(),
        urls: vec![format!("stun:{name}.example"), format!("turn:{name}.example")],
        region: None,
        weight: 1,
        probe: None,
        secret: None,
        secret_file: None,
        admin: None,
    }
}

#[test]
fn only_relays_get_the_credential_and_the_secret_explains_it() {
    let grant = grant(&servers(&IceConfig::default()), "u", None);
    let list = grant.ice_servers();
    assert_eq!(list[0].urls, ["stun:127.0.0.1:3478"]);
    assert!(list[0].username.is_none() && list[0].credential.is_none());
    let urls = ["udp", "tcp"].map(|over| format!("turn:127.0.0.1:3478?transport={over}"));
    assert_eq!(list[1].urls, urls);
    assert!(grant.username.ends_with(":u"));
    assert_eq!(list[1].username.as_ref(), Some(&grant.username));
    let password = derive_password(&Secret::new("north"), &grant.username);
    assert_eq!(list[1].credential.as_ref(), Some(&password));
    assert_eq!(grant.first(), (&*password, &urls[..]));
}

#[test]
fn a_lifetime_is_clamped_to_the_configured_most() {
    let servers = servers(&IceConfig {
        ttl: 100,
        max_ttl: 200,
        ..IceConfig::default()
    });
    let ttl = |asked: Option<u64>| grant(&servers, "u", asked).ttl;
    assert_eq!(ttl(None), 100);
    assert_eq!(ttl(Some(150)), 150);
    assert_eq!(ttl(Some(u64::MAX)), 200);
    assert_eq!(ttl(Some(0)), 1);
}

#[test]
fn nodes_with_one_secret_share_a_credential_and_others_have_their_own() {
    let mut config = IceConfig {
        nodes: vec![node("a"), node("b"), node("c")],
        nodes_per_client: 3,
        secret: Some(Hidden("north".to_owned())),
        ..IceConfig::default()
    };
    config.nodes[1].secret = Some(Hidden("south".to_owned()));
    let grant = grant(&IceServers::from_config(&config).unwrap(), "u", None);
    let list = grant.ice_servers();
    assert_eq!(list[0].urls.len(), 3, "{list:?}");
    let password = |secret: &str| derive_password(&Secret::new(secret), &grant.username);
    for server in &list[1..] {
        let is_b = server.urls == ["turn:b.example"];
        let expected = password(if is_b { "south" } else { "north" });
        assert_eq!(server.credential.as_ref(), Some(&expected));
        assert_eq!(server.urls.len(), if is_b { 1 } else { 2 });
    }
    assert_eq!(list.len(), 3);
    // Clients that take one password get only what that opens.
    let (first, urls) = grant.first();
    let has_b = urls.contains(&"turn:b.example".to_owned());
    assert_eq!(first, password(if has_b { "south" } else { "north" }));
}

#[test]
fn a_node_without_any_secret_is_a_mistake() {
    let mut config = IceConfig {
        nodes: vec![node("a")],
        ..IceConfig::default()
    };
    assert!(matches!(
        IceServers::from_config(&config),
        Err(SecretError::Missing)
    ));
    assert!(IceServers::from_config_or(&config, Some(Secret::new("north"))).is_ok());
    config.nodes[0].secret = Some(Hidden("south".to_owned()));
    assert!(IceServers::from_config(&config).is_ok());
}

#[test]
fn only_a_region_with_a_node_is_remembered() {
    let mut config = IceConfig {
        nodes: vec![node("a")],
        ..IceConfig::default()
    };
    config.nodes[0].region = Some("eu".to_owned());
    let servers = IceServers::from_config_or(&config, Some(Secret::new("north"))).unwrap();
    for (query, region) in [
        ("region=eu", Some("eu")),
        ("EIO=4&transport=polling&region=eu&t=x", Some("eu")),
        ("region=us", None),
        ("xregion=eu", None),
        ("region=", None),
        ("", None),
    ] {
        assert_eq!(servers.region_of(Some(query)).as_deref(), region, "{query}");
    }
}

#[test]
fn the_secret_file_may_end_in_a_newline_but_not_be_empty() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let config = IceConfig {
        secret_file: Some(path.clone()),
        ..IceConfig::default()
    };
    let unreadable = IceServers::from_config(&config).unwrap_err();
    let said = unreadable.to_string();
    assert!(
        said.starts_with("signaling.ice.secret_file ") && said.contains("secret"),
        "{said}"
    );
    fs::write(&path, " \n").unwrap();
    assert!(matches!(
        IceServers::from_config(&config),
        Err(SecretError::Missing)
    ));
    fs::write(&path, "north\n").unwrap();
    let grant = grant(&IceServers::from_config(&config).unwrap(), "u", None);
    let password = derive_password(&Secret::new("north"), &grant.username);
    assert_eq!(grant.first().0, password);
}
