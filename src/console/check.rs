//! One line of what `thermoflow doctor` finds; how fast this machine multiplies matrices, which `bench` asks too.

use crate::policy::native::matrix::{Into as Product, Matrix, MatrixMut, multiply};
use serde::Serialize;
use std::time::{Duration, Instant};

/// Rows and columns of the matrices whose product is timed.
pub const SPEED_SIZE: usize = 512;

/// How long a speed is measured.
const MEASURE_FOR: Duration = Duration::from_millis(300);

/// One core of a machine from the last ten years is above this, unless it is busy or the build is unoptimised.
const SLOW_GFLOPS: f64 = 5.0;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Fine.
    Ok,
    /// Works, but could be better.
    Warn,
    /// Training cannot work.
    Fail,
}

/// One line of the report.
#[derive(Debug, Serialize)]
pub struct Check {
    /// Which.
    pub name: &'static str,
    /// How it ended.
    pub status: Status,
    /// What was found, in plain words.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// What was measured, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gflops: Option<f64>,
}

impl Check {
    /// Fine.
    pub fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Ok,
            found: found.into(),
            advice: None,
            gflops: None,
        }
    }

    /// Works, but could be better.
    pub fn warn(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            status: Status::Warn,
            advice: Some(advice.into()),
            ..Self::ok(name, found)
        }
    }

    /// Training cannot work.
    pub fn fail(name: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            status: Status::Fail,
            advice: Some(advice.into()),
            ..Self::ok(name, found)
        }
    }

    /// How fast `product` multiplies two square matrices of [`SPEED_SIZE`]: the best of some repetitions, as other
    /// processes only ever make it slower.
    pub fn speed(name: &'static str, mut product: impl FnMut()) -> Self {
        product();
        let (start, mut best) = (Instant::now(), f64::INFINITY);
        while start.elapsed() < MEASURE_FOR {
            let before = Instant::now();
            product();
            best = best.min(before.elapsed().as_secs_f64());
        }
        let gflops = 2.0 * (SPEED_SIZE * SPEED_SIZE * SPEED_SIZE) as f64 / best / 1e9;
        let found = format!("{gflops:.1} GFLOP/s on one core, products of {SPEED_SIZE}×{SPEED_SIZE} f32 matrices");
        let slow = gflops < SLOW_GFLOPS;
        let advice = slow.then(|| "build with --release, and see whether the machine is busy".to_owned());
        let status = if slow { Status::Warn } else { Status::Ok };
        Self {
            status,
            advice,
            gflops: Some(gflops),
            ..Self::ok(name, found)
        }
    }
}

/// Speed of the built-in backend's products, which use one thread.
pub fn native_speed() -> Check {
    let a = vec![1f32; SPEED_SIZE * SPEED_SIZE];
    let mut out = vec![0f32; SPEED_SIZE * SPEED_SIZE];
    Check::speed("speed of native", || {
        let factor = Matrix::new(&a, SPEED_SIZE, SPEED_SIZE);
        let out = MatrixMut::new(&mut out, SPEED_SIZE, SPEED_SIZE);
        multiply(out, Product::Replace, factor, factor);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_core_is_a_warning() {
        let check = Check::speed("x", || std::thread::sleep(Duration::from_millis(60)));
        assert_eq!((check.status, check.advice.is_some()), (Status::Warn, true));
        assert!(
            check.gflops.is_some_and(|gflops| gflops > 0.0 && gflops < 4.5),
            "{check:?}"
        );
    }
}
