//! "Did you mean": the known word nearest to a mistyped one.

/// Words less alike than this (normalised Damerau–Levenshtein, 0 to 1) are not worth suggesting.
const ALIKE: f64 = 0.5;

/// The word among `known` that is most like `word`, if any is like it at all.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |candidate| strsim::normalized_damerau_levenshtein(word, candidate);
    let rated = known.into_iter().map(|candidate| (likeness(candidate), candidate));
    let best = rated.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 >= ALIKE).then_some(best.1)
}

/// The end of a message about an unknown word: ` (did you mean "…"?)`, or nothing.
pub fn did_you_mean(nearest: Option<&str>) -> String {
    nearest
        .map(|word| format!(" (did you mean {word:?}?)"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_word_finds_its_neighbour_and_nonsense_finds_none() {
        let known = ["train.rounds", "train.batch", "replay.batch"];
        assert_eq!(nearest("train.ronds", known), Some("train.rounds"));
        assert_eq!(nearest("replay.bach", known), Some("replay.batch"));
        assert_eq!(nearest("xyzzy", known), None);
        assert_eq!(nearest("anything", []), None);
    }
}
