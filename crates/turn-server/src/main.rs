//! The stand-alone TURN server.

use std::process::ExitCode;

fn main() -> ExitCode {
    turn_server::main()
}
