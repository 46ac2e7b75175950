//! `watari check`: every mistake in the settings, without starting anything.

use std::{fmt, path::PathBuf};

use certificates::{Certificates, Pair};
use lifecycle::exit;
use serde_json::{Value, json};
use settings::{Mistake, Mistakes, Place};

use crate::{
    cli::{CheckArgs, Kind},
    failure::Failure,
    say,
    suite::{self, Suite},
};

/// Loads the settings and says what is wrong with them, or what they amount to.
pub(crate) fn run(arguments: &CheckArgs) -> Result<(), Failure> {
    let files: Vec<_> = if arguments.files.is_empty() {
        vec![None]
    } else {
        arguments.files.iter().cloned().map(Some).collect()
    };
    let mut checked: Vec<_> = files
        .into_iter()
        .map(|file| Checked::new(arguments, file))
        .collect();
    say_once(&mut checked);
    if arguments.json {
        return answer_json(&checked);
    }
    let mut wrong = Vec::new();
    for checked in checked {
        match checked.found {
            Ok(summary) => say::lines(&format!("{} fine.\n{summary}", place(checked.file.as_ref())))?,
            Err(mistakes) => wrong.extend(mistakes),
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(Failure::Wrong(Wrong(wrong)))
    }
}

/// Leaves a mistake in the environment or a flag to the first file that it was found with.
fn say_once(checked: &mut [Checked]) {
    let mut said: Vec<Mistake> = Vec::new();
    let findings = checked
        .iter_mut()
        .filter_map(|checked| checked.found.as_mut().err());
    for findings in findings {
        findings.retain(|finding| match finding {
            Finding::Setting(mistake) if said.contains(mistake) => false,
            Finding::Setting(mistake) => {
                said.push(mistake.clone());
                true
            }
            Finding::File { .. } => true,
        });
    }
}

/// One file and what was found in it.
struct Checked {
    file: Option<PathBuf>,
    kind: Kind,
    found: Result<String, Vec<Finding>>,
}

impl Checked {
    fn new(arguments: &CheckArgs, file: Option<PathBuf>) -> Self {
        let by_name = || file.as_deref().map_or(Kind::Suite, Kind::of);
        let kind = arguments.server.unwrap_or_else(by_name);
        let found = match kind.program() {
            None => of_suite(arguments, file.clone()),
            Some(program) => {
                let mut source = program.source(file.clone());
                // They are flags of this command.
                let own = |name: &str| suite::RESERVED.contains(&name.trim_start_matches(suite::ENV_PREFIX));
                source.env.retain(|(name, _)| !own(name));
                for (key, value) in &arguments.settings.set {
                    source.set(key, value);
                }
                let found = program.check(&source);
                found.map_err(of_settings).and_then(|files| match files {
                    files if files.is_empty() => Ok(format!("  {:<10} {}\n", "checked for", program.name)),
                    files => Err(of_files(file.as_ref(), files)),
                })
            }
        };
        Self { file, kind, found }
    }
}

fn of_suite(arguments: &CheckArgs, file: Option<PathBuf>) -> Result<String, Vec<Finding>> {
    let source = arguments.settings.source(file.clone());
    let suite = settings::load::<Suite>(&source).map_err(of_settings)?;
    let certificates = certificates(&suite).map_err(|wrong| of_files(file.as_ref(), wrong))?;
    Ok(format!("{}{certificates}", suite.summary()))
}

/// What the named certificates are for, and how long they are good, a line each.
fn certificates(suite: &Suite) -> Result<String, Vec<String>> {
    let certificates = Certificates::load(&suite.certificate_files())
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let line = |pair: &Pair| {
        let names = pair.names.join(", ");
        match pair.days_left() {
            days @ 0.. => format!("  {:<10} {names}: {days} days left\n", "certified"),
            days => format!(
                "  {:<10} {names}: expired {} days ago, renew it\n",
                "certified", -days
            ),
        }
    };
    Ok(certificates.pairs().iter().map(line).collect())
}

/// A mistake in the settings, or in a file that they name.
#[derive(Debug)]
enum Finding {
    Setting(Mistake),
    File { settings: String, what: String },
}

/// All that is wrong, a line or more each.
#[derive(Debug, thiserror::Error)]
pub(crate) struct Wrong(Vec<Finding>);

impl Wrong {
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(Finding::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting(mistake) => mistake.fmt(f),
            Self::File { settings, what } if settings.is_empty() => f.write_str(what),
            Self::File { settings, what } => write!(f, "{settings}: {what}"),
        }
    }
}

fn of_settings(mistakes: Mistakes) -> Vec<Finding> {
    mistakes.iter().cloned().map(Finding::Setting).collect()
}

fn of_files(settings: Option<&PathBuf>, wrong: Vec<String>) -> Vec<Finding> {
    let settings = settings.map_or_else(String::new, |path| path.display().to_string());
    let finding = |what| Finding::File {
        settings: settings.clone(),
        what,
    };
    wrong.into_iter().map(finding).collect()
}

fn place(file: Option<&PathBuf>) -> String {
    file.map_or_else(
        || "Environment and flags are".to_owned(),
        |path| format!("{} is", path.display()),
    )
}

fn answer_json(checked: &[Checked]) -> Result<(), Failure> {
    let mistakes: Vec<Value> = checked
        .iter()
        .filter_map(|checked| checked.found.as_ref().err())
        .flatten()
        .map(as_json)
        .collect();
    let files: Vec<Value> = checked
        .iter()
        .map(|checked| json!({ "file": checked.file, "server": checked.kind.name(), "ok": checked.found.is_ok() }))
        .collect();
    let ok = mistakes.is_empty();
    let answer = json!({ "ok": ok, "files": files, "mistakes": mistakes });
    say::lines(&format!("{answer:#}"))?;
    if ok {
        Ok(())
    } else {
        Err(Failure::Told(exit::CONFIG))
    }
}

fn as_json(finding: &Finding) -> Value {
    let mistake = match finding {
        Finding::Setting(mistake) => mistake,
        Finding::File { settings, what } => {
            return json!({ "file": settings, "key": "", "what": what, "hint": null });
        }
    };
    let mut value = match &mistake.place {
        Place::File { file, line: 0, .. } => json!({ "file": file }),
        Place::File { file, line, column } => json!({ "file": file, "line": line, "column": column }),
        Place::Env(name) => json!({ "environment": name }),
        Place::Flag(flag) => json!({ "flag": flag }),
    };
    value["key"] = json!(mistake.key);
    value["what"] = json!(mistake.what);
    value["hint"] = json!(mistake.hint);
    value
}
