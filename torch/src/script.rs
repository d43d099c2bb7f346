//! A TorchScript model as an oracle, on the CPU. Not here: opening its file.

use std::sync::Mutex;
use tch::{CModule, Kind, TchError, Tensor};
use thermoflow::env::{Environment, SequenceEnv, States};
use thermoflow::task::oracle::health::Counters;
use thermoflow::task::oracle::{MOST_OBJECTS, ModelError, OracleHealth};
use thermoflow::task::{ScoreError, Scorer};

/// Objects per call of the model: bounds the memory of its activations.
const CHUNK: usize = 4096;

/// Scores strings with a model from one-hot letters `[n, length · letters]` (zeros after the last letter) to `[n]` or
/// `[n, 1]`. A score that is not finite counts as none.
#[derive(Debug)]
pub struct TorchScriptScorer {
    env: SequenceEnv,
    /// libtorch does not promise that one module can run on several threads at once.
    model: Mutex<CModule>,
    counters: Counters,
}

impl TorchScriptScorer {
    /// Loads the bytes of a model file and tries the model on one object and on two.
    ///
    /// # Errors
    /// When the bytes are no model, or it does not score objects of `env`.
    pub fn load(mut bytes: &[u8], env: SequenceEnv) -> Result<Self, ModelError> {
        let mut model = CModule::load_data(&mut bytes).map_err(|error| ModelError::Load(reason(&error)))?;
        model.f_set_eval().map_err(|error| ModelError::Load(reason(&error)))?;
        let scorer = Self {
            env,
            model: Mutex::new(model),
            counters: Counters::default(),
        };
        // A state without letters will do: every row that a model may see has this shape.
        let mut probe = States::new(scorer.env.state_width());
        for _ in 0..2 {
            probe.push(scorer.env.initial());
            scorer.run(&probe)?;
        }
        Ok(scorer)
    }

    /// Raw scores, NaN where the model gives a number that is not finite.
    fn run(&self, objects: &States) -> Result<Vec<f32>, ModelError> {
        let (rows, columns) = (objects.len(), self.env.length() * self.env.letter_count());
        let failed = |error: TchError| ModelError::Run {
            rows,
            columns,
            reason: reason(&error),
        };
        let input = Tensor::from_slice(&self.one_hot(objects)).view([rows as i64, columns as i64]);
        let output = {
            let model = self.model.lock().expect("nothing panics while it holds the model");
            tch::no_grad(|| model.forward_ts(&[input])).map_err(failed)?
        };
        let found = output.size();
        if found != [rows as i64] && found != [rows as i64, 1] {
            return Err(ModelError::Shape { found, rows });
        }
        let flat = output
            .f_to_kind(Kind::Float)
            .and_then(|output| output.f_reshape([rows as i64]));
        let scores = flat.and_then(Vec::<f32>::try_from).map_err(failed)?;
        Ok(scores
            .into_iter()
            .map(|y| if y.is_finite() { y } else { f32::NAN })
            .collect())
    }

    /// `[objects, length · letters]`, without the stop feature.
    fn one_hot(&self, objects: &States) -> Vec<f32> {
        let columns = self.env.length() * self.env.letter_count();
        let mut dense = vec![0f32; objects.len() * columns];
        let mut ones = Vec::new();
        for (object, row) in objects.iter().zip(dense.chunks_exact_mut(columns)) {
            ones.clear();
            self.env.features(object, &mut ones);
            let letters = ones.iter().map(|&one| one as usize).filter(|&one| one < columns);
            letters.for_each(|one| row[one] = 1.0);
        }
        dense
    }
}

/// The line of libtorch's message that says what is wrong; around it there are pages of stack frames.
fn reason(error: &TchError) -> String {
    let text = error.to_string();
    let mut lines = text.lines();
    let line = lines
        .clone()
        .find(|line| line.contains("Error: "))
        .or_else(|| lines.next());
    line.unwrap_or_default().trim().to_owned()
}

impl Scorer for TorchScriptScorer {
    fn score(&self, objects: &States) -> Result<Vec<f32>, ScoreError> {
        let mut scores = Vec::with_capacity(objects.len());
        let mut chunk = States::new(objects.width());
        for start in (0..objects.len()).step_by(CHUNK) {
            chunk.clear();
            chunk.extend((start..objects.len().min(start + CHUNK)).map(|place| objects.row(place)));
            let part = self.run(&chunk).map_err(|error| ScoreError(error.to_string()));
            scores.extend(part?);
        }
        self.counters.calls.add(scores.len());
        self.counters.count_failed(&scores);
        Ok(scores)
    }

    /// By scoring every object, where there are few enough of them and all have a score.
    fn enumerate(&self) -> Option<(States, Vec<f32>)> {
        let objects = self.env.objects(MOST_OBJECTS)?;
        let scores = self.score(&objects).ok()?;
        scores.iter().all(|y| y.is_finite()).then_some((objects, scores))
    }

    fn health(&self) -> OracleHealth {
        self.counters.read()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use thermoflow::env::Growth;

    fn env() -> SequenceEnv {
        SequenceEnv::variable("AB", 1..=3, Growth::PrependAppend)
    }

    /// The bytes of a model that was traced from `function` on `[2, features]` zeros.
    fn traced(features: i64, mut function: impl FnMut(&Tensor) -> Tensor) -> Vec<u8> {
        let input = Tensor::zeros([2, features], (Kind::Float, tch::Device::Cpu));
        let mut forward = |inputs: &[Tensor]| vec![function(&inputs[0])];
        let model = CModule::create_by_tracing("Oracle", "forward", &[input], &mut forward).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("oracle.pt");
        model.save(&file).unwrap();
        std::fs::read(file).unwrap()
    }

    /// A weight for each feature: 1, 2, 4 … To be made before tracing, which would see the making but not the numbers.
    fn weights() -> Tensor {
        Tensor::from_slice(&[1f32, 2.0, 4.0, 8.0, 16.0, 32.0])
    }

    fn score(scorer: &TorchScriptScorer, texts: &[&str]) -> Vec<f32> {
        let mut objects = States::new(env().state_width());
        texts.iter().for_each(|text| {
            objects.push(&env().parse_object(text).unwrap());
        });
        scorer.score(&objects).unwrap()
    }

    #[test]
    fn a_model_sees_the_letters_one_hot() {
        let weights = weights().unsqueeze(1);
        let bytes = traced(6, |x| x.matmul(&weights));
        let scorer = TorchScriptScorer::load(&bytes, env()).unwrap();
        assert_eq!(score(&scorer, &["A", "B", "BA", "ABB"]), [1.0, 2.0, 6.0, 41.0]);
        let (objects, scores) = scorer.enumerate().unwrap();
        assert_eq!((objects.len(), scores[0]), (14, 1.0));
    }

    #[test]
    fn a_score_that_is_not_finite_is_none() {
        let weights = weights();
        let bytes = traced(6, |x| (x.matmul(&weights) - 2.0).log());
        let scorer = TorchScriptScorer::load(&bytes, env()).unwrap();
        let scores = score(&scorer, &["A", "B", "BA"]);
        assert!(
            scores[0].is_nan() && scores[1].is_nan() && scores[2] == 4f32.ln(),
            "{scores:?}"
        );
        assert_eq!((scorer.health().calls, scorer.health().failed), (3, 2));
        assert!(scorer.enumerate().is_none());
    }

    #[test]
    fn what_is_no_oracle_is_refused_when_loaded() {
        let refused = |bytes: &[u8]| TorchScriptScorer::load(bytes, env()).unwrap_err().to_string();
        let message = refused(b"no model");
        assert!(
            message.contains("no TorchScript") && !message.contains('\n'),
            "{message}"
        );
        let weights = weights().narrow(0, 0, 5);
        let message = refused(&traced(5, |x| x.matmul(&weights)));
        assert!(message.contains("[1, 6]: ") && message.contains("size"), "{message}");
        let message = refused(&traced(6, |x| x.mean(Kind::Float).unsqueeze(0)));
        assert!(message.contains("[1] for 2 objects"), "{message}");
        let message = refused(&traced(6, |x| x * 2.0));
        assert!(message.contains("[1, 6] for 1 objects"), "{message}");
    }
}
