//! The flags of `watari check`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::check_config::Which;
use crate::verbs::nat::Target;

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Folder with the minted secrets [default: as for `up`]
    #[arg(long, env = "WATARI_STATE", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) state: Option<PathBuf>,
    /// A STUN server elsewhere that is asked how the world sees this machine; without it nobody outside is asked
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) stun: Option<Target>,
    /// A name or address by which clients reach the servers, for which there has to be a certificate; may be given
    /// several times
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Vec<String>,
    /// A PEM file of authorities that clients are told to trust, beside those of this machine; may be given several times
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) ca: Vec<PathBuf>,
    /// Ask nothing over a network: neither the STUN server, nor Redis, nor the running servers
    #[arg(long)]
    pub(crate) offline: bool,
    /// Answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  watari check                                          the suite on its defaults
  watari check /etc/watari/watari.toml                  with these settings; best as root, who sees all processes
  watari check /etc/watari/watari.toml --stun stun.example.org
  watari check --host call.example.org --ca own-ca.pem watari.toml
  watari check turn-server.toml signaling.toml          single servers on one machine
  watari check --json watari.toml | jq '.findings[] | select(.grade == \"problem\")'

It tries what runs: it allocates at the relay over each transport and sends data through it. What does not run yet is
looked at as far as that goes. Nothing is changed.

Exit codes: 0 when there are at most warnings, 1 when there is a problem, 64 wrong flags, 78 wrong settings.";
