//! The stand-alone STUN server.

use std::process::ExitCode;

fn main() -> ExitCode {
    stun_server::main()
}
