//! A TOML document, read into the tree with the line and column of everything in it.

use std::{collections::BTreeMap, ops::Range};

use toml::{
    Value,
    de::{DeTable, DeValue, Error},
};

use crate::{
    mistake::{Mistake, Place},
    path,
    tree::{Kind, Node, Step},
};

/// Parses a document; whatever is not TOML becomes a mistake with its line and a caret.
pub(crate) fn parse(text: &str, file: &str, found: &mut Vec<Mistake>) -> Node {
    let lines = Lines { text, file };
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut last_line = 0;
    for error in errors {
        let (line, mistake) = lines.syntax_mistake(&error);
        // One slip often makes several errors in its line; the first one names it.
        if line != last_line {
            found.push(mistake);
        }
        last_line = line;
    }
    let mut steps = Vec::new();
    let kind = Kind::Table(lines.table(table.get_ref(), &mut steps, found));
    let place = Place::File {
        file: file.to_owned(),
        line: 0,
        column: 0,
    };
    Node {
        key_place: place.clone(),
        place,
        kind,
    }
}

/// The document, to turn byte offsets into lines and columns.
struct Lines<'a> {
    text: &'a str,
    file: &'a str,
}

impl Lines<'_> {
    fn table(
        &self,
        table: &DeTable<'_>,
        steps: &mut Vec<Step>,
        found: &mut Vec<Mistake>,
    ) -> BTreeMap<String, Node> {
        let mut entries = BTreeMap::new();
        for (key, value) in table {
            steps.push(Step::Key(key.get_ref().to_string()));
            let key_span = key.span();
            if let Some(node) = self.node(value.get_ref(), key_span, value.span(), steps, found) {
                entries.insert(key.get_ref().to_string(), node);
            }
            steps.pop();
        }
        entries
    }

    fn node(
        &self,
        value: &DeValue<'_>,
        key: Range<usize>,
        span: Range<usize>,
        steps: &mut Vec<Step>,
        found: &mut Vec<Mistake>,
    ) -> Option<Node> {
        let mut place = self.place(span.start);
        let kind = match value {
            DeValue::String(text) => Kind::Leaf(Value::String(text.to_string())),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Kind::Leaf(Value::Integer(number)),
                Err(_) => {
                    let what = "is a number too large for any setting".to_owned();
                    found.push(Mistake {
                        place,
                        key: path::display(steps),
                        what,
                        hint: None,
                    });
                    return None;
                }
            },
            DeValue::Float(number) => Kind::Leaf(Value::Float(number.as_str().parse().unwrap_or(f64::NAN))),
            DeValue::Boolean(yes) => Kind::Leaf(Value::Boolean(*yes)),
            DeValue::Datetime(time) => Kind::Leaf(Value::Datetime(*time)),
            DeValue::Array(items) => {
                let mut nodes = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    steps.push(Step::Index(index));
                    nodes.extend(self.node(item.get_ref(), item.span(), item.span(), steps, found));
                    steps.pop();
                }
                Kind::List(nodes)
            }
            DeValue::Table(table) => {
                place = self.place(key.start);
                Kind::Table(self.table(table, steps, found))
            }
        };
        Some(Node {
            key_place: self.place(key.start),
            place,
            kind,
        })
    }

    fn place(&self, offset: usize) -> Place {
        let (line, column) = self.position(offset);
        Place::File {
            file: self.file.to_owned(),
            line,
            column,
        }
    }

    /// Line and column from 1, the column in characters.
    fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        (line, column)
    }

    fn syntax_mistake(&self, error: &Error) -> (usize, Mistake) {
        let (line, column) = self.position(error.span().map_or(0, |span| span.start));
        let place = Place::File {
            file: self.file.to_owned(),
            line,
            column,
        };
        let mistake = Mistake {
            place,
            key: String::new(),
            what: error.message().into(),
            hint: self.excerpt(line, column),
        };
        (line, mistake)
    }

    /// The line with a caret under the column, unless it may hold a secret.
    fn excerpt(&self, line: usize, column: usize) -> Option<String> {
        let lines: Vec<&str> = self.text.lines().take(line).collect();
        let shown = lines.get(line - 1)?.trim_end();
        // A value may go over several lines: its key stands in the last one with an equals sign.
        for above in lines.iter().rev() {
            if path::is_secret(above) {
                return None;
            }
            if above.contains('=') {
                break;
            }
        }
        let number = line.to_string();
        let caret = " ".repeat(number.len() + 2 + column);
        Some(format!("{number} | {shown}\n{caret}^"))
    }
}
