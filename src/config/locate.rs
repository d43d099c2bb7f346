//! Where in a TOML text a key is, for messages. Only called when something is wrong.

use toml::de::{DeTable, DeValue};

/// The line, from 1, of the byte at `offset`.
pub fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}

/// The line where `key` (a dotted path) is set, if it is.
pub fn line_of_key(text: &str, key: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut line = None;
    for part in key.split('.') {
        let (name, value) = table.iter().find(|(name, _)| name.get_ref() == part)?;
        line = Some(line_of(text, name.span().start));
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    line
}

/// The dotted path of the value around the byte at `offset`.
pub fn key_at(text: &str, offset: usize) -> Option<String> {
    let document = DeTable::parse(text).ok()?;
    let mut path = Vec::new();
    descend(document.get_ref(), offset, &mut path).then(|| path.join("."))
}

fn descend(table: &DeTable<'_>, offset: usize, path: &mut Vec<String>) -> bool {
    for (name, value) in table.iter() {
        path.push(name.get_ref().to_string());
        let found = match value.get_ref() {
            // A table's own span may be just its header, so look inside in any case.
            DeValue::Table(inner) if descend(inner, offset, path) => true,
            _ => value.span().contains(&offset),
        };
        if found {
            return true;
        }
        path.pop();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "seed = 1\n\n[train]\nrounds = \"x\"\nbeta = { kind = 3 }\n\n[train.explore]\nmin = 0\n";

    #[test]
    fn keys_are_found_by_path_and_by_place() {
        for (key, value, line) in [
            ("seed", "1\n", 1),
            ("train.rounds", "\"x\"", 4),
            ("train.beta.kind", "3 }", 5),
            ("train.explore.min", "0\n", 8),
        ] {
            assert_eq!(line_of_key(TEXT, key), Some(line), "{key}");
            assert_eq!(key_at(TEXT, TEXT.find(value).unwrap()).as_deref(), Some(key));
        }
        assert_eq!(line_of_key(TEXT, "train.steps"), None);
        assert_eq!(line_of_key("not toml", "seed"), None);
    }
}
