//! `watari default-config`: a settings file that holds every default, or its JSON Schema.

use serde_json::Value;

use crate::{
    cli::{DefaultConfigArgs, Kind},
    failure::Failure,
    say, suite,
};

/// Prints what was asked for.
pub(crate) fn run(arguments: &DefaultConfigArgs) -> Result<(), Failure> {
    match arguments.schema {
        true => say::lines(&format!("{:#}", schema(arguments.server)))?,
        false => say::lines(sample(arguments.server))?,
    }
    Ok(())
}

fn sample(server: Kind) -> &'static str {
    server
        .program()
        .map_or(suite::SAMPLE, |program| program.default_file)
}

fn schema(server: Kind) -> Value {
    server
        .program()
        .map_or_else(suite::schema, |program| program.schema())
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use clap::ValueEnum as _;

    use super::*;

    /// Where a settings file is described.
    fn kept(server: Kind) -> PathBuf {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../config");
        folder.join(format!("{}.schema.json", server.name()))
    }

    #[test]
    fn the_schemas_beside_the_samples_are_what_is_printed() {
        for &server in Kind::value_variants() {
            let printed = format!("{:#}\n", schema(server));
            let there = fs::read_to_string(kept(server)).unwrap_or_default();
            if there != printed {
                let name = server.name();
                panic!("config/{name}.schema.json: see `watari default-config --schema`");
            }
        }
    }

    #[test]
    fn a_sample_names_the_schema_beside_it() {
        for &server in Kind::value_variants() {
            let line = format!("#:schema ./{}.schema.json\n", server.name());
            assert!(sample(server).starts_with(&line), "{}", server.name());
        }
    }

    /// Every key is explained and has a kind of value, and no table takes others.
    fn look_at(place: &str, schema: &Value, found: &mut Vec<String>) {
        let has = |name: &str| schema.get(name).is_some();
        if let Some(Value::Object(keys)) = schema.get("properties") {
            if schema["additionalProperties"] != false {
                found.push(format!("{place} takes unknown keys"));
            }
            for (key, inner) in keys {
                let place = format!("{place}.{key}");
                if inner.get("description").is_none_or(|words| words == "") {
                    found.push(format!("{place} is not explained"));
                }
                look_at(&place, inner, found);
            }
        } else if !["type", "enum", "oneOf", "const"].into_iter().any(has) {
            found.push(format!("{place} may be anything"));
        }
        for inner in ["items", "additionalProperties"] {
            if let Some(inner @ Value::Object(_)) = schema.get(inner) {
                look_at(&format!("{place}[]"), inner, found);
            }
        }
    }

    #[test]
    fn a_schema_explains_every_key_and_takes_no_other() {
        let mut found = Vec::new();
        for &server in Kind::value_variants() {
            look_at(server.name(), &schema(server), &mut found);
        }
        assert!(found.is_empty(), "{found:#?}");
    }
}
