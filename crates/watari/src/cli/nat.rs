//! The flags of `watari nat`.

use std::net::IpAddr;

use clap::Args;

use super::seconds;
use crate::verbs::nat::Target;

#[derive(Debug, Args)]
pub(crate) struct NatArgs {
    /// The STUN server: a host with or without a port, or a stun: URI [default port: 3478, then 3479]
    #[arg(value_name = "HOST[:PORT]")]
    pub(crate) server: Target,
    /// Ask over IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub(crate) ipv4: bool,
    /// Ask over IPv6 only
    #[arg(short = '6', long)]
    pub(crate) ipv6: bool,
    /// Ask from this address of this machine
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) local: Option<IpAddr>,
    /// How long to wait for an answer before silence counts as one
    #[arg(long, default_value = "3s", value_name = "TIME", value_parser = seconds)]
    pub(crate) timeout: u64,
    /// Also find out how long the NAT keeps an idle binding, trying up to this long
    #[arg(
        long,
        value_name = "TIME",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "5m",
        value_parser = seconds
    )]
    pub(crate) lifetime: Option<u64>,
    /// Answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  watari nat turn.example.org                   how the NAT in front of this machine behaves
  watari nat stun:192.0.2.1:3479 --timeout 5s   on a network that loses datagrams
  watari nat turn.example.org --lifetime=2m     and how long an idle binding lives
  watari nat --json turn.example.org | jq -r .mapping.found

To tell how a NAT maps and filters, the server needs two addresses (RFC 5780): key stun.behaviour.addresses of
`watari up`. From one address only the public address is learned. Exit code 69 when nothing answers over UDP.";
