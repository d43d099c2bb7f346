//! Dense layers on batches: which products their passes are, on operands of the right shapes and no meaning.

use thermoflow::env::{Environment, Neighbours, States};
use thermoflow::policy::native::matrix::{Into, Matrix, MatrixMut, multiply};
use thermoflow::policy::{Direction, PolicySpec};
use thermoflow::rollout::Paths;

/// How much one direction's networks are asked in a pass over a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Pass {
    /// States that are encoded: those that choose, and their neighbours.
    states: usize,
    /// Pairs of a state and its neighbour that are scored.
    pairs: usize,
}

/// The passes over a batch, step by step, as sampling has to do them.
#[derive(Debug, PartialEq, Eq)]
pub struct Passes {
    pub trajectories: usize,
    steps: Vec<Pass>,
}

impl Passes {
    /// For the states of these paths, each with all its neighbours in `direction`, as often as it occurs.
    pub fn count(env: &dyn Environment, direction: Direction, paths: &Paths) -> Self {
        let mut steps = Vec::new();
        for place in 0.. {
            let mut sources = States::new(env.state_width());
            for path in (0..paths.len()).map(|path| paths.path(path)) {
                // The last state of a walk chooses nothing.
                let choosing = match direction {
                    Direction::Forward => &path[..path.len() - 1],
                    Direction::Backward => &path[1..],
                };
                sources.extend(
                    choosing
                        .get(place)
                        .map(|&state| paths.states.states().row(state as usize)),
                );
            }
            if sources.is_empty() {
                break;
            }
            let mut neighbours = Neighbours::new(env.state_width());
            direction.neighbours(env, &sources, &mut neighbours);
            let pairs = neighbours.actions.len();
            steps.push(Pass {
                states: sources.len() + pairs,
                pairs,
            });
        }
        Self {
            trajectories: paths.len(),
            steps,
        }
    }

    fn total(&self) -> Pass {
        self.steps.iter().fold(Pass::default(), |sum, step| Pass {
            states: sum.states + step.states,
            pairs: sum.pairs + step.pairs,
        })
    }
}

/// Inputs and outputs of each layer.
type Sizes = Vec<usize>;

/// Does the products of a policy's networks.
pub struct Products {
    encoder: Sizes,
    scorer: Sizes,
    /// β encoder and logit scaler, where there are any.
    beta: Vec<Sizes>,
    log_z: Option<Sizes>,
    /// Operands and results; as large as the largest so far.
    buffers: [Vec<f32>; 3],
}

impl Products {
    /// For policies of `spec` on states of so many numbers.
    pub fn new(spec: &PolicySpec, features: usize) -> Self {
        let (codes, small) = (spec.beta_features(), spec.beta_hidden);
        let conditional = spec.conditioning.is_conditional();
        let encoder = conditional.then(|| vec![codes, small, small, small]);
        let scaler = spec.conditioning.scales_logits().then(|| vec![small, small, small, 1]);
        Self {
            encoder: vec![features, spec.hidden, spec.embed],
            scorer: vec![2 * spec.embed + spec.joined_beta(), spec.hidden, spec.edge_outputs()],
            beta: encoder.into_iter().chain(scaler).collect(),
            log_z: conditional.then(|| vec![codes, small, small, 1]),
            buffers: Default::default(),
        }
    }

    /// Scores step by step.
    pub fn sample(&mut self, passes: &Passes) {
        for step in &passes.steps {
            self.score(*step, passes.trajectories, false);
        }
    }

    /// Scores a whole batch, and its gradients.
    pub fn train(&mut self, passes: &Passes) {
        self.score(passes.total(), passes.trajectories, true);
    }

    /// log Z of each trajectory, and its gradients.
    pub fn train_log_z(&mut self, trajectories: usize) {
        self.log_z
            .iter()
            .for_each(|mlp| run(&mut self.buffers, mlp, trajectories, true));
    }

    fn score(&mut self, pass: Pass, trajectories: usize, gradients: bool) {
        run(&mut self.buffers, &self.encoder, pass.states, gradients);
        run(&mut self.buffers, &self.scorer, pass.pairs, gradients);
        if gradients {
            // The encoder is below the scorer, so the scorer's input has a gradient too.
            product(&mut self.buffers, [pass.pairs, self.scorer[0], self.scorer[1]]);
        }
        for mlp in &self.beta {
            run(&mut self.buffers, mlp, trajectories, gradients);
        }
    }
}

/// An MLP on so many rows; with gradients of all its weights, and of the inputs of all layers but the first.
fn run(buffers: &mut [Vec<f32>; 3], layers: &[usize], rows: usize, gradients: bool) {
    for (number, pair) in layers.windows(2).enumerate() {
        let [inputs, outputs] = [pair[0], pair[1]];
        product(buffers, [rows, outputs, inputs]);
        if gradients {
            product(buffers, [outputs, inputs, rows]);
            if number > 0 {
                product(buffers, [rows, inputs, outputs]);
            }
        }
    }
}

/// A product of `[m, k]` and `[k, n]`.
fn product([a, b, out]: &mut [Vec<f32>; 3], [m, n, k]: [usize; 3]) {
    for (buffer, len) in [(&mut *a, m * k), (&mut *b, k * n), (&mut *out, m * n)] {
        if buffer.len() < len {
            buffer.resize(len, 0.5);
        }
    }
    multiply(
        MatrixMut::new(&mut out[..m * n], m, n),
        Into::Replace,
        Matrix::new(&a[..m * k], m, k),
        Matrix::new(&b[..k * n], k, n),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use thermoflow::env::Action;
    use thermoflow::policy::Conditioning;
    use thermoflow::policy::native::flops;
    use thermoflow::task::Task;
    use thermoflow::task::TaskKind;

    /// Two strings of eight letters, grown at the end; one begins with a letter repeated.
    fn passes(direction: Direction) -> Passes {
        let task = Task::load(&TaskKind::find("tfbind8").unwrap().config()).unwrap();
        let trajectories: [&[u8]; 2] = [&[0, 1, 2, 3, 0, 1, 2, 3], &[0, 0, 1, 2, 3, 0, 1, 2]];
        let actions =
            trajectories.map(|letters| letters.iter().map(|&letter| Action::from(letter)).collect::<Vec<_>>());
        let paths = Paths::from_actions(&*task.env, actions.iter().map(|actions| &actions[..])).unwrap();
        Passes::count(&*task.env, direction, &paths)
    }

    #[test]
    fn every_step_of_every_trajectory_counts_with_all_its_neighbours() {
        let forward = passes(Direction::Forward);
        assert_eq!((forward.trajectories, forward.steps.len()), (2, 8));
        assert_eq!(
            forward.steps[0],
            Pass {
                states: 2 + 8,
                pairs: 8
            }
        );
        let backward = passes(Direction::Backward);
        // Without its first letter or its last.
        assert_eq!(
            backward.steps[7],
            Pass {
                states: 2 + 4,
                pairs: 4
            }
        );
    }

    #[test]
    fn the_products_are_those_of_the_networks() {
        let mut spec = PolicySpec::published(Conditioning::Unconditional);
        (spec.hidden, spec.embed) = (5, 3);
        let mut products = Products::new(&spec, 32);
        let passes = passes(Direction::Forward);
        let Pass { states, pairs } = passes.total();
        let before = flops::so_far();
        products.sample(&passes);
        let forward = 2 * (states * (32 * 5 + 5 * 3) + pairs * (6 * 5 + 5));
        assert_eq!(flops::so_far() - before, forward as u64);
        let before = flops::so_far();
        products.train(&passes);
        // Weights' gradients cost as much again, inputs' too but for the first layer of the encoder.
        let train = 3 * forward - 2 * states * 32 * 5;
        assert_eq!(flops::so_far() - before, train as u64);
    }
}
