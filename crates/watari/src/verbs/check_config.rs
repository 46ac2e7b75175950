//! `watari check-config`: every mistake in the settings, without starting anything.

use std::{fmt, path::PathBuf};

use certificates::{Certificates, Pair};
use lifecycle::exit;
use serde_json::{Value, json};
use settings::{Mistake, Mistakes, Place, Source};

use crate::{
    cli::{CheckConfigArgs, Kind, Which},
    failure::Failure,
    say,
    suite::Suite,
};

/// Loads the settings and says what is wrong with them, or what they amount to.
pub(crate) fn run(arguments: &CheckConfigArgs) -> Result<(), Failure> {
    tell(look(&arguments.which), arguments.json)
}

/// Looks at each file.
pub(crate) fn look(which: &Which) -> Vec<Checked> {
    let files = which.files().into_iter();
    let mut checked: Vec<_> = files
        .map(|(file, kind)| Checked::new(which, file, kind))
        .collect();
    say_once(&mut checked);
    checked
}

/// Says what was found, and fails where there is a mistake.
pub(crate) fn tell(checked: Vec<Checked>, json: bool) -> Result<(), Failure> {
    if json {
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
pub(crate) struct Checked {
    file: Option<PathBuf>,
    kind: Kind,
    found: Result<String, Vec<Mistake>>,
}

impl Checked {
    fn new(which: &Which, file: Option<PathBuf>, kind: Kind) -> Self {
        let source = which.source(file.clone(), kind);
        let found = match kind.program() {
            None => of_suite(&source),
            Some(program) => program
                .check(&source)
                .map(|()| format!("  {:<10} {}\n", "checked for", program.name)),
        };
        let found = found.map_err(|mistakes| mistakes.iter().cloned().collect());
        Self { file, kind, found }
    }

    /// Whether there is no mistake.
    pub(crate) fn is_fine(&self) -> bool {
        self.found.is_ok()
    }

    /// What it is called when it is fine: its name, and whose settings it holds.
    pub(crate) fn title(&self) -> String {
        let of = self.kind.name();
        self.file.as_ref().map_or_else(
            || format!("environment and flags (for {of})"),
            |file| format!("{} (for {of})", file.display()),
        )
    }
}

fn of_suite(source: &Source) -> Result<String, Mistakes> {
    let suite: Suite = settings::load(source)?;
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
