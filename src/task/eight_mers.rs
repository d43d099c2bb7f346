//! Files with the binding score of every DNA 8-mer, as protein binding microarrays give them: tab-separated, a header
//! line, then a line per pair of strands: `8-mer`, its reverse complement, `E-score`, and columns that are not read.

use super::table::{ScoreTable, TableError};
use csv::{ErrorKind, StringRecord};
use std::io::Read;

/// The letters; digit d of an 8-mer's rank stands for `ALPHABET[d]`.
pub const ALPHABET: &str = "ACGT";
/// Letters of an 8-mer.
pub const LENGTH: usize = 8;
/// Number of 8-mers.
pub const COUNT: usize = 1 << (2 * LENGTH);
/// Title of the column with the score.
const SCORE_COLUMN: &str = "E-score";

/// Why a file is no table of 8-mers.
#[derive(Debug, thiserror::Error)]
pub enum EightMersError {
    /// The file could not be read.
    #[error("reading the 8-mers failed")]
    Read(#[source] std::io::Error),
    /// The first line is not the header of such a table.
    #[error(
        "line 1: {found:?} does not begin a table of 8-mers: columns `8-mer`, `8-mer`, `E-score`, tab-separated, are needed"
    )]
    Header {
        /// What the first line begins with.
        found: String,
    },
    /// A line is wrong.
    #[error("line {line}: {reason}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it, with the offending value.
        reason: String,
    },
    /// Some 8-mers have no line.
    #[error("{missing} of {COUNT} 8-mers have no score, the first of them {first}")]
    Missing {
        /// How many.
        missing: usize,
        /// The first in alphabetical order.
        first: String,
    },
    /// The scores cannot be normalised.
    #[error("every 8-mer has the same score, {0}: there is nothing to normalise")]
    Flat(f64),
    /// The scores are out of range.
    #[error("the scores cannot be used")]
    Scores(#[from] TableError),
}

/// Reads a table of 8-mers; scores are min–max normalised to [0, 1], and both strands of a line get its score.
///
/// # Errors
/// On the first line that is wrong, or when an 8-mer is missing.
pub fn read(file: impl Read) -> Result<ScoreTable, EightMersError> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(b'\t')
        .quoting(false)
        .flexible(true)
        .has_headers(true)
        .from_reader(file);
    let score_column = score_column(reader.headers().map_err(csv_error)?)?;
    let mut scores = vec![None; COUNT];
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(csv_error)? {
        let line = record.position().map_or(0, csv::Position::line);
        enter(&record, score_column, &mut scores).map_err(|reason| EightMersError::Line { line, reason })?;
    }
    let missing = scores.iter().filter(|score| score.is_none()).count();
    if let Some(first) = scores.iter().position(Option::is_none) {
        return Err(EightMersError::Missing {
            missing,
            first: format_rank(first),
        });
    }
    normalise(&scores.into_iter().flatten().collect::<Vec<f64>>())
}

/// The rank of the other strand: letters reversed and complemented.
pub fn reverse_complement(rank: usize) -> usize {
    (0..LENGTH).fold(0, |other, place| other << 2 | (3 - (rank >> (2 * place) & 3)))
}

fn score_column(header: &StringRecord) -> Result<usize, EightMersError> {
    let is_table = header.get(0) == Some("8-mer") && header.get(1) == Some("8-mer");
    let column = header
        .iter()
        .position(|title| title == SCORE_COLUMN)
        .filter(|_| is_table);
    column.ok_or_else(|| EightMersError::Header {
        found: header.iter().take(3).collect::<Vec<_>>().join(" "),
    })
}

/// Writes one line's score to both of its strands.
fn enter(record: &StringRecord, score_column: usize, scores: &mut [Option<f64>]) -> Result<(), String> {
    let field = |column: usize| {
        record
            .get(column)
            .ok_or_else(|| format!("it has {} columns, at least {} are needed", record.len(), column + 1))
    };
    let (text, score) = (field(0)?, field(score_column)?);
    let rank = parse_rank(text)?;
    let other = reverse_complement(rank);
    if parse_rank(field(1)?)? != other {
        return Err(format!(
            "{:?} is not the reverse complement {} of {text}",
            field(1)?,
            format_rank(other)
        ));
    }
    let value = score.trim().parse::<f64>().ok().filter(|value| value.is_finite());
    let value = value.ok_or_else(|| format!("E-score {score:?} of {text} is not a finite number"))?;
    for rank in [rank, other] {
        let earlier = scores[rank].replace(value);
        if let Some(earlier) = earlier.filter(|&earlier| earlier != value) {
            return Err(format!(
                "{text} has E-score {value} here and {earlier} on an earlier line"
            ));
        }
    }
    Ok(())
}

fn normalise(scores: &[f64]) -> Result<ScoreTable, EightMersError> {
    let (low, high) = scores
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &s| (l.min(s), h.max(s)));
    if low == high {
        return Err(EightMersError::Flat(low));
    }
    let normalised = scores
        .iter()
        .map(|score| ((score - low) / (high - low)) as f32)
        .collect();
    Ok(ScoreTable::new(normalised)?)
}

fn parse_rank(text: &str) -> Result<usize, String> {
    let letters = text.chars().count();
    if letters != LENGTH {
        return Err(format!("{text:?} has {letters} letters, an 8-mer has {LENGTH}"));
    }
    text.chars().try_fold(0, |rank, letter| {
        let digit = ALPHABET.find(letter);
        digit
            .map(|digit| rank << 2 | digit)
            .ok_or_else(|| format!("letter {letter:?} of {text:?} is not in {ALPHABET}"))
    })
}

fn format_rank(rank: usize) -> String {
    (0..LENGTH)
        .rev()
        .map(|place| char::from(ALPHABET.as_bytes()[rank >> (2 * place) & 3]))
        .collect()
}

fn csv_error(error: csv::Error) -> EightMersError {
    let line = error.position().map_or(1, csv::Position::line);
    match error.into_kind() {
        ErrorKind::Io(source) => EightMersError::Read(source),
        ErrorKind::Utf8 { .. } => EightMersError::Line {
            line,
            reason: "it is not text (UTF-8)".into(),
        },
        other => EightMersError::Line {
            line,
            reason: format!("it cannot be read: {other:?}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A whole table: the score of a pair is `score(rank)` of its first strand.
    fn table(score: impl Fn(usize) -> f64) -> Vec<String> {
        let mut lines = vec!["8-mer\t8-mer\tE-score\tMedian".to_owned()];
        for rank in (0..COUNT).filter(|&rank| rank <= reverse_complement(rank)) {
            let [strand, other] = [rank, reverse_complement(rank)].map(format_rank);
            lines.push(format!("{strand}\t{other}\t{}\t1.0", score(rank)));
        }
        lines
    }

    fn refusal(lines: &[String]) -> String {
        read(lines.join("\n").as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn strands_pair_up() {
        let rank = |text| parse_rank(text).unwrap();
        assert_eq!(format_rank(reverse_complement(rank("AACGTCCT"))), "AGGACGTT");
        assert_eq!((0..COUNT).filter(|&r| r <= reverse_complement(r)).count(), 32_896);
    }

    #[test]
    fn both_strands_get_the_normalised_score() {
        let read = read(table(|rank| rank as f64 - 100.0).join("\r\n").as_bytes()).unwrap();
        let scores = read.scores();
        assert_eq!((scores[0], scores[COUNT - 1]), (0.0, 0.0), "AAAAAAAA and TTTTTTTT");
        let top = parse_rank("TTTTAAAA").unwrap();
        assert_eq!(scores[top], 1.0, "the last pair in alphabetical order");
        assert!(
            scores
                .iter()
                .enumerate()
                .all(|(rank, score)| *score == scores[reverse_complement(rank)])
        );
        assert!((scores[777] - 777.0 / top as f32).abs() < 1e-7);
    }

    #[test]
    fn damaged_tables_are_refused_with_the_line() {
        let good = table(|rank| rank as f64);
        let spoil = |line: usize, text: &str| {
            let mut lines = good.clone();
            lines[line - 1] = text.to_owned();
            refusal(&lines)
        };
        for (text, expected) in [
            ("AAAAAAA\tGTTTTTTT\t0.1", "line 3: \"AAAAAAA\" has 7 letters"),
            ("AAAAAAAX\tGTTTTTTT\t0.1", "line 3: letter 'X'"),
            (
                "AAAAAAAC\tGTTTTTTA\t0.1",
                "line 3: \"GTTTTTTA\" is not the reverse complement GTTTTTTT",
            ),
            ("AAAAAAAC\tGTTTTTTT\tNaN", "line 3: E-score \"NaN\""),
            ("AAAAAAAC\tGTTTTTTT\tinf", "line 3: E-score \"inf\""),
            ("AAAAAAAC\tGTTTTTTT", "line 3: it has 2 columns"),
            (
                "AAAAAAAA\tTTTTTTTT\t5",
                "line 3: AAAAAAAA has E-score 5 here and 0 on an earlier line",
            ),
            (
                "AAAAAAAA\tTTTTTTTT\t0",
                "2 of 65536 8-mers have no score, the first of them AAAAAAAC",
            ),
        ] {
            let message = spoil(3, text);
            assert!(message.contains(expected), "{message}");
        }
        assert!(spoil(1, "x,y").contains("line 1: \"x,y\""));
        assert!(spoil(1, "8-mer\t8-mer\tMedian").contains("line 1"));
    }

    #[test]
    fn what_is_no_table_is_refused() {
        assert!(refusal(&table(|_| 0.5)).contains("same score, 0.5"));
        assert!(refusal(&[]).contains("line 1: \"\""));
        assert!(refusal(&table(|_| 0.5)[..1]).contains("65536 of 65536"));
        let message = read(
            [b"8-mer\t8-mer\tE-score\n", &[0xff, 0xfe, b'\n'][..]]
                .concat()
                .as_slice(),
        )
        .unwrap_err();
        assert_eq!(message.to_string(), "line 2: it is not text (UTF-8)");
    }
}
