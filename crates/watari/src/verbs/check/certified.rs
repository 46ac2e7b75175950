//! Certificates: whether clients will trust them, for which names, and how long.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use certificates::{Certificates, Pair, PairConfig, Problem, Trust};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::{finding::Finding, subject::Subject};

const DAY: i64 = 86_400;

/// The alerts tell of a certificate from here on, unless more than this share of its life is left.
const SOON: i64 = 14 * DAY;
const SHARE: i64 = 4;

pub(super) fn look(subject: &Subject, authorities: &[PathBuf]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (roots, unread) = roots(authorities);
    findings.extend(unread);
    let mut pairs = Vec::new();
    let mut seen: Vec<&PairConfig> = Vec::new();
    let mut awaited: &[String] = &[];
    for files in &subject.pairs {
        if seen.contains(&files) {
            continue;
        }
        seen.push(files);
        let file = files.certificate.display().to_string();
        match Certificates::load(std::slice::from_ref(files)) {
            Ok(loaded) if loaded.pairs().is_empty() => {
                if let Some((_, names)) = subject.acme.as_ref().filter(|acme| acme.0 == files.certificate) {
                    awaited = names;
                }
                findings.push(Finding::note(format!(
                    "{file} is not there yet: it comes with the first start, or from the directory of ACME"
                )));
            }
            Ok(loaded) => {
                for pair in loaded.pairs().iter() {
                    let authority = subject.authority.as_deref();
                    let is_own =
                        authority.is_some_and(|authority| authority.parent() == files.certificate.parent());
                    findings.extend(judge(&file, pair, pair.trust(roots.clone()), is_own));
                    pairs.push(pair.clone());
                }
            }
            Err(mistakes) => findings.extend(mistakes.iter().map(|mistake| unusable(&mistake.problem))),
        }
    }
    findings.extend(uncertified(&subject.names, &pairs, awaited));
    if findings.is_empty() {
        findings.push(Finding::note(
            "there is no certificate: no TURN over TLS or DTLS, and pages have a camera at localhost only",
        ).or("`watari up --https`, or [tls] with certificates or acme.domains"));
    }
    findings
}

/// What cannot be served, or cannot be looked at by this user.
fn unusable(problem: &Problem) -> Finding {
    match unreadable(problem) {
        Some(file) => Finding::warning(
            format!("{} is not for this user to read", file.display()),
            "run `watari check` as root, or as the user that the server runs as",
        ),
        None => Finding::problem(
            problem.to_string(),
            "correct the path, or issue the certificate anew",
        ),
    }
}

/// The file that this user may not read, if that is what is wrong.
pub(super) fn unreadable(problem: &Problem) -> Option<&Path> {
    match problem {
        Problem::Unreadable { file, error } if error.kind() == io::ErrorKind::PermissionDenied => Some(file),
        Problem::Unreadable { .. }
        | Problem::NotPem { .. }
        | Problem::NoCertificate { .. }
        | Problem::NoKey { .. }
        | Problem::LockedKey { .. }
        | Problem::Certificate { .. }
        | Problem::Key { .. }
        | Problem::Strangers { .. } => None,
    }
}

fn judge(file: &str, pair: &Pair, trust: Trust, is_own: bool) -> Vec<Finding> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let mut findings = vec![expiry(file, pair, now)];
    if let Some(index) = pair.misplaced() {
        findings.push(Finding::warning(
            format!("{file}: certificate {} of the chain was not issued by the one below it", index + 1),
            "order the file: the server's own first, then who issued it, and so on; some clients refuse it otherwise",
        ));
    }
    findings.push(chain(file, trust, is_own));
    findings
}

fn expiry(file: &str, pair: &Pair, now: i64) -> Finding {
    let names = pair.names.join(", ");
    let (left, life) = (pair.not_after - now, pair.not_after - pair.not_before);
    let renew = "renew it; with tls.acme.domains the suite does so itself, and its log says why not";
    if left <= 0 {
        return Finding::problem(
            format!(
                "{file} ({names}) expired {} days ago: clients refuse it",
                -left / DAY
            ),
            renew,
        );
    }
    if pair.not_before > now {
        return Finding::problem(
            format!("{file} ({names}) is not valid yet: clients refuse it"),
            "set this machine's clock right, or wait until it is valid",
        );
    }
    let until = match left / DAY {
        0 => format!("{} hours", left / 3600),
        days => format!("{days} days"),
    };
    if left < SOON && left < life / SHARE {
        return Finding::warning(format!("{file} ({names}) expires in {until}"), renew);
    }
    Finding::fine(format!("{file} ({names}) is good for {until}"))
}

fn chain(file: &str, trust: Trust, is_own: bool) -> Finding {
    match trust {
        Trust::Trusted => Finding::fine(format!(
            "{file}: the chain leads to an authority that is trusted here"
        )),
        Trust::OwnAuthority { .. } | Trust::UnknownIssuer { .. } if is_own => Finding::note(format!(
            "{file}: signed by the suite's own authority, which this machine does not trust"
        ))
        .or("`watari trust` tells how each device learns to"),
        Trust::OwnAuthority { name } => Finding::warning(
            format!("{file}: the chain ends with {name}, which vouches for itself and is not trusted here"),
            "have each device trust it (and name it here with --ca), or get a certificate that all trust: tls.acme.domains",
        ),
        Trust::UnknownIssuer { name } => Finding::problem(
            format!(
                "{file}: the chain is incomplete: {name} issued its last certificate, and is neither in it nor trusted here"
            ),
            "append the certificates of those between to the file (`fullchain.pem`, not `cert.pem`); an authority of your \
             own is named with --ca",
        ),
        Trust::Nameless => Finding::problem(
            format!("{file}: the certificate is for no name, so clients refuse it"),
            "issue it with the names of the server as subjectAltName: one in the subject (CN) alone counts no more",
        ),
        Trust::Refused(why) => Finding::problem(
            format!("{file}: clients refuse the chain: {why}"),
            "issue the certificate anew",
        ),
    }
}

/// `awaited` are names for which there will be one.
fn uncertified(names: &[String], pairs: &[Pair], awaited: &[String]) -> Vec<Finding> {
    let judge = |name: &String| {
        match pairs
        .iter()
        .any(|pair| pair.covers(name.trim_matches(['[', ']'])))
    {
        true => Finding::fine(format!("there is a certificate for {name}")),
        false if awaited.contains(name) => Finding::note(format!(
            "the certificate for {name} has not come yet: the suite that runs orders it from the directory of ACME"
        ))
        .or("if it does not come, the log of the suite says why"),
        false => Finding::problem(
            format!("no certificate is for {name}: clients that come by that name refuse to"),
            "issue one for this name, or have clients come by a name that is certified",
        ),
    }
    };
    names.iter().map(judge).collect()
}

/// The authorities of this machine, and those that clients are told to trust besides.
fn roots(files: &[PathBuf]) -> (Arc<RootCertStore>, Vec<Finding>) {
    let mut roots = turn_load::authorities();
    let mut unread = Vec::new();
    for file in files {
        let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
        match read {
            Ok(certificates) if roots.add_parsable_certificates(certificates.clone()).0 > 0 => {}
            Ok(_) => unread.push(Finding::problem(
                format!("{} holds no certificate of an authority", file.display()),
                "name a PEM file with --ca",
            )),
            Err(error) => unread.push(Finding::problem(
                format!("{} cannot be read: {error}", file.display()),
                "name a PEM file with --ca",
            )),
        }
    }
    (Arc::new(roots), unread)
}

#[cfg(test)]
mod tests {
    use super::{super::finding::Grade, *};

    fn pair(folder: &std::path::Path) -> Pair {
        let made = rcgen::generate_simple_self_signed(["turn.example.org".to_owned()]).unwrap();
        let files = PairConfig {
            certificate: folder.join("chain.pem"),
            key: folder.join("key.pem"),
            awaited: false,
        };
        std::fs::write(&files.certificate, made.cert.pem()).unwrap();
        std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        Certificates::load(&[files]).unwrap().pairs()[0].clone()
    }

    #[test]
    fn a_certificate_is_told_of_as_the_alerts_do() {
        let folder = tempfile::tempdir().unwrap();
        let of_days = |life: i64, left: i64| {
            let mut pair = pair(folder.path());
            pair.not_before = (left - life) * DAY;
            pair.not_after = left * DAY;
            pair
        };
        let grade = |life, left| expiry("", &of_days(life, left), 0).grade;
        assert_eq!(grade(90, 60), Grade::Fine);
        assert_eq!(grade(90, 13), Grade::Warning);
        assert_eq!(grade(6, 3), Grade::Fine);
        assert_eq!(grade(6, 1), Grade::Warning);
        assert_eq!(grade(90, -1), Grade::Problem);
        assert_eq!(grade(90, 95), Grade::Problem);
    }

    #[test]
    fn a_chain_that_lacks_somebody_is_worse_than_one_of_ones_own_authority() {
        let name = || "CN=Middle".to_owned();
        let grade = |trust, is_own| chain("", trust, is_own).grade;
        assert_eq!(grade(Trust::Trusted, false), Grade::Fine);
        assert_eq!(grade(Trust::OwnAuthority { name: name() }, true), Grade::Note);
        assert_eq!(grade(Trust::OwnAuthority { name: name() }, false), Grade::Warning);
        assert_eq!(
            grade(Trust::UnknownIssuer { name: name() }, false),
            Grade::Problem
        );
        let nameless = chain("", Trust::Nameless, false);
        assert!(nameless.todo.unwrap().contains("subjectAltName"));
    }

    #[test]
    fn a_file_that_this_user_may_not_read_says_nothing_of_the_server() {
        let grade = |kind: io::ErrorKind| {
            let problem = Problem::Unreadable {
                file: "/k".into(),
                error: kind.into(),
            };
            unusable(&problem).grade
        };
        assert_eq!(grade(io::ErrorKind::PermissionDenied), Grade::Warning);
        assert_eq!(grade(io::ErrorKind::IsADirectory), Grade::Problem);
    }

    #[test]
    fn a_name_without_a_certificate_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["turn.example.org".to_owned(), "call.example.org".to_owned()];
        let pairs = [pair(folder.path())];
        let grades = |awaited: &[String]| -> Vec<_> {
            let findings = uncertified(&names, &pairs, awaited);
            findings.iter().map(|finding| finding.grade).collect()
        };
        assert_eq!(grades(&[]), [Grade::Fine, Grade::Problem]);
        assert_eq!(grades(&names), [Grade::Fine, Grade::Note]);
    }
}
