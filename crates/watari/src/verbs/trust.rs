//! `watari trust`: how a device is told to trust the authority of `watari up --https`.

use crate::{cli::TrustArgs, failure::Failure, say, state, suite::Suite, verbs::up};

const ADVICE: &str = "\
The authority of this machine:  {file}
SHA-256 of its certificate:     {fingerprint}

Each device has to be told once to trust it; it certifies this machine and local networks, nothing else. Bring the file
to the device: copy it, or open https://THIS-MACHINE{port}/authority.crt there, go on past the warning, and compare the
SHA-256 with the one above before you install it.

  Debian, Ubuntu      sudo cp {quoted} /usr/local/share/ca-certificates/watari.crt
                      sudo update-ca-certificates
  Fedora              sudo cp {quoted} /etc/pki/ca-trust/source/anchors/watari.crt
                      sudo update-ca-trust
  Chromium on Linux   sudo apt install libnss3-tools
                      certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n watari -i {quoted}
  Firefox             Settings > Privacy & Security > View Certificates > Authorities > Import;
                      tick \"Trust this CA to identify websites\"
  macOS               sudo security add-trusted-cert -d -r trustRoot \\
                        -k /Library/Keychains/System.keychain authority.crt
  Windows             as administrator:  certutil -addstore -f ROOT authority.crt
  Android             Settings > Security > Encryption & credentials > Install a certificate > CA certificate
  iOS, iPadOS         open the file in Safari and install the profile in Settings; then Settings > General > About >
                      Certificate Trust Settings: switch it on

To trust it no more, remove it where you put it. To make it worthless, delete the folder it lies in: the next start mints
another one.
";

/// Prints the advice, or the certificate itself.
pub(crate) fn run(arguments: &TrustArgs) -> Result<(), Failure> {
    let suite: Suite = settings::load(&arguments.settings.source(arguments.config.clone()))?;
    let folder = state::folder(arguments.state.as_deref().or(suite.state.folder.as_deref()))?;
    let Some(authority) = up::existing_authority(&folder)? else {
        return Err(Failure::NoAuthority { folder });
    };
    if arguments.pem {
        say::lines(&authority.pem()?)?;
        return Ok(());
    }
    let file = authority.certificate().display().to_string();
    let port = match suite.web.listen_https.first().map_or(443, |at| at.port()) {
        443 => String::new(),
        port => format!(":{port}"),
    };
    let advice = ADVICE
        .replace("{file}", &file)
        .replace("{quoted}", &say::quoted(&file))
        .replace("{port}", &port)
        .replace("{fingerprint}", &authority.fingerprint());
    say::lines(&advice)?;
    Ok(())
}
