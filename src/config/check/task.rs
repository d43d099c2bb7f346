//! What `[task]` may hold: what its kind takes, within bounds.

use super::{Checked, Invalid, positive, within};
use crate::config::TaskConfig;
use crate::task::TaskKind;
use crate::task::reward::RewardShape;
use std::fmt::Debug;

// As the other ceilings: against slips of the keyboard.
const MOST_LENGTH: usize = 4096;
const MOST_DIMENSIONS: usize = 32;

impl TaskConfig {
    pub(super) fn check(&self) -> Checked {
        let kind = TaskKind::find(&self.name)?;
        let refuse = |key: &str, value: String| {
            let allowed = format!("task {} takes {}", kind.name, kind.takes_in_words());
            Err(Invalid::value(format!("task.{key}"), value, allowed))
        };
        for (key, value) in self.optional_values() {
            if let Some(value) = value.filter(|_| !kind.takes.contains(&key)) {
                return refuse(key, value);
            }
        }
        self.check_sizes()?;
        if let Some((key, value, allowed)) = self
            .oracle
            .as_ref()
            .and_then(|oracle| oracle.check("task.oracle").err())
        {
            return Err(Invalid::value(key, value, allowed));
        }
        let RewardShape {
            cap,
            floor,
            y_max,
            exponent,
        } = self.reward;
        positive("task.reward.cap", cap)?;
        positive("task.reward.floor", floor)?;
        positive("task.reward.y_max", y_max)?;
        positive("task.reward.exponent", exponent)
    }

    /// What not every task takes: key and value, where there is one.
    fn optional_values(&self) -> Vec<(&'static str, Option<String>)> {
        fn shown<T: Debug>(value: &Option<T>) -> Option<String> {
            value.as_ref().map(|value| format!("{value:?}"))
        }
        vec![
            ("table", shown(&self.table)),
            ("data", shown(&self.data)),
            ("growth", shown(&self.growth)),
            ("words", shown(&self.words)),
            ("alphabet", shown(&self.alphabet)),
            ("length", shown(&self.length)),
            ("min_length", shown(&self.min_length)),
            ("missing", shown(&self.missing)),
            ("model", shown(&self.model)),
            (
                "oracle",
                self.oracle.as_ref().map(|oracle| format!("{:?}", oracle.command)),
            ),
            ("targets", shown(&self.targets)),
            ("dimensions", shown(&self.dimensions)),
            ("side", shown(&self.side)),
            ("r0", shown(&self.r0)),
        ]
    }

    fn check_sizes(&self) -> Checked {
        if let Some(length) = self.length {
            within("task.length", length, 1..=MOST_LENGTH)?;
            within("task.min_length", self.min_length.unwrap_or(length), 1..=length)?;
        }
        if let Some(dimensions) = self.dimensions {
            within("task.dimensions", dimensions, 1..=MOST_DIMENSIONS)?;
        }
        if let Some(side) = self.side {
            within("task.side", side, 2..=256)?;
        }
        if let Some(r0) = self.r0 {
            positive("task.r0", r0)?;
        }
        Ok(())
    }
}
