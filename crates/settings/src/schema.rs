//! A JSON Schema of a settings file: shapes come from the types, words and defaults from the commented sample.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value};

/// Describes the settings file that is read into `T`, in draft 7, which editors know.
///
/// In the sample a comment is of the keys below it, up to an empty line, those included that stand in a comment as
/// examples; one that nothing follows is of the key above. List items and what the sample does not name keep the words of
/// their types.
pub fn schema<T: JsonSchema>(title: &str, sample: &str) -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    tidy(&mut schema);
    if let Value::Object(root) = &mut schema {
        root.insert("title".to_owned(), title.into());
    }
    for said in read(sample) {
        said.enter(&mut schema);
    }
    schema
}

/// What the sample says of a key or a table.
struct Said {
    path: Vec<String>,
    words: String,
    default: Option<Value>,
}

impl Said {
    /// Puts it where it belongs; names that are the operator's, such as those of users, are nowhere.
    fn enter(self, schema: &mut Value) {
        let properties = |node| Value::get_mut(node, "properties");
        let found = self
            .path
            .iter()
            .try_fold(schema, |node, step| properties(node)?.get_mut(step));
        if let Some(Value::Object(node)) = found {
            if !self.words.is_empty() {
                node.insert("description".to_owned(), self.words.into());
            }
            if let Some(default) = self.default {
                node.insert("default".to_owned(), default);
            }
        }
    }
}

/// Reads what a sample says, in its order.
fn read(sample: &str) -> Vec<Said> {
    let mut all: Vec<Said> = Vec::new();
    let mut table = Vec::new();
    let mut words = String::new();
    // Whether a key has had the words.
    let mut told = false;
    for line in sample.lines().chain([""]) {
        let comment = line
            .strip_prefix('#')
            .map(|rest| rest.strip_prefix(' ').unwrap_or(rest));
        let set = setting(line).map(|(key, value)| (key, Some(value)));
        let shown = || comment.and_then(setting).map(|(key, _)| (key, None));
        if let Some((key, default)) = set.or_else(shown) {
            let path = table.iter().cloned().chain([key]).collect();
            let words = words.clone();
            all.push(Said { path, words, default });
            told = true;
        } else if let Some(comment) = comment {
            if std::mem::take(&mut told) {
                words.clear();
            }
            join(&mut words, comment);
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            if std::mem::take(&mut told) {
                words.clear();
            }
            table = name.split('.').map(str::to_owned).collect();
            let (path, words) = (table.clone(), std::mem::take(&mut words));
            all.push(Said {
                path,
                words,
                default: None,
            });
        } else {
            if !std::mem::take(&mut told)
                && let Some(above) = all.last_mut()
            {
                join(&mut above.words, &words);
            }
            words.clear();
        }
    }
    all
}

fn join(words: &mut String, more: &str) {
    if !words.is_empty() && !more.is_empty() {
        words.push(' ');
    }
    words.push_str(more);
}

/// `key = value`, unlike a sentence. A key in quotes is a name of the operator's.
fn setting(line: &str) -> Option<(String, Value)> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.@\"".contains(c);
    line.split_once(" = ")
        .filter(|(key, _)| key.chars().all(is_name))?;
    let table: toml::Table = toml::from_str(line).ok()?;
    let (key, value) = table.into_iter().next()?;
    Some((key, serde_json::to_value(value).ok()?))
}

/// Leaves out what TOML cannot say (`null`) and what says nothing to its readers (`uint16`).
fn tidy(schema: &mut Value) {
    if let Value::Array(items) = schema {
        items.iter_mut().for_each(tidy);
    }
    let Value::Object(node) = schema else { return };
    for (name, value) in node.iter_mut() {
        // Keys of settings may be called as those of schemas are.
        if let ("properties", Value::Object(keys)) = (name.as_str(), &mut *value) {
            keys.values_mut().for_each(tidy);
        } else {
            tidy(value);
        }
    }
    without_null(node);
    let says_nothing = |default: &Value| default.is_null() || default.is_object();
    if node.get("default").is_some_and(says_nothing) {
        node.remove("default");
    }
    let is_of_rust = |format: &Value| format.as_str().is_some_and(|name| name.contains("int"));
    if node.get("format").is_some_and(is_of_rust) {
        node.remove("format");
    }
}

/// An optional key is there or not; it is never null.
fn without_null(node: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = node.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            node.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(choices)) = node.get_mut("anyOf") {
        choices.retain(|choice| choice.get("type") != Some(&"null".into()));
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            node.remove("anyOf");
            for (name, value) in only {
                node.entry(name).or_insert(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Default, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields, default)]
    struct File {
        web: Web,
    }

    #[derive(Default, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields, default)]
    struct Web {
        min: u8,
        max: u8,
        host: Option<String>,
        colour: Option<Colour>,
        users: std::collections::BTreeMap<String, String>,
        default: Option<bool>,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Colour {
        /// Like the sky.
        Blue,
        /// Like grass.
        Green,
    }

    const SAMPLE: &str = "\
# The file.

# What is served.
[web]
# From here
# to there.
min = 1
max = 9
# Both count.

# Where; without it, here.
# host = \"there\"
# colour = \"blue\"
[web.users]
# \"anna@example.org\" = \"x\"
";

    #[test]
    fn a_schema_has_the_shapes_of_the_types_and_the_words_and_defaults_of_the_sample() {
        let schema = schema::<File>("A file", SAMPLE);
        assert_eq!(schema["title"], "A file");
        assert_eq!(schema["additionalProperties"], false);
        let web = &schema["properties"]["web"];
        assert_eq!(web["description"], "What is served.");
        assert_eq!(web["additionalProperties"], false);
        let keys = &web["properties"];
        assert_eq!(
            keys["default"],
            json!({ "type": "boolean" }),
            "it is a key and no default"
        );
        let number = |words: &str, default: u8| json!({ "type": "integer", "minimum": 0, "maximum": 255, "description": words, "default": default });
        assert_eq!(keys["min"], number("From here to there.", 1));
        assert_eq!(keys["max"], number("From here to there. Both count.", 9));
        assert_eq!(
            keys["host"],
            json!({ "type": "string", "description": "Where; without it, here." })
        );
        assert_eq!(
            keys["colour"]["oneOf"][1],
            json!({ "type": "string", "const": "green", "description": "Like grass." })
        );
        assert_eq!(
            keys["users"],
            json!({ "type": "object", "additionalProperties": { "type": "string" } })
        );
    }
}
