//! Tests of the data set.

use super::*;
use crate::random::Purpose;
use proptest::prelude::*;

fn config(prioritized: bool, min_objects: usize) -> ReplayConfig {
    ReplayConfig {
        batch: 32,
        prioritized,
        top_share: 0.1,
        min_objects,
        trajectories: crate::config::Replayed::Backward,
        relabel: true,
        samples_per_insert: 2.0,
        error_band: 64.0,
    }
}

fn stream(index: u64) -> Stream {
    Stream::new(7, Purpose::Replay, 0, index)
}

/// Objects 0..n with reward falling from n to 1: the place by reward equals the id.
fn falling(n: u16, prioritized: bool) -> Dataset {
    let mut data = Dataset::new(2, &config(prioritized, 1), Arc::default());
    for i in 0..n {
        assert!(data.insert(&i.to_le_bytes(), f32::from(i), f32::from(n - i)));
    }
    data
}

#[test]
fn half_of_a_draw_comes_from_the_best_tenth() {
    let data = falling(70, true);
    let mut seen = [0usize; 70];
    for index in 0..400 {
        let ids = data.draw(33, &mut stream(index)).unwrap();
        assert_eq!(
            ids.iter().filter(|id| id.0 < 7).count(),
            16,
            "n/2 from the best 7 of 70, the others from the rest"
        );
        ids.iter().for_each(|id| seen[id.0 as usize] += 1);
    }
    // Uniform within each part: 400·16/7 = 914 and 400·17/63 = 108 expected, five standard deviations allowed.
    for (id, &count) in seen.iter().enumerate() {
        let expected = if id < 7 { 914.0 } else { 108.0f64 };
        assert!(
            (count as f64 - expected).abs() < 5.0 * expected.sqrt(),
            "object {id}: {count}"
        );
    }
}

#[test]
fn an_unprioritised_draw_is_uniform() {
    let data = falling(50, false);
    let mut seen = [0usize; 50];
    for index in 0..1000 {
        data.draw(10, &mut stream(index))
            .unwrap()
            .iter()
            .for_each(|id| seen[id.0 as usize] += 1);
    }
    assert!(
        seen.iter()
            .all(|&count| (count as f64 - 200.0).abs() < 5.0 * 200f64.sqrt()),
        "{seen:?}"
    );
}

#[test]
fn few_objects_give_no_draw_and_one_object_gives_itself() {
    let mut data = Dataset::new(1, &config(true, 2), Arc::default());
    assert_eq!(data.draw(4, &mut stream(0)), None);
    data.insert(&[1], 0.5, 1.0);
    assert_eq!(data.draw(4, &mut stream(0)), None, "under min_objects");
    data.insert(&[2], 0.5, 2.0);
    let drawn = data.draw(4, &mut stream(0)).unwrap();
    assert_eq!(drawn.iter().map(|id| id.0).collect::<Vec<_>>(), [1, 1, 0, 0]);
    let mut one = Dataset::new(1, &config(true, 0), Arc::default());
    assert_eq!(
        one.draw(4, &mut stream(0)),
        None,
        "nothing to draw even without a minimum"
    );
    one.insert(&[1], 0.5, 1.0);
    assert_eq!(one.draw(3, &mut stream(0)).unwrap(), [ObjectId(0); 3]);
}

#[test]
fn repeated_objects_count_for_the_mean_only() {
    let mut data = Dataset::new(1, &config(true, 1), Arc::new(Modes::new([&[1u8][..], &[9]])));
    assert_eq!(
        (data.mean_y(), data.top_mean_y(), data.top_diversity()),
        (None, None, None)
    );
    assert!(data.insert(&[1], 1.0, 0.0));
    assert!(!data.insert(&[1], 4.0, 5.0));
    assert!(data.insert(&[2], 4.0, 1.0));
    assert_eq!((data.len(), data.insertions(), data.modes_found()), (2, 3, 1));
    assert_eq!(
        data.object(ObjectId(0)),
        Object {
            state: &[1],
            y: 1.0,
            log_reward: 0.0
        }
    );
    assert_eq!(data.mean_y(), Some(3.0));
    assert_eq!(data.top_mean_y(), Some(2.5));
    assert_eq!(data.top_diversity(), Some(1.0));
}

#[test]
fn numbers_of_any_sign_are_ranked() {
    let mut numbers = [
        0.0,
        -0.0,
        1.5,
        -1.5,
        f32::MIN,
        f32::MAX,
        f32::MIN_POSITIVE,
        f32::NEG_INFINITY,
        f32::INFINITY,
    ];
    numbers.sort_by(|a, b| b.total_cmp(a));
    let ranks: Vec<_> = numbers.iter().map(|&n| Rank::new(n, 3)).collect();
    assert!(ranks.is_sorted());
    assert!(Rank::new(1.0, 1) < Rank::new(1.0, 2) && Rank::new(1.0, 2).id() == ObjectId(2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Against a sorted vector, with many ties and enough objects to split the tree's nodes many times.
    #[test]
    fn order_and_statistics_equal_those_of_a_sorted_vector(
        values in proptest::collection::vec((any::<u16>(), 0u8..60, -50i8..50), 1..9000),
    ) {
        let mut data = Dataset::new(2, &config(true, 1), Arc::default());
        let mut model: Vec<(u16, f32, f32)> = Vec::new();
        for (object, reward, y) in values {
            let (object, reward, y) = (object % 6000, f32::from(reward), f32::from(y));
            let new = !model.iter().any(|m| m.0 == object);
            prop_assert_eq!(data.insert(&object.to_le_bytes(), y, reward), new);
            if new {
                model.push((object, reward, y));
            }
        }
        let mut by_reward = model.clone();
        by_reward.sort_by(|a, b| b.1.total_cmp(&a.1));
        for (place, expected) in by_reward.iter().enumerate() {
            let id = data.by_reward.get_index(place).unwrap().id();
            prop_assert_eq!(data.object(id).state, &expected.0.to_le_bytes());
        }
        prop_assert_eq!(data.by_reward.get_index(model.len()), None);
        let mut by_y = model.clone();
        by_y.sort_by(|a, b| b.2.total_cmp(&a.2));
        by_y.truncate(TOP);
        let mean = by_y.iter().map(|m| f64::from(m.2)).sum::<f64>() / by_y.len() as f64;
        prop_assert!((data.top_mean_y().unwrap() - mean).abs() < 1e-9);
    }
}
