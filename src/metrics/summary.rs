//! Order statistics for reports.

/// The `share` quantile (0 smallest, 0.5 median, 1 largest) by the nearest rank; reorders `values`. None when empty.
pub fn quantile<T: Ord + Copy>(values: &mut [T], share: f64) -> Option<T> {
    let last = values.len().checked_sub(1)?;
    let place = (share.clamp(0.0, 1.0) * last as f64).round() as usize;
    Some(*values.select_nth_unstable(place).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_the_nearest_ranks() {
        let mut values = [5u64, 1, 4, 2, 3];
        assert_eq!(
            [0.0, 0.5, 0.9, 1.0, 7.0].map(|share| quantile(&mut values, share)),
            [1, 3, 5, 5, 5].map(Some)
        );
        assert_eq!(quantile::<u64>(&mut [], 0.5), None);
    }
}
