//! How an external program is run as an oracle. Checked here, used in `program`.

use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::ops::RangeInclusive;

/// An external program that scores objects (protocol: [`super::program`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OracleConfig {
    /// The program and its arguments; found as a shell would, but no shell runs.
    pub command: Vec<String>,
    /// Processes per actor, which work in parallel.
    pub instances: usize,
    /// Most objects in a request.
    pub batch: usize,
    /// How long an answer to one request may take, seconds; a program's start counts to its first.
    pub timeout_seconds: f64,
    /// How often a failed request is repeated, in halves each time, before its objects stay without a score.
    pub retries: u32,
    /// Objects whose scores are remembered; 0 for none.
    pub cache: usize,
}

impl Default for OracleConfig {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            instances: 1,
            batch: 64,
            timeout_seconds: 60.0,
            retries: 2,
            cache: 100_000,
        }
    }
}

/// A key, its value, and what is allowed.
pub type Refusal = (String, String, String);

/// Longest time-out, a day in seconds.
const LONGEST_TIMEOUT: f64 = 86_400.0;

impl OracleConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// The first key (after `key_prefix` and a dot) with a value that is not allowed, the value, and what is.
    pub fn check(&self, key_prefix: &str) -> Result<(), Refusal> {
        let refuse = |name: &str, value: &dyn Debug, allowed: String| {
            Err((format!("{key_prefix}.{name}"), format!("{value:?}"), allowed))
        };
        if self.command.first().is_none_or(String::is_empty) {
            return refuse("command", &self.command, "a program and its arguments".into());
        }
        if !(self.timeout_seconds > 0.0 && self.timeout_seconds <= LONGEST_TIMEOUT) {
            let allowed = format!("more than 0 and at most {LONGEST_TIMEOUT} (seconds)");
            return refuse("timeout_seconds", &self.timeout_seconds, allowed);
        }
        let within = |name: &str, value: usize, range: RangeInclusive<usize>| {
            if range.contains(&value) {
                return Ok(());
            }
            refuse(name, &value, format!("{} to {}", range.start(), range.end()))
        };
        within("instances", self.instances, 1..=256)?;
        within("batch", self.batch, 1..=65_536)?;
        within("retries", self.retries as usize, 0..=10)?;
        within("cache", self.cache, 0..=100_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_not_allowed_are_named() {
        let good = OracleConfig {
            command: vec!["oracle".into()],
            ..OracleConfig::default()
        };
        assert_eq!(good.check("task.oracle"), Ok(()));
        let bad: [(&str, &str, fn(&mut OracleConfig)); 7] = [
            ("command", "[]", |c| c.command.clear()),
            ("timeout_seconds", "0.0", |c| c.timeout_seconds = 0.0),
            ("timeout_seconds", "NaN", |c| c.timeout_seconds = f64::NAN),
            ("instances", "0", |c| c.instances = 0),
            ("batch", "0", |c| c.batch = 0),
            ("retries", "11", |c| c.retries = 11),
            ("cache", "100000001", |c| c.cache = 100_000_001),
        ];
        for (name, text, spoil) in bad {
            let mut config = good.clone();
            spoil(&mut config);
            let (key, value, _) = config.check("task.oracle").unwrap_err();
            assert_eq!((key, value.as_str()), (format!("task.oracle.{name}"), text));
        }
    }
}
