//! Whether two configurations are of the same run.

use crate::config::RunConfig;
use std::collections::BTreeMap;
use std::fmt;
use toml::Value;

/// Keys that a resumed run may change: how long it goes on, where and how it computes, what it reports and keeps. All
/// others shape what is sampled and learnt.
pub const MAY_CHANGE: [&str; 11] = [
    "train.rounds",
    "actor.device",
    "actor.threads",
    "actor.outbox",
    "learner.device",
    "learner.threads",
    "learner.report_every",
    "learner.checkpoint_every",
    "learner.keep_checkpoints",
    "learner.max_skipped",
    "learner.rescore",
];

/// A key on which two configurations differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Dotted path of the key.
    pub key: String,
    /// The run's value, as TOML; None when the run does not have the key.
    pub run: Option<String>,
    /// The other value.
    pub given: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [run, given] = [&self.run, &self.given].map(|value| value.as_deref().unwrap_or("not set"));
        write!(f, "{} is {run} in the run, {given} here", self.key)
    }
}

/// Keys on which the configurations differ and must not, in alphabetical order.
pub fn differences(run: &RunConfig, given: &RunConfig) -> Vec<Difference> {
    let (run, mut given) = (flatten(run), flatten(given));
    let mut found = Vec::new();
    for (key, run) in run {
        let given = given.remove(&key);
        if given.as_ref() != Some(&run) {
            found.push(Difference {
                key,
                run: Some(run),
                given,
            });
        }
    }
    found.extend(given.into_iter().map(|(key, given)| Difference {
        key,
        run: None,
        given: Some(given),
    }));
    found.retain(|difference| !MAY_CHANGE.contains(&difference.key.as_str()));
    found.sort_by(|a, b| a.key.cmp(&b.key));
    found
}

/// Values by dotted path.
fn flatten(config: &RunConfig) -> BTreeMap<String, String> {
    let value = Value::try_from(config).expect("a checked configuration can be written as TOML");
    let mut flat = BTreeMap::new();
    descend("", &value, &mut flat);
    flat
}

fn descend(path: &str, value: &Value, flat: &mut BTreeMap<String, String>) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                descend(&path, value, flat);
            }
        }
        other => {
            flat.insert(path.into(), other.to_string());
        }
    }
}
