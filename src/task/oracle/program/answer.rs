//! Requests to an oracle program and what may count as an answer. No I/O.

use serde::{Deserialize, Serialize};

/// Characters of a bad line that a message repeats.
const EXCERPT: usize = 200;

/// Bytes of an answer beyond those of its scores; generous, for a program may space its JSON out.
const LINE_BYTES: usize = 1 << 20;

/// Bytes of one score in an answer, the longest 64-bit float and then some.
const SCORE_BYTES: usize = 64;

#[derive(Serialize)]
struct Request<'a> {
    id: u64,
    x: &'a [String],
}

/// Unknown keys are refused before they are read: that also bounds how deep a line can nest.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scores {
    id: u64,
    y: Vec<Option<f64>>,
}

/// Why a line is no answer.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum BadAnswer {
    #[error("it wrote {line:?}, which is not an object with id and y: {reason}")]
    Malformed { line: String, reason: String },
    #[error("it answered request {found}, the newest is {newest}")]
    Id { found: u64, newest: u64 },
    #[error("it gave {found} scores for {needed} objects")]
    Count { found: usize, needed: usize },
}

/// The longest line that can be an answer for `batch` objects, in bytes.
pub fn longest_line(batch: usize) -> usize {
    LINE_BYTES + SCORE_BYTES * batch
}

/// The line that asks for `objects`.
pub fn request(id: u64, objects: &[String]) -> Vec<u8> {
    let mut line = serde_json::to_vec(&Request { id, x: objects }).expect("numbers and strings are always JSON");
    line.push(b'\n');
    line
}

/// The scores of request `id` for `count` objects, NaN where there is none; `None` for a late answer to an earlier
/// request. Read as JSON5, because NaN and Infinity, which Python's json module writes, are no JSON.
pub fn read(line: &str, id: u64, count: usize) -> Result<Option<Vec<f32>>, BadAnswer> {
    let answer: Scores = json5::from_str(line).map_err(|error| BadAnswer::Malformed {
        line: line.chars().take(EXCERPT).collect(),
        reason: error.to_string(),
    })?;
    if answer.id < id {
        return Ok(None);
    }
    if answer.id > id {
        return Err(BadAnswer::Id {
            found: answer.id,
            newest: id,
        });
    }
    if answer.y.len() != count {
        return Err(BadAnswer::Count {
            found: answer.y.len(),
            needed: count,
        });
    }
    let score = |y: Option<f64>| y.map_or(f32::NAN, |y| y as f32);
    let finite_or_none = |y: f32| if y.is_finite() { y } else { f32::NAN };
    Ok(Some(answer.y.into_iter().map(score).map(finite_or_none).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_a_line() {
        let line = request(7, &["ACGT".into(), "3,17".into()]);
        assert_eq!(line, b"{\"id\":7,\"x\":[\"ACGT\",\"3,17\"]}\n");
    }

    #[test]
    fn what_cannot_be_scored_is_nan() {
        let line = r#"{"y": [0.5, null, NaN, Infinity, -Infinity, 1e300, -2], "id": 7}"#;
        let scores = read(line, 7, 7).unwrap().unwrap();
        assert!(scores[1..6].iter().all(|y| y.is_nan()), "{scores:?}");
        assert_eq!((scores[0], scores[6]), (0.5, -2.0));
    }

    #[test]
    fn a_late_answer_is_none_yet() {
        assert_eq!(read(r#"{"id":6,"y":[1,2]}"#, 7, 1), Ok(None));
    }

    #[test]
    fn other_lines_are_refused() {
        let nested = format!("{{\"id\":7,\"y\":{}", "[".repeat(1 << 20));
        let unknown = format!("{{\"z\":{}", "[".repeat(1 << 20));
        for line in [
            "",
            "hello",
            "7",
            "[7,[1]]",
            r#"{"id":7}"#,
            r#"{"id":-1,"y":[1]}"#,
            &nested,
            &unknown,
        ] {
            assert!(
                matches!(read(line, 7, 1), Err(BadAnswer::Malformed { .. })),
                "{line:.40}"
            );
        }
        let message = read(&"x".repeat(1000), 7, 1).unwrap_err().to_string();
        assert!(message.len() < 400, "{message}");
        assert_eq!(
            read(r#"{"id":8,"y":[1]}"#, 7, 1),
            Err(BadAnswer::Id { found: 8, newest: 7 })
        );
        assert_eq!(
            read(r#"{"id":7,"y":[]}"#, 7, 1),
            Err(BadAnswer::Count { found: 0, needed: 1 })
        );
    }
}
