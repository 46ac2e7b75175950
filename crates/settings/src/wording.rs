//! What serde says about a value, in words a person who edits settings would use.

/// A mistake in words.
pub(crate) struct Said {
    pub(crate) what: String,
    pub(crate) hint: Option<String>,
    /// The key itself is wrong, not its value.
    pub(crate) about_key: bool,
}

/// Tells whether a field is missing that has no default.
pub(crate) fn is_missing(message: &str) -> bool {
    message.starts_with("missing field")
}

/// Tells whether another reading of the same text might fit.
pub(crate) fn is_type_or_value(message: &str) -> bool {
    !message.starts_with("unknown field") && !is_missing(message)
}

/// Tells whether the value should have been a list.
pub(crate) fn wants_list(message: &str) -> bool {
    message.trim_end().ends_with(", expected a sequence")
}

/// The keys that serde knows, by what it says about one that it does not.
pub(crate) fn known_keys(message: &str) -> Vec<String> {
    let names = if message.starts_with("unknown field") {
        quoted(message)
    } else {
        Vec::new()
    };
    names.into_iter().skip(1).map(str::to_owned).collect()
}

/// Puts serde's `message` in words; the value itself is left out when it is `secret`.
pub(crate) fn plain(message: &str, secret: bool) -> Said {
    let message = message.trim_end();
    if message.starts_with("unknown field") {
        let names = quoted(message);
        let (given, known) = names
            .split_first()
            .map_or(("", &[][..]), |(given, known)| (*given, known));
        return Said {
            what: "unknown key".into(),
            hint: nearest(given, known),
            about_key: true,
        };
    }
    if message.starts_with("unknown variant") {
        return unknown_variant(message, secret);
    }
    if is_missing(message) {
        let name = quoted(message).first().copied().unwrap_or("").to_owned();
        return Said {
            what: format!("lacks the key `{name}`"),
            hint: None,
            about_key: true,
        };
    }
    Said {
        what: wrong_value(message, secret),
        hint: None,
        about_key: false,
    }
}

fn unknown_variant(message: &str, secret: bool) -> Said {
    let names = quoted(message);
    let (given, known) = names
        .split_first()
        .map_or(("", &[][..]), |(given, known)| (*given, known));
    let given_shown = if secret {
        "this".into()
    } else {
        format!("\"{given}\"")
    };
    let known_shown: Vec<_> = known.iter().map(|name| format!("\"{name}\"")).collect();
    Said {
        what: format!("{given_shown} is not one of {}", known_shown.join(", ")),
        hint: nearest(given, known),
        about_key: false,
    }
}

fn wrong_value(message: &str, secret: bool) -> String {
    let rest = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "));
    match rest.and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((given, wanted)) => {
            let kind = given.split([' ', '`']).next().unwrap_or(given);
            let given = if secret { kind } else { given };
            format!("is {}, should be {}", article(given), wish(wanted))
        }
        None if secret => "does not fit (the value is not shown, it may be secret)".into(),
        None => message.into(),
    }
}

fn article(given: &str) -> String {
    let given = given.replace('`', "");
    let given = given.replacen("sequence", "list", 1).replacen("map", "table", 1);
    let vowel = given.starts_with(['a', 'e', 'i', 'o', 'u']);
    if vowel {
        format!("an {given}")
    } else {
        format!("a {given}")
    }
}

fn wish(wanted: &str) -> String {
    match wanted {
        "u8" => "a whole number from 0 to 255".into(),
        "u16" => "a whole number from 0 to 65535".into(),
        "u32" | "u64" | "usize" => "a whole number, not negative".into(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".into(),
        "f32" | "f64" => "a number".into(),
        "a boolean" => "true or false".into(),
        "a sequence" => "a list".into(),
        "a map" => "a table".into(),
        _ if wanted.starts_with("struct ") => "a table".into(),
        _ => wanted.into(),
    }
}

/// The names between backticks.
fn quoted(message: &str) -> Vec<&str> {
    message.split('`').skip(1).step_by(2).collect()
}

/// "did you mean" the most similar name, or all of them when none is similar.
fn nearest(given: &str, known: &[&str]) -> Option<String> {
    let score = |name: &str| strsim::jaro_winkler(given, name);
    let best = known.iter().max_by(|a, b| score(a).total_cmp(&score(b)))?;
    if score(best) >= 0.7 {
        return Some(format!("did you mean `{best}`?"));
    }
    (known.len() <= 12).then(|| format!("known here: {}", known.join(", ")))
}
