//! The stand-alone signaling server.

use std::process::ExitCode;

fn main() -> ExitCode {
    signaling::main()
}
