//! A task of one's own: strings over any alphabet, of one length or of several, scored by a table, a TorchScript model or
//! an external program (docs/your-own-task.md).

use super::modes::Modes;
use super::oracle::{ModelError, OracleConfig, OracleHealth, ProgramScorer, TableFile};
use super::reward::RewardShape;
use super::{Published, ScoreError, Scorer, Task, TaskError, TaskKind, read_file};
use crate::config::TaskConfig;
use crate::env::{Environment, Growth, OPEN, SequenceEnv, States};
use crate::libtorch;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

/// What `thermoflow tasks` shows, and how to build it.
pub const KIND: TaskKind = TaskKind {
    name: "sequence",
    summary: "strings of your own, scored by a table, a TorchScript model or a program of yours",
    objects: "strings over any alphabet, of a fixed length or up to a length",
    takes: &[
        "alphabet",
        "length",
        "min_length",
        "growth",
        "words",
        "table",
        "missing",
        "model",
        "oracle",
    ],
    published: Published::TFBIND8,
    defaults,
    attachment,
    build,
};

fn defaults() -> TaskConfig {
    TaskConfig {
        growth: Some(Growth::PrependAppend),
        ..TaskConfig::new("sequence", RewardShape::IDENTITY)
    }
}

/// The table or the model.
fn attachment(config: &TaskConfig) -> Result<Option<Vec<u8>>, TaskError> {
    let file = config.table.as_deref().or(config.model.as_deref());
    file.map(read_file).transpose()
}

fn refuse<T>(key: &'static str, value: impl std::fmt::Debug, allowed: &str) -> Result<T, TaskError> {
    Err(TaskError::Value {
        key,
        value: format!("{value:?}"),
        allowed: allowed.into(),
    })
}

fn build(config: &TaskConfig, attachment: Option<&[u8]>) -> Result<Task, TaskError> {
    let env = environment(config)?;
    Ok(Task {
        name: KIND.name.into(),
        env: Arc::new(env.clone()),
        scorer: scorer(config, env, attachment)?,
        reward: config.reward,
        modes: Arc::new(Modes::default()),
    })
}

fn environment(config: &TaskConfig) -> Result<SequenceEnv, TaskError> {
    let alphabet = config.alphabet.as_deref().unwrap_or_default();
    let letters: Vec<char> = alphabet.chars().collect();
    let distinct: BTreeSet<char> = letters.iter().copied().collect();
    if letters.is_empty() || letters.len() > 254 || distinct.len() < letters.len() || distinct.contains(&OPEN) {
        let allowed = format!("1 to 254 different letters, none of them {OPEN:?}; for example \"ACGT\"");
        return refuse("alphabet", alphabet, &allowed);
    }
    let Some(length) = config.length else {
        return refuse("length", "", "a number of letters, for example 8");
    };
    config.strings(alphabet, config.min_length.unwrap_or(length)..=length)
}

fn scorer(config: &TaskConfig, env: SequenceEnv, attachment: Option<&[u8]>) -> Result<Arc<dyn Scorer>, TaskError> {
    let given = |path: &std::path::Path| attachment.ok_or_else(|| TaskError::NotGiven(path.into()));
    match (&config.table, &config.model, &config.oracle) {
        (Some(table), None, None) => {
            let table = TableFile::read(given(table)?, &env)?;
            Ok(match config.missing {
                Some(y) => Arc::new(table.with_missing(y)),
                None => Arc::new(table),
            })
        }
        (None, Some(model), None) => {
            let libtorch = libtorch::needed_by("a TorchScript model").map_err(ModelError::from)?;
            Ok((libtorch.scorer)(given(model)?, env)?)
        }
        (None, None, Some(oracle)) => Ok(Arc::new(Program {
            config: oracle.clone(),
            env: Arc::new(env),
            running: OnceLock::new(),
        })),
        (table, model, oracle) => {
            let count = usize::from(table.is_some()) + usize::from(model.is_some()) + usize::from(oracle.is_some());
            refuse(
                "table",
                format!("{count} ways of scoring"),
                "exactly one of task.table, task.model and task.oracle.command says how strings are scored",
            )
        }
    }
}

/// An external program that is started when there is something to score: a learner and a check of the configuration
/// never need it.
#[derive(Debug)]
struct Program {
    config: OracleConfig,
    env: Arc<dyn Environment>,
    running: OnceLock<Result<ProgramScorer, String>>,
}

impl Program {
    fn running(&self) -> Result<&ProgramScorer, ScoreError> {
        let start = || {
            let started = ProgramScorer::start(&self.config, self.env.clone());
            started.map_err(|error| format!("{error}: {}", error.source))
        };
        let running = self.running.get_or_init(start);
        running.as_ref().map_err(|reason| ScoreError(reason.clone()))
    }
}

impl Scorer for Program {
    fn score(&self, objects: &States) -> Result<Vec<f32>, ScoreError> {
        self.running()?.score(objects)
    }

    fn start(&self) -> Result<(), ScoreError> {
        self.running().map(|_| ())
    }

    /// One that was never started never will be.
    fn stop(&self) {
        if let Ok(program) = self.running.get_or_init(|| Err("the oracle was stopped".into())) {
            program.stop();
        }
    }

    fn health(&self) -> OracleHealth {
        let running = self.running.get().and_then(|started| started.as_ref().ok());
        running.map(Scorer::health).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> TaskConfig {
        TaskConfig {
            alphabet: Some("AB".into()),
            length: Some(3),
            table: Some("t.csv".into()),
            ..KIND.config()
        }
    }

    fn refusal(change: impl FnOnce(&mut TaskConfig)) -> String {
        let mut config = config();
        change(&mut config);
        Task::build(&config, Some(b"x,y\nABA,0.5\n")).unwrap_err().to_string()
    }

    #[test]
    fn a_table_makes_a_task() {
        let task = Task::build(&config(), Some(b"x,y\nABA,0.5\nBBB,1\n")).unwrap();
        let mut objects = States::new(3);
        objects.push(&task.env.parse_object("BBB").unwrap());
        objects.push(&task.env.parse_object("AAA").unwrap());
        let scores = task.scorer.score(&objects).unwrap();
        assert!(scores[0] == 1.0 && scores[1].is_nan());
        let with = TaskConfig {
            missing: Some(0.25),
            min_length: Some(1),
            ..config()
        };
        let task = Task::build(&with, Some(b"x,y\nBA,0.5\n")).unwrap();
        assert_eq!((task.env.max_steps(), task.env.state_width()), (4, 4));
        let mut objects = States::new(4);
        objects.push(&task.env.parse_object("BA").unwrap());
        objects.push(&task.env.parse_object("A").unwrap());
        assert_eq!(task.scorer.score(&objects).unwrap(), [0.5, 0.25]);
    }

    #[test]
    fn what_is_missing_or_too_much_is_named() {
        assert!(refusal(|c| c.alphabet = None).contains("task.alphabet = \"\" is not allowed: 1 to 254"));
        assert!(refusal(|c| c.alphabet = Some("ABA".into())).contains("task.alphabet = \"ABA\""));
        assert!(refusal(|c| c.length = None).contains("task.length"));
        assert!(refusal(|c| c.table = None).contains("0 ways of scoring"));
        assert!(refusal(|c| c.model = Some("m.pt".into())).contains("2 ways of scoring"));
        assert!(matches!(Task::build(&config(), None), Err(TaskError::NotGiven(_))));
    }

    #[test]
    fn a_program_that_is_not_there_shows_with_the_first_score() {
        let config = TaskConfig {
            table: None,
            oracle: Some(OracleConfig {
                command: vec!["/no/such/program".into()],
                ..OracleConfig::default()
            }),
            ..config()
        };
        let task = Task::build(&config, None).unwrap();
        let mut objects = States::new(3);
        objects.push(&task.env.parse_object("BBB").unwrap());
        let message = task.scorer.score(&objects).unwrap_err().to_string();
        assert!(message.contains("/no/such/program"), "{message}");
        assert_eq!(task.scorer.start().unwrap_err().to_string(), message);
    }

    #[test]
    fn a_program_that_is_stopped_before_it_is_started_never_starts() {
        let config = TaskConfig {
            table: None,
            oracle: Some(OracleConfig {
                command: vec!["cat".into()],
                ..OracleConfig::default()
            }),
            ..config()
        };
        let task = Task::build(&config, None).unwrap();
        task.scorer.stop();
        let message = task.scorer.start().unwrap_err().to_string();
        assert!(message.contains("stopped"), "{message}");
    }
}
