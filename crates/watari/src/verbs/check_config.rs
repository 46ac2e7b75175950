//! `watari check-config`: every mistake in the settings, without starting anything.

use certificates::{Certificates, Pair};
use lifecycle::exit;
use serde_json::{Value, json};
use settings::{Mistake, Mistakes, Place};

use crate::{cli::CheckArgs, failure::Failure, say, suite::Suite};

/// Loads the settings and says what is wrong with them, or what they amount to.
pub(crate) fn run(arguments: &CheckArgs) -> Result<(), Failure> {
    let source = arguments.settings.source(arguments.file.clone());
    let loaded = settings::load::<Suite>(&source);
    if arguments.json {
        return answer_json(loaded);
    }
    let suite = loaded?;
    let place = arguments.file.as_ref().map_or_else(
        || "Environment and flags are".to_owned(),
        |path| format!("{} is", path.display()),
    );
    let certificates = certificates(&suite)?;
    say::lines(&format!("{place} fine.\n{}{certificates}", suite.summary()))?;
    Ok(())
}

/// What the named certificates are for, and how long they are good, a line each.
fn certificates(suite: &Suite) -> Result<String, Failure> {
    let certificates = Certificates::load(&suite.certificate_files()).map_err(Failure::Certificates)?;
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

fn answer_json(loaded: Result<Suite, Mistakes>) -> Result<(), Failure> {
    let mistakes: Vec<Value> = match &loaded {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes.iter().map(as_json).collect(),
    };
    say::lines(&format!(
        "{:#}",
        json!({ "ok": loaded.is_ok(), "mistakes": mistakes })
    ))?;
    loaded.map(drop).map_err(|_| Failure::Told(exit::CONFIG))
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
