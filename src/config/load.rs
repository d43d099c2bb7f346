//! From a configuration file and what the command line adds to a checked [`RunConfig`].
//!
//! Three layers, later ones win: the file, `--set key=value`, typed flags. Each is read by itself, so that a message
//! can say where a mistake is.

use super::check::Invalid;
use super::launch::LaunchConfig;
use super::locate;
use super::raw::RawConfig;
use super::resolved::RunConfig;
use crate::policy::Parity;
use crate::suggest::{did_you_mean, nearest};
use serde::de::Error as _;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("configuration {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, or a value of the wrong kind.
    #[error("{place}: {message}")]
    Malformed {
        /// File and line, or the flag.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// A key that does not exist.
    #[error("{place}: there is no key {key:?}{}", did_you_mean(nearest.as_deref()))]
    UnknownKey {
        /// File and line, or the flag.
        place: String,
        /// The offending key, a dotted path.
        key: String,
        /// The key most like it.
        nearest: Option<String>,
    },
    /// A value that is not allowed.
    #[error("{place}: {problem}")]
    Invalid {
        /// File and line, or the flag.
        place: String,
        /// The value and what is allowed.
        problem: Invalid,
    },
}

/// Reads the file at `path`, then applies `sets` (each `key=value`, a dotted path and a TOML value) and `flags`.
/// Files that the task names are relative to the configuration file.
///
/// # Errors
/// The first mistake, with its place.
pub fn load(path: &Path, sets: &[String], flags: &RawConfig) -> Result<RunConfig, ConfigError> {
    Ok(load_to_launch(path, sets, flags)?.0)
}

/// As [`load`], with what is asked of a scheduler.
///
/// # Errors
/// The first mistake, with its place.
pub fn load_to_launch(
    path: &Path,
    sets: &[String],
    flags: &RawConfig,
) -> Result<(RunConfig, LaunchConfig), ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.into(),
        source,
    })?;
    from_text_to_launch(path, &text, sets, flags)
}

/// As [`load`], from the text of the file.
///
/// # Errors
/// The first mistake, with its place.
pub fn from_text(path: &Path, text: &str, sets: &[String], flags: &RawConfig) -> Result<RunConfig, ConfigError> {
    Ok(from_text_to_launch(path, text, sets, flags)?.0)
}

/// As [`load_to_launch`], from the text of the file.
pub(crate) fn from_text_to_launch(
    path: &Path,
    text: &str,
    sets: &[String],
    flags: &RawConfig,
) -> Result<(RunConfig, LaunchConfig), ConfigError> {
    let mut layers = vec![Layer::file(path, text)?];
    for set in sets {
        layers.push(Layer::set(set)?);
    }
    layers.push(Layer::flags(flags)?);
    let mut merged = Table::new();
    for layer in &layers {
        merge(&mut merged, &layer.table);
    }
    let malformed = |error: toml::de::Error| ConfigError::Malformed {
        place: path.display().to_string(),
        message: one_line(error.message()),
    };
    let raw: RawConfig = merged.try_into().map_err(malformed)?;
    raw.resolve_to_launch().map_err(|problem| {
        let place = layers.iter().rev().find_map(|layer| layer.place_of(problem.key()));
        ConfigError::Invalid {
            place: place.unwrap_or_else(|| path.display().to_string()),
            problem,
        }
    })
}

impl RunConfig {
    /// The configuration as TOML, every key written out; [`load`] reads it back.
    ///
    /// # Panics
    /// On a seed that TOML cannot hold, which [`RunConfig::check`] refuses.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a checked configuration can be written as TOML")
    }

    /// The published settings of a task.
    ///
    /// # Errors
    /// When there is no such task.
    pub fn published(task: &str) -> Result<Self, Invalid> {
        let mut raw = RawConfig::default();
        raw.task.name = Some(task.into());
        raw.policy.parity = Some(Parity::Published);
        raw.resolve()
    }
}

/// One source of configuration.
struct Layer<'a> {
    origin: Origin<'a>,
    table: Table,
}

enum Origin<'a> {
    File { path: &'a Path, text: &'a str },
    Set(&'a str),
    Flags,
}

impl<'a> Layer<'a> {
    fn file(path: &'a Path, text: &'a str) -> Result<Self, ConfigError> {
        let origin = Origin::File { path, text };
        let malformed = |error: toml::de::Error| origin.malformed(&error);
        refuse_unknown_keys(&origin, toml::Deserializer::parse(text).map_err(malformed)?)?;
        let mut table: Table = text.parse().map_err(malformed)?;
        use_the_name_of_the_task(&mut table);
        anchor_paths(&mut table, path);
        Ok(Self { origin, table })
    }

    fn set(set: &'a str) -> Result<Self, ConfigError> {
        let origin = Origin::Set(set);
        let refuse = |reason: &str| origin.malformed(&toml::de::Error::custom(reason));
        let (key, value) = set.split_once('=').ok_or_else(|| refuse("it must be key=value"))?;
        let mut parts: Vec<&str> = key.split('.').map(str::trim).collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(refuse("the key must be a dotted path such as train.rounds"));
        }
        let last = parts.pop().unwrap_or_default();
        let innermost = Table::from_iter([(last.to_owned(), parse_value(value))]);
        let nest = |inner, part: &str| Table::from_iter([(part.to_owned(), Value::Table(inner))]);
        let mut table = parts.into_iter().rev().fold(innermost, nest);
        refuse_unknown_keys(&origin, Value::Table(table.clone()))?;
        use_the_name_of_the_task(&mut table);
        Ok(Self { origin, table })
    }

    fn flags(flags: &RawConfig) -> Result<Self, ConfigError> {
        let origin = Origin::Flags;
        let malformed = |error: toml::ser::Error| origin.malformed(&toml::de::Error::custom(error));
        let mut table = Table::try_from(flags).map_err(malformed)?;
        prune(&mut table);
        Ok(Self { origin, table })
    }

    /// Where this layer sets `key`, if it does.
    fn place_of(&self, key: &str) -> Option<String> {
        let mut parts = key.split('.');
        let first = self.table.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))?;
        Some(self.origin.place(Some(key)))
    }
}

impl Origin<'_> {
    fn place(&self, key: Option<&str>) -> String {
        match self {
            Self::Set(set) => format!("--set {set}"),
            Self::Flags => "command line".into(),
            Self::File { path, text } => match key.and_then(|key| locate::line_of_key(text, key)) {
                Some(line) => format!("{}:{line}", path.display()),
                None => path.display().to_string(),
            },
        }
    }

    fn malformed(&self, error: &toml::de::Error) -> ConfigError {
        let (mut place, mut message) = (self.place(None), one_line(error.message()));
        if let (Self::File { text, .. }, Some(span)) = (self, error.span()) {
            place = format!("{place}:{}", locate::line_of(text, span.start));
            if let Some(key) = locate::key_at(text, span.start) {
                message = format!("{key}: {message}");
            }
        }
        ConfigError::Malformed { place, message }
    }
}

/// Reads a layer by itself: keys must exist and values must be of the right kind.
fn refuse_unknown_keys<'de, D>(origin: &Origin<'_>, deserializer: D) -> Result<(), ConfigError>
where
    D: serde::Deserializer<'de, Error = toml::de::Error>,
{
    let mut unknown = None;
    let note = |path: serde_ignored::Path<'_>| {
        unknown.get_or_insert_with(|| path.to_string());
    };
    serde_ignored::deserialize::<_, _, RawConfig>(deserializer, note).map_err(|error| origin.malformed(&error))?;
    let Some(key) = unknown else { return Ok(()) };
    let known = known_keys();
    let nearest = nearest(&key, known.iter().map(String::as_str)).map(str::to_owned);
    Err(ConfigError::UnknownKey {
        place: origin.place(Some(&key)),
        key,
        nearest,
    })
}

/// The dotted path of every key and section: what a configuration with nothing set serialises to.
fn known_keys() -> Vec<String> {
    let mut keys = Vec::new();
    let empty = serde_json::to_value(RawConfig::default()).expect("a configuration can be written as JSON");
    collect_keys(&empty, "", &mut keys);
    keys
}

fn collect_keys(value: &serde_json::Value, prefix: &str, keys: &mut Vec<String>) {
    for (name, inner) in value.as_object().into_iter().flatten() {
        let key = format!("{prefix}{name}");
        collect_keys(inner, &format!("{key}."), keys);
        keys.push(key);
    }
}

/// A TOML value; what is none is taken as a string, since shells strip quotes.
fn parse_value(text: &str) -> Value {
    let document: Option<Table> = format!("value = {}", text.trim()).parse().ok();
    let only = document
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"));
    only.unwrap_or_else(|| Value::String(text.trim().into()))
}

/// Writes `over` into `base`. A distribution of another kind replaces the old one with all its numbers.
fn merge(base: &mut Table, over: &Table) {
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => {
                if new.get("kind").is_some_and(|kind| old.get("kind") != Some(kind)) {
                    old.clear();
                }
                merge(old, new);
            }
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Removes sections in which nothing is set.
fn prune(table: &mut Table) {
    table.retain(|_, value| match value {
        Value::Table(inner) => {
            prune(inner);
            !inner.is_empty()
        }
        _ => true,
    });
}

/// `task.kind` is another word for `task.name`.
fn use_the_name_of_the_task(config: &mut Table) {
    if let Some(Value::Table(task)) = config.get_mut("task")
        && let Some(kind) = task.remove("kind")
    {
        task.entry("name").or_insert(kind);
    }
}

/// Makes the paths of the task's files relative to the file that names them.
fn anchor_paths(config: &mut Table, path: &Path) {
    let (Some(task), Some(folder)) = (config.get_mut("task"), path.parent()) else {
        return;
    };
    for key in TASK_FILES {
        if let Some(Value::String(named)) = task.get_mut(key) {
            *named = folder.join(&named).display().to_string();
        }
    }
}

/// Keys of `[task]` that name files.
const TASK_FILES: [&str; 3] = ["table", "data", "model"];

fn one_line(message: &str) -> String {
    message.lines().map(str::trim).collect::<Vec<_>>().join(", ")
}
