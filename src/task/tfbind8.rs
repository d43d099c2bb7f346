//! TFBind8: DNA 8-mers scored by how strongly a transcription factor binds them (METHOD.md).
//!
//! The measured scores of all 65,536 objects are part of the program (data/LICENSE says whose they are); any other
//! table of 8-mers can take their place.

use super::eight_mers::{ALPHABET, COUNT, LENGTH, reverse_complement};
use super::modes::Modes;
use super::reward::RewardShape;
use super::table::{ScoreTable, TableScorer};
use super::{Published, Scorer, Task, TaskError, TaskKind, read_table};
use crate::config::TaskConfig;
use crate::env::Growth;
use std::sync::Arc;

/// What `thermoflow tasks` shows, and how to build it.
pub const KIND: TaskKind = TaskKind {
    name: "tfbind8",
    summary: "DNA strings scored by the binding affinity of SIX6 (or another table of 8-mers)",
    objects: "65536 strings of 8 letters of ACGT; 328 modes",
    takes: &["table", "growth", "words"],
    published: Published::TFBIND8,
    defaults,
    attachment,
    build,
};

fn defaults() -> TaskConfig {
    TaskConfig {
        growth: Some(Growth::PrependAppend),
        ..TaskConfig::new(
            "tfbind8",
            RewardShape {
                cap: 10.0,
                floor: 0.001,
                y_max: 1.0,
                exponent: 3.0,
            },
        )
    }
}

/// Another table, where one is named.
fn attachment(config: &TaskConfig) -> Result<Option<Vec<u8>>, TaskError> {
    let table = config.table.as_deref().map(read_table).transpose()?;
    Ok(table.map(|table| table.to_bytes()))
}

/// How many peaks count as modes: 0.5 % of all objects.
const PEAKS: usize = (COUNT * 5).div_ceil(1000);

/// One little-endian f32 per pair of strands, in alphabetical order of the pair's first strand;
/// tools/make_tfbind8_table.py makes it.
static PAIR_SCORES: &[u8] = include_bytes!("data/tfbind8.bin");

/// The scores that are part of the program.
pub fn built_in_table() -> ScoreTable {
    let (pairs, _) = PAIR_SCORES.as_chunks::<4>();
    let mut pairs = pairs.iter().map(|&score| f32::from_le_bytes(score));
    let mut scores = vec![0.0; COUNT];
    for rank in 0..COUNT {
        let other = reverse_complement(rank);
        // A pair's second strand comes later in the alphabet and was written with the first.
        if rank <= other {
            let score = pairs
                .next()
                .expect("the embedded table has a score per pair, a test counts them");
            scores[rank] = score;
            scores[other] = score;
        }
    }
    ScoreTable::new(scores).expect("the embedded scores are finite, a test checks their hash")
}

fn build(config: &TaskConfig, attachment: Option<&[u8]>) -> Result<Task, TaskError> {
    let table = match (attachment, &config.table) {
        (Some(bytes), _) => ScoreTable::from_bytes(bytes)?,
        (None, Some(path)) => return Err(TaskError::NotGiven(path.clone())),
        (None, None) => built_in_table(),
    };
    let found = table.scores().len();
    let scorer = TableScorer::new(table, ALPHABET.len(), LENGTH);
    let scorer = scorer.ok_or(TaskError::TableSize {
        task: KIND.name,
        found,
        needed: COUNT,
    })?;
    let (objects, scores) = scorer.enumerate().expect("a table lists its objects");
    Ok(Task {
        name: KIND.name.into(),
        env: Arc::new(config.strings(ALPHABET, LENGTH..=LENGTH)?),
        modes: Arc::new(Modes::peaks(&objects, &scores, PEAKS)),
        scorer: Arc::new(scorer),
        reward: config.reward,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::States;
    use sha2::{Digest, Sha256};
    use std::collections::BTreeSet;
    use std::path::Path;

    fn score(task: &Task, text: &str) -> f32 {
        let mut objects = States::new(LENGTH);
        objects.push(&task.env.parse_object(text).unwrap());
        task.scorer.score(&objects).unwrap()[0]
    }

    #[test]
    fn the_embedded_table_is_the_published_one() {
        let sum: String = Sha256::digest(PAIR_SCORES)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(sum, "0f9c691bd9a51cc8ca5ac5f0d9ab5445dacca1fe278c930912785c1b513f3257");
        assert_eq!(PAIR_SCORES.len(), 4 * 32_896, "a score per pair of strands");
    }

    #[test]
    fn objects_score_what_was_measured() {
        let task = Task::build(&KIND.config(), None).unwrap();
        // E-scores 0.03000, −0.12351 and 0.18024 between the table's −0.47907 and 0.49105.
        for (text, strand, e_score) in [
            ("AAAAAAAA", "TTTTTTTT", 0.03),
            ("00000001", "GTTTTTTT", -0.12351),
            ("33330000", "TTTTAAAA", 0.18024),
        ] {
            let expected = (e_score + 0.47907) / (0.49105 + 0.47907);
            assert!((f64::from(score(&task, text)) - expected).abs() < 1e-7, "{text}");
            assert_eq!(score(&task, text), score(&task, strand));
        }
        let (_, scores) = task.scorer.enumerate().unwrap();
        assert_eq!(scores.iter().copied().fold(f32::NAN, f32::max), 1.0);
        assert_eq!(scores.iter().copied().fold(f32::NAN, f32::min), 0.0);
        assert!((task.reward.log_reward(1.0) - 10f32.ln()).abs() < 1e-6);
    }

    #[test]
    fn growth_and_reward_are_those_asked_for() {
        let mut config = KIND.config();
        assert_eq!(Task::build(&config, None).unwrap().env.action_count(), 8);
        config.growth = Some(Growth::AppendOnly);
        config.reward.cap = 7.0;
        let task = Task::build(&config, None).unwrap();
        assert_eq!((task.env.action_count(), task.reward.cap), (4, 7.0));
    }

    #[test]
    fn another_table_brings_its_own_scores_and_modes() {
        let table = ScoreTable::new((0..COUNT).map(|rank| rank as f32 / COUNT as f32).collect()).unwrap();
        let task = Task::build(&KIND.config(), Some(&table.to_bytes())).unwrap();
        assert_eq!(score(&task, "AAAAAAAC"), 1.0 / COUNT as f32);
        assert!(task.modes.contains(&[3; LENGTH]), "the last string is the best");
        let short = ScoreTable::new(vec![0.5; 12]).unwrap();
        let message = Task::build(&KIND.config(), Some(&short.to_bytes()))
            .unwrap_err()
            .to_string();
        assert!(message.contains("12") && message.contains("65536"), "{message}");
    }

    #[test]
    fn modes_are_the_published_list() {
        let task = Task::build(&KIND.config(), None).unwrap();
        assert_eq!(task.modes.len(), 328);
        let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/reference/tfbind8/modes_tfbind8.pkl");
        let Ok(pickle) = std::fs::read(&list) else {
            eprintln!(
                "SKIPPED: modes are not compared with the published list, {} is not there",
                list.display()
            );
            return;
        };
        // A string in a pickle stands between bytes that are no digits, so every run of eight digits is one.
        let runs = pickle
            .split(|byte| !(b'0'..=b'3').contains(byte))
            .filter(|run| run.len() == LENGTH);
        let published: BTreeSet<Vec<u8>> = runs.map(|run| run.iter().map(|digit| digit - b'0').collect()).collect();
        let ours: BTreeSet<Vec<u8>> = task.modes.iter().map(<[u8]>::to_vec).collect();
        assert_eq!(ours, published);
    }
}
