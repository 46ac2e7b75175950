//! Writes the list of assets that `src/page.rs` includes: compressed bytes in release, paths in debug.

use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let assets = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("assets");
    let out = env::var("OUT_DIR")?;
    // Not `load_directory`: it reports every file as a warning of the build.
    let list = memory_serve::assets_to_code(
        &assets.display().to_string(),
        &assets,
        Path::new(&out),
        env::var("PROFILE")? == "release",
        |_| {},
    );
    fs::write(Path::new(&out).join("assets.rs"), list)?;
    println!("cargo::rerun-if-changed={}", assets.display());
    Ok(())
}
