//! Trajectories of a roll-out go the whole way together, and batches of training are often as large: then one of them can
//! stand for several. A simulation of thousands of actors with large roll-outs spends its time on messages then.
//!
//! Invariant: nothing comes out otherwise than with trajectories one by one, but for resent messages of more than 4096.

use super::is_lockstep;
use crate::config::RunConfig;
use crate::protocol::MAX_BATCH;

/// The configuration in which every trajectory stands for so many, and how many.
pub(super) fn coarse(config: &RunConfig) -> (RunConfig, f64) {
    let sizes = [config.actor.batch, config.train.batch, config.replay.batch];
    let grain = sizes.into_iter().fold(0, gcd);
    // A lockstep round is split between actors, and a larger roll-out is sent in several messages.
    if is_lockstep(config) || config.actor.batch > MAX_BATCH || grain <= 1 {
        return (config.clone(), 1.0);
    }
    let mut coarse = config.clone();
    coarse.actor.batch /= grain;
    coarse.train.batch /= grain;
    coarse.replay.batch /= grain;
    coarse.replay.error_band /= grain as f64;
    // A band that is as small as it may be can be too small by rounding.
    match coarse.limiter() {
        Ok(_) => (coarse, grain as f64),
        Err(_) => (config.clone(), 1.0),
    }
}

/// The greatest common divisor; of 0 and a number, that.
fn gcd(a: usize, b: usize) -> usize {
    match b {
        0 => a,
        _ => gcd(b, a % b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Mode;
    use crate::protocol::example::example_config;
    use crate::protocol::window;

    #[test]
    fn what_is_divisible_is_divided_and_everything_else_stays() {
        let mut config = example_config(Mode::Async);
        (config.actor.batch, config.train.batch, config.replay.batch) = (32, 48, 0);
        config.replay.error_band = 512.0;
        let (coarse, grain) = coarse(&config);
        assert_eq!(grain, 16.0);
        assert_eq!((coarse.actor.batch, coarse.train.batch), (2, 3));
        assert_eq!(16 * window(&coarse), window(&config));
        assert_eq!(coarse.replay.error_band, 32.0);
        config.replay.batch = 5;
        assert_eq!(super::coarse(&config), (config.clone(), 1.0));
        let lockstep = example_config(Mode::Sync);
        assert_eq!(super::coarse(&lockstep).1, 1.0);
    }
}
