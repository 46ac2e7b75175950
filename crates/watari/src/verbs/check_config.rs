//! `watari check-config`: every mistake in the settings, without starting anything.

use std::{fmt, path::PathBuf};

use certificates::{Certificates, Pair};
use lifecycle::exit;
use serde_json::{Value, json};
use settings::{Mistake, Mistakes, Place};

use crate::{
    cli::{CheckConfigArgs, Kind},
    failure::Failure,
    say,
    suite::{self, Suite},
};

/// Loads the settings and says what is wrong with them, or what they amount to.
pub(crate) fn run(arguments: &CheckConfigArgs) -> Result<(), Failure> {
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
    for mistakes in checked
        .iter_mut()
        .filter_map(|checked| checked.found.as_mut().err())
    {
        mistakes.retain(|mistake| !said.contains(mistake));
        said.extend(mistakes.iter().cloned());
    }
}

/// One file and what was found in it.
struct Checked {
    file: Option<PathBuf>,
    kind: Kind,
    found: Result<String, Vec<Mistake>>,
}

impl Checked {
    fn new(arguments: &CheckConfigArgs, file: Option<PathBuf>) -> Self {
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
                found.map(|()| format!("  {:<10} {}\n", "checked for", program.name))
            }
        };
        let found = found.map_err(|mistakes| mistakes.iter().cloned().collect());
        Self { file, kind, found }
    }
}

fn of_suite(arguments: &CheckConfigArgs, file: Option<PathBuf>) -> Result<String, Mistakes> {
    let suite: Suite = settings::load(&arguments.settings.source(file))?;
    Ok(format!("{}{}", suite.summary(), certificates(&suite)))
}

/// What the named certificates are for, and how long they are good, a line each.
fn certificates(suite: &Suite) -> String {
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
    // What cannot be loaded was among the mistakes.
    let loaded = Certificates::load(&suite.certificate_files());
    loaded.map_or_else(
        |_| String::new(),
        |certificates| certificates.pairs().iter().map(line).collect(),
    )
}

/// All that is wrong, a line or more each.
#[derive(Debug, thiserror::Error)]
pub(crate) struct Wrong(Vec<Mistake>);

impl Wrong {
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(Mistake::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
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

fn as_json(mistake: &Mistake) -> Value {
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
