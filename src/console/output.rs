//! Standard output that survives its reader's leaving.

use std::io::{BufWriter, ErrorKind, Result, Stdout, Write};

/// Buffered standard output; remembers when nobody reads it any more.
#[derive(Debug)]
pub struct Output {
    inner: BufWriter<Stdout>,
    reader_left: bool,
}

impl Output {
    /// The process's standard output.
    pub fn stdout() -> Self {
        Self {
            inner: BufWriter::new(std::io::stdout()),
            reader_left: false,
        }
    }

    /// True after a write that failed because the reading end of the pipe was closed.
    pub fn reader_left(&self) -> bool {
        self.reader_left
    }

    fn note<T>(&mut self, result: Result<T>) -> Result<T> {
        self.reader_left |= result
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::BrokenPipe);
        result
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let result = self.inner.write(bytes);
        self.note(result)
    }

    fn flush(&mut self) -> Result<()> {
        let result = self.inner.flush();
        self.note(result)
    }
}
