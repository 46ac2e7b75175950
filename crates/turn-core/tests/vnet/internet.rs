//! A virtual internet: the server, an echoing peer, and homes behind NATs.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Mutex;
use turn::client::{Client, ClientConfig};
use webrtc_util::Conn;
use webrtc_util::vnet::nat::{EndpointDependencyType, NatType};
use webrtc_util::vnet::net::{Net, NetConfig};
use webrtc_util::vnet::router::{Nic, Router, RouterConfig};

use crate::host::Host;

pub(crate) const SERVER: &str = "1.2.3.4:3478";
pub(crate) const ECHO: &str = "1.2.3.5:5678";
pub(crate) const USER: &str = "alice";
pub(crate) const PASSWORD: &str = "correct horse";

pub(crate) struct Internet {
    pub(crate) turn: Host,
    wan: Arc<Mutex<Router>>,
    /// A vnet socket only works while its `Net` is alive.
    nets: Mutex<Vec<Arc<Net>>>,
}

/// A host behind its own NAT.
pub(crate) struct Home {
    net: Arc<Net>,
}

impl Internet {
    pub(crate) async fn new() -> Self {
        let config = RouterConfig {
            cidr: "0.0.0.0/0".to_owned(),
            ..RouterConfig::default()
        };
        let wan = Arc::new(Mutex::new(Router::new(config).unwrap()));
        let server = attach(&wan, "1.2.3.4").await;
        let echo = attach(&wan, "1.2.3.5").await;
        wan.lock().await.start().await.unwrap();
        tokio::spawn(echo_forever(echo.bind(ECHO.parse().unwrap()).await.unwrap()));
        let turn = Host::start(Arc::clone(&server), SERVER.parse().unwrap()).await;
        Self {
            turn,
            wan,
            nets: Mutex::new(vec![server, echo]),
        }
    }

    /// Adds a home whose NAT has this external address.
    pub(crate) async fn home(
        &self,
        external: &str,
        mapping: EndpointDependencyType,
        filtering: EndpointDependencyType,
    ) -> Home {
        let nat_type = NatType {
            mapping_behavior: mapping,
            filtering_behavior: filtering,
            ..NatType::default()
        };
        let config = RouterConfig {
            static_ips: vec![external.to_owned()],
            cidr: "192.168.0.0/24".to_owned(),
            // The zero of `default()` would let every mapping end at once.
            nat_type: Some(NatType {
                mapping_life_time: std::time::Duration::from_secs(60),
                ..nat_type
            }),
            ..RouterConfig::default()
        };
        let lan = Arc::new(Mutex::new(Router::new(config).unwrap()));
        let net = Arc::new(Net::new(Some(NetConfig::default())));
        connect(&net, &lan).await;
        self.wan.lock().await.add_router(Arc::clone(&lan)).await.unwrap();
        lan.lock().await.set_router(Arc::clone(&self.wan)).await.unwrap();
        lan.lock().await.start().await.unwrap();
        Home { net }
    }

    /// Opens a socket of some host on the outside.
    pub(crate) async fn outside(&self, address: &str) -> Arc<dyn Conn + Send + Sync> {
        let address: SocketAddr = address.parse().unwrap();
        let net = attach(&self.wan, &address.ip().to_string()).await;
        self.nets.lock().await.push(Arc::clone(&net));
        net.bind(address).await.unwrap()
    }
}

impl Home {
    /// Starts a client that has not allocated yet.
    pub(crate) async fn client(&self, password: &str) -> Client {
        let client = Client::new(ClientConfig {
            stun_serv_addr: SERVER.to_owned(),
            turn_serv_addr: SERVER.to_owned(),
            username: USER.to_owned(),
            password: password.to_owned(),
            realm: String::new(),
            software: String::new(),
            rto_in_ms: 0,
            conn: self.net.bind("0.0.0.0:0".parse().unwrap()).await.unwrap(),
            vnet: Some(Arc::clone(&self.net)),
        });
        let client = client.await.unwrap();
        client.listen().await.unwrap();
        client
    }
}

/// Puts a host with a public address on the internet.
async fn attach(wan: &Arc<Mutex<Router>>, address: &str) -> Arc<Net> {
    let static_ips = vec![address.to_owned()];
    let net = Arc::new(Net::new(Some(NetConfig {
        static_ips,
        ..NetConfig::default()
    })));
    connect(&net, wan).await;
    net
}

async fn connect(net: &Arc<Net>, router: &Arc<Mutex<Router>>) {
    let nic = net.get_nic().unwrap();
    router.lock().await.add_net(Arc::clone(&nic)).await.unwrap();
    nic.lock().await.set_router(Arc::clone(router)).await.unwrap();
}

async fn echo_forever(socket: Arc<dyn Conn + Send + Sync>) {
    let mut buffer = [0; 2048];
    while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
        socket.send_to(&buffer[..len], from).await.unwrap();
    }
}
