//! Distributions of streams of numbers: one pass, mergeable, any range, quantiles and histograms afterwards.

use serde::Serialize;

/// Low bits of an f32 that are given up: values are kept to one part in 2,048 (11 bits of the mantissa), so that a
/// distribution takes at most a million counters, and in practice a few thousand.
const DROPPED_BITS: u32 = 12;

/// Counters that are made at a time: 256 of them span a factor of 1.125.
const PAGE: usize = 256;

/// Counts of values. Whole numbers below 4,096 are kept exactly; NaN is left out.
#[derive(Debug, Clone, Default)]
pub struct Sketch {
    /// Counters by key, in pages that are made when they are needed.
    pages: Vec<Option<Box<[u64; PAGE]>>>,
    count: u64,
    sum: f64,
    ends: Option<[f32; 2]>,
}

/// What a distribution is like.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Quantiles {
    /// The smallest.
    pub min: f64,
    /// A twentieth are below.
    pub p5: f64,
    /// A quarter are below.
    pub p25: f64,
    /// Half are below.
    pub p50: f64,
    /// A quarter are above.
    pub p75: f64,
    /// A twentieth are above.
    pub p95: f64,
    /// One in a hundred is above.
    pub p99: f64,
    /// The largest.
    pub max: f64,
    /// The mean.
    pub mean: f64,
}

impl Sketch {
    /// Counts a value.
    pub fn add(&mut self, value: f32) {
        self.add_many(value, 1);
    }

    /// Counts a value so many times.
    pub fn add_many(&mut self, value: f32, times: u64) {
        if value.is_nan() || times == 0 {
            return;
        }
        let key = key(value) as usize;
        self.page(key / PAGE)[key % PAGE] += times;
        self.count += times;
        self.sum += f64::from(value) * times as f64;
        let [low, high] = self.ends.unwrap_or([value; 2]);
        self.ends = Some([low.min(value), high.max(value)]);
    }

    fn page(&mut self, place: usize) -> &mut [u64; PAGE] {
        if self.pages.len() <= place {
            self.pages.resize(place + 1, None);
        }
        self.pages[place].get_or_insert_with(|| Box::new([0; PAGE]))
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: &Self) {
        for (place, page) in other.pages.iter().enumerate() {
            let Some(page) = page else { continue };
            self.page(place)
                .iter_mut()
                .zip(page.iter())
                .for_each(|(count, more)| *count += more);
        }
        self.count += other.count;
        self.sum += other.sum;
        for end in other.ends.into_iter().flatten() {
            let [low, high] = self.ends.unwrap_or([end; 2]);
            self.ends = Some([low.min(end), high.max(end)]);
        }
    }

    /// How many values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The smallest and the largest; None when there are none.
    pub fn ends(&self) -> Option<[f64; 2]> {
        self.ends.map(|ends| ends.map(f64::from))
    }

    /// Quantiles by the nearest rank; None when there are no values.
    pub fn quantiles(&self) -> Option<Quantiles> {
        let [min, max] = self.ends()?;
        let sorted = self.sorted();
        let [p5, p25, p50, p75, p95, p99] = [0.05, 0.25, 0.5, 0.75, 0.95, 0.99].map(|share| {
            let rank = (share * (self.count - 1) as f64).round() as u64;
            let mut below = 0;
            let at_rank = sorted.iter().find(|(_, count)| {
                below += count;
                below > rank
            });
            at_rank.map_or(max, |(value, _)| value.clamp(min, max))
        });
        let mean = self.sum / self.count as f64;
        Some(Quantiles {
            min,
            p5,
            p25,
            p50,
            p75,
            p95,
            p99,
            max,
            mean,
        })
    }

    /// How many values lie in each of the bins between `edges` (rising); the last bin includes its upper edge. Values
    /// beyond the ends are left out.
    pub fn bins(&self, edges: &[f64]) -> Vec<u64> {
        let mut bins = vec![0; edges.len().saturating_sub(1)];
        let [Some(&low), Some(&high)] = [edges.first(), edges.last()] else {
            return bins;
        };
        let [min, max] = self.ends().unwrap_or_default();
        for (key, count) in self.counts() {
            // The upper end of what the counter holds: a value that is an edge, such as 0.2, belongs to the bin above it.
            let value = upper_end(key).clamp(min, max);
            if (low..=high).contains(&value) {
                let bin = edges.partition_point(|edge| *edge <= value).clamp(1, bins.len()) - 1;
                bins[bin] += count;
            }
        }
        bins
    }

    /// Distinct values as they are kept, rising, with their counts.
    fn sorted(&self) -> Vec<(f64, u64)> {
        self.counts().map(|(key, count)| (value(key), count)).collect()
    }

    /// Counters that have counted anything, by rising key.
    fn counts(&self) -> impl Iterator<Item = (u32, u64)> {
        let pages = self.pages.iter().enumerate();
        let pages = pages.filter_map(|(place, page)| Some((place * PAGE, page.as_ref()?)));
        let counts = pages.flat_map(|(first, page)| (first as u32..).zip(page.iter().copied()));
        counts.filter(|(_, count)| *count > 0)
    }
}

/// The high bits of a value, in an order that is that of the values.
fn key(value: f32) -> u32 {
    // −0 and 0 are one value.
    let bits = (value + 0.0).to_bits();
    let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    ordered >> DROPPED_BITS
}

/// The value nearest to 0 that has this key.
fn value(key: u32) -> f64 {
    let ordered = key << DROPPED_BITS;
    let bits = if ordered >> 31 == 1 {
        ordered & !(1 << 31)
    } else {
        !ordered & !((1 << DROPPED_BITS) - 1)
    };
    f32::from_bits(bits).into()
}

/// The largest value that has this key.
fn upper_end(key: u32) -> f64 {
    let ordered = key << DROPPED_BITS | ((1 << DROPPED_BITS) - 1);
    let bits = if ordered >> 31 == 1 {
        ordered & !(1 << 31)
    } else {
        !ordered
    };
    f32::from_bits(bits).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_numbers_are_exact() {
        let mut sketch = Sketch::default();
        (0..=100).for_each(|staleness| sketch.add(staleness as f32));
        let found = sketch.quantiles().unwrap();
        assert_eq!(
            [found.min, found.p25, found.p50, found.p95, found.max],
            [0.0, 25.0, 50.0, 95.0, 100.0]
        );
        assert_eq!(sketch.bins(&[0.0, 50.0, 100.0]), [50, 51]);
        assert_eq!(Sketch::default().quantiles(), None);
    }

    #[test]
    fn a_value_that_is_an_edge_belongs_to_the_bin_above() {
        let mut sketch = Sketch::default();
        [-0.3, -0.2, 0.1, 0.2, 0.3]
            .into_iter()
            .for_each(|value| sketch.add(value));
        assert_eq!(sketch.bins(&[-0.4, -0.3, -0.2, 0.0]), [0, 1, 1]);
        assert_eq!(sketch.bins(&[0.0, 0.1, 0.2, 0.3, 0.4]), [0, 1, 1, 1]);
    }

    proptest! {
        #[test]
        fn quantiles_are_right_to_one_in_2048_and_merging_is_adding(
            values in proptest::collection::vec(-1e6f32..1e6, 1..200), split in 0usize..200,
        ) {
            let split = split.min(values.len());
            let mut parts = [Sketch::default(), Sketch::default()];
            values[..split].iter().for_each(|v| parts[0].add(*v));
            values[split..].iter().for_each(|v| parts[1].add(*v));
            let [mut merged, other] = parts;
            merged.merge(&other);
            let mut sorted = values.clone();
            sorted.sort_unstable_by(f32::total_cmp);
            let exact = f64::from(sorted[(0.5 * (sorted.len() - 1) as f64).round() as usize]);
            let found = merged.quantiles().unwrap();
            prop_assert!((found.p50 - exact).abs() <= exact.abs() / 2048.0, "{} for {exact}", found.p50);
            prop_assert_eq!([found.min, found.max], [f64::from(sorted[0]), f64::from(sorted[sorted.len() - 1])]);
            prop_assert_eq!(merged.bins(&[-2e6, 0.0, 2e6]).iter().sum::<u64>(), values.len() as u64);
        }
    }
}
