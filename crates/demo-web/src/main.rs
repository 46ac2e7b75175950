//! The stand-alone page server; `watari up` serves the same page beside everything else.

use std::process::ExitCode;

fn main() -> ExitCode {
    demo_web::main()
}
