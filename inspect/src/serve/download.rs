//! A download of what is filtered, as it is read; nothing is kept in memory.

use super::api::Refused;
use super::run::Run;
use crate::export::{Column, Export, Format};
use crate::replay::Filter;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;

/// Bytes that are sent at a time.
const PIECE: usize = 1 << 16;

/// Pieces that wait for the browser; when there are so many, reading waits.
const WAITING: usize = 8;

/// What to download.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    format: Format,
    /// Comma between.
    #[serde(default)]
    columns: Option<String>,
}

/// The end of a pipe that a response's body comes out of.
struct Pipe(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        // The browser left.
        sent.map_err(|_| io::Error::from(ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Begins to answer once the arguments are found right; what fails later cuts the connection, so that no browser takes a
/// part for the whole.
pub async fn start(run: Arc<Run>, condition: Option<String>, wanted: Wanted) -> Result<Response, Refused> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let (checked, is_right) = oneshot::channel();
    let format = wanted.format;
    spawn_blocking(move || {
        let pipe = Pipe(sender.clone());
        if let Err(error) = write(&run, condition.as_deref(), &wanted, pipe, checked) {
            let _ = sender.blocking_send(Err(io::Error::other(format!("{error:#}"))));
        }
    });
    let failed = |_| {
        Refused(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the download failed: see the log".into(),
        )
    };
    let name = is_right.await.map_err(failed)??;
    let pieces = stream::unfold(receiver, |mut receiver| async move {
        Some((receiver.recv().await?, receiver))
    });
    let headers = [
        (header::CONTENT_TYPE, format.media_type().to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// Says under which name, or what is wrong, then writes.
fn write(
    run: &Run,
    condition: Option<&str>,
    wanted: &Wanted,
    pipe: Pipe,
    checked: oneshot::Sender<Result<String, Refused>>,
) -> anyhow::Result<()> {
    let prepare = || {
        let replay = run.replay()?;
        let filter = Filter::new(condition, &replay)?;
        let columns = match &wanted.columns {
            Some(names) => Column::named(names.split(','))?,
            None => Column::usual(),
        };
        anyhow::Ok((replay, filter, columns))
    };
    let (replay, filter, columns) = match prepare() {
        Ok(prepared) => prepared,
        Err(error) => {
            let _ = checked.send(Err(error.into()));
            return Ok(());
        }
    };
    let _ = checked.send(Ok(format!("{}.{}", plain(&replay.name()), wanted.format.ending())));
    let export = Export {
        replay: &replay,
        filter: &filter,
        columns: &columns,
    };
    let mut out = BufWriter::with_capacity(PIECE, pipe);
    if wanted.format == Format::Safetensors {
        // Sizes come first in the file, so it is made as a whole.
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("export");
        export.to_file(wanted.format, &path, false)?;
        io::copy(&mut File::open(&path)?, &mut out)?;
    } else {
        export.to(wanted.format, &mut out)?;
    }
    Ok(out.flush()?)
}

/// A name that needs no quoting anywhere.
fn plain(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    name.chars().map(|c| if is_plain(c) { c } else { '-' }).collect()
}
