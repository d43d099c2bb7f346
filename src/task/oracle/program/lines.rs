//! Lines of bounded length from a pipe. Nothing of what they mean.

use std::io::{BufRead, BufReader, Read};

/// A line without its end.
#[derive(Debug, PartialEq)]
pub enum Line {
    /// All of it.
    Whole(String),
    /// The first bytes of a line that is too long; the rest comes as further lines.
    Cut(String),
}

/// The lines of `from` until it ends or fails, each of at most `longest` bytes. Bytes that are no UTF-8 are replaced.
pub fn lines(from: impl Read, longest: usize) -> impl Iterator<Item = Line> {
    let mut from = BufReader::new(from);
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        // One byte more, for the end of a line that just fits.
        let limit = longest as u64 + 1;
        from.by_ref()
            .take(limit)
            .read_until(b'\n', &mut line)
            .ok()
            .filter(|&read| read > 0)?;
        let ended = line.pop_if(|byte| *byte == b'\n').is_some();
        let fits = ended || line.len() <= longest;
        let text = String::from_utf8_lossy(&line).into_owned();
        Some(if fits { Line::Whole(text) } else { Line::Cut(text) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut() {
        let read: Vec<_> = lines(&b"abc\n\nabcd\xff\nab"[..], 3).collect();
        let whole = |text: &str| Line::Whole(text.into());
        let expected = [
            whole("abc"),
            whole(""),
            Line::Cut("abcd".into()),
            whole("\u{fffd}"),
            whole("ab"),
        ];
        assert_eq!(read, expected);
        assert!(lines(&b""[..], 3).next().is_none());
    }
}
