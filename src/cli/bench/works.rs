//! The works that `bench compare` measures, and what others reach on them: the one place for both.

use super::child::Child;

/// GFLOP/s of f32 products of matrices on one core of the machine where the references were measured.
pub const REFERENCE_GFLOPS: f64 = 63.0;

/// A work that others have done too.
#[derive(Debug)]
pub struct Work {
    /// Of `--only`.
    pub name: &'static str,
    pub about: &'static str,
    /// What measures it, behind `thermoflow bench`.
    command: &'static str,
    /// Cores that it is held to; None leaves that to the system, which gives one thread one core.
    cores: Option<usize>,
    pub reference: Reference,
    /// So many times the reference is what we want.
    pub at_least: Option<f64>,
}

/// What ours is compared with.
#[derive(Debug)]
pub enum Reference {
    /// Measured by whom the work is of, trajectories a second on one core of [`REFERENCE_GFLOPS`].
    Published { who: &'static str, per_second: f64 },
    /// Measured here.
    Here {
        who: &'static str,
        command: &'static str,
        cores: Option<usize>,
    },
}

impl Work {
    /// What measures ours.
    pub fn ours(&self) -> Child {
        Child::new(self.command, self.cores)
    }
}

impl Reference {
    pub fn who(&self) -> &'static str {
        match self {
            Self::Published { who, .. } | Self::Here { who, .. } => who,
        }
    }
}

/// All of them.
pub const WORKS: &[Work] = &[
    Work {
        name: "tfbind8-round",
        about: "a published TFBind8 round: 32 rolled out, 32 replayed, two steps",
        command: "round --config configs/bench/tfbind8.toml",
        cores: None,
        reference: Reference::Published {
            who: "the published code",
            per_second: 59.0,
        },
        at_least: Some(100.0),
    },
    Work {
        name: "gfnx-256",
        about: "a step of gfnx's TFBind8 baseline, on policy: 256 rolled out",
        command: "round --config configs/bench/tfbind8-gfnx.toml --batch 256",
        cores: None,
        reference: Reference::Published {
            who: "gfnx",
            per_second: 4_540.0,
        },
        at_least: Some(9_000.0 / 4_540.0),
    },
    Work {
        name: "gfnx-16",
        about: "a step of gfnx's TFBind8 baseline, on policy: 16 rolled out",
        command: "round --config configs/bench/tfbind8-gfnx.toml --batch 16",
        cores: None,
        reference: Reference::Published {
            who: "gfnx",
            per_second: 1_860.0,
        },
        at_least: Some(5_500.0 / 1_860.0),
    },
    Work {
        name: "rollout-4096",
        about: "roll-outs only, 4096 at once, one policy version",
        command: "rollout --config configs/bench/tfbind8.toml --batch 4096",
        cores: None,
        reference: Reference::Published {
            who: "gfnx",
            per_second: 20_700.0,
        },
        at_least: Some(400_000.0 / 20_700.0),
    },
    Work {
        name: "qm9str-round",
        about: "a published QM9str round, H = 1024",
        command: "round --config configs/bench/qm9str.toml",
        cores: None,
        reference: Reference::Here {
            who: "the published arithmetic",
            command: "published --config configs/bench/qm9str.toml",
            cores: None,
        },
        at_least: None,
    },
    Work {
        name: "sehstr-round",
        about: "a published sEHstr round, H = 1024",
        command: "round --config configs/bench/sehstr.toml",
        cores: None,
        reference: Reference::Here {
            who: "the published arithmetic",
            command: "published --config configs/bench/sehstr.toml",
            cores: None,
        },
        at_least: Some(3.0),
    },
    Work {
        name: "two-processes",
        about: "the TFBind8 round by a learner and an actor on two cores",
        command: "fleet --config configs/bench/tfbind8-async.toml --actors 1",
        cores: Some(2),
        reference: Reference::Here {
            who: "one process on one",
            command: "round --config configs/bench/tfbind8.toml",
            cores: Some(1),
        },
        at_least: Some(1.7),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::{BUILT_IN, Given};
    use std::path::Path;

    #[test]
    fn every_work_has_a_name_of_its_own_and_a_built_in_configuration() {
        for (place, work) in WORKS.iter().enumerate() {
            assert!(
                WORKS[..place].iter().all(|other| other.name != work.name),
                "{}",
                work.name
            );
            let ours = work.ours();
            let config = ours.config().unwrap();
            assert!(BUILT_IN.iter().any(|(name, _)| Path::new(name) == config), "{config:?}");
        }
    }

    #[test]
    fn what_is_compared_is_the_same_work() {
        let [one, two] = ["tfbind8.toml", "tfbind8-async.toml"].map(|name| {
            Given::default()
                .load(Path::new("configs/bench").join(name), Vec::new())
                .unwrap()
        });
        assert_eq!(
            (&one.task, &one.policy, &one.optimizer),
            (&two.task, &two.policy, &two.optimizer)
        );
        let replayed = one.replay.batch as f64 / one.train.batch as f64;
        assert_eq!(two.replay.samples_per_insert, 1.0 + replayed);
        assert_eq!((one.train.batch, one.train.steps), (two.train.batch, two.train.steps));
    }
}
