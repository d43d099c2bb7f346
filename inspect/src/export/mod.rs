//! Trajectories for other programs: Parquet, CSV, JSON lines and safetensors, streamed. What is exported, no command line.

mod block;
mod columns;
mod parquet;
mod tensors;
mod text;

pub use columns::{COLUMNS, Column};

use crate::InspectError;
use crate::new_file::{NewFile, refuse_replay};
use crate::replay::{Filter, Plan, Replay, Stop};
use block::{Block, Reader};
use serde::Deserialize;
use std::io::Write;
use std::path::Path;
use tensors::{Shape, Tensors};

/// Trajectories that are written at a time; as JSON lines they are 10 MB.
const PIECE: i64 = 1 << 15;

/// How trajectories are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Columns with types, compressed: pandas, polars, DuckDB
    Parquet,
    /// Text with a header; actions are numbers with spaces between
    Csv,
    /// A JSON object per line; actions are an array
    Jsonl,
    /// A tensor per column; actions and texts are padded with zeros
    Safetensors,
}

impl Format {
    /// The format that the ending of a name stands for.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "parquet" => Some(Self::Parquet),
            "csv" => Some(Self::Csv),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "safetensors" => Some(Self::Safetensors),
            _ => None,
        }
    }

    /// The usual ending of a name.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Safetensors => "safetensors",
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Jsonl => "application/jsonl",
            Self::Safetensors => "application/octet-stream",
        }
    }
}

/// What is exported of a replay.
#[derive(Debug, Clone)]
pub struct Export<'a> {
    /// The replay.
    pub replay: &'a Replay,
    /// Which trajectories.
    pub filter: &'a Filter,
    /// Which columns, in this order.
    pub columns: &'a [Column],
}

impl Export<'_> {
    /// Writes to a file that is there whole or not at all. Returns how many trajectories and bytes it holds.
    ///
    /// # Errors
    /// When the file is there already (and `force` is not given), or reading or writing fails.
    pub fn to_file(&self, format: Format, path: &Path, force: bool) -> Result<(u64, u64), InspectError> {
        refuse_replay(self.replay, path)?;
        let new = NewFile::create(path, force)?;
        let written = match format {
            Format::Safetensors => self.tensors(&new),
            _ => self.to(format, new.file()),
        };
        let rows = written.map_err(|error| match error {
            InspectError::Output(source) => new.failed(source),
            other => other,
        })?;
        Ok((rows, new.keep()?))
    }

    /// Writes to anything that takes bytes, in order. Returns how many trajectories there were.
    ///
    /// # Errors
    /// When reading or writing fails ([`InspectError::Output`]), and for safetensors, which are not written in order.
    pub fn to(&self, format: Format, mut out: impl Write + Send) -> Result<u64, InspectError> {
        let mut rows = 0;
        let mut put = |(count, bytes): (usize, Vec<u8>)| {
            rows += count as u64;
            out.write_all(&bytes).map_err(InspectError::Output)
        };
        match format {
            Format::Csv => {
                put((0, text::csv_header(self.columns).map_err(as_output)?))?;
                self.stream(|block| Ok((block.rows, text::csv(&block).map_err(as_output)?)), put)?;
            }
            Format::Jsonl => {
                let lines = |block: Block| text::json_lines(self.columns, &block).map(|lines| (block.rows, lines));
                self.stream(|block| lines(block).map_err(as_output), put)?;
            }
            Format::Parquet => {
                let schema = parquet::schema(self.columns);
                let mut file = parquet::File::new(&mut out, schema.clone(), self.replay)?;
                self.stream(
                    |block| parquet::batch(&schema, block),
                    |batch| {
                        rows += batch.num_rows() as u64;
                        file.write(&batch)
                    },
                )?;
                file.finish()?;
            }
            Format::Safetensors => {
                let message = "safetensors are written to a file only: their sizes come first";
                return Err(InspectError::Input(message.into()));
            }
        }
        out.flush().map_err(InspectError::Output)?;
        Ok(rows)
    }

    /// Reads all trajectories twice: their tensors' sizes come first in the file.
    fn tensors(&self, new: &NewFile) -> Result<u64, InspectError> {
        let plan = self.plan()?;
        let mut shape = Shape {
            rows: 0,
            widths: vec![0; self.columns.len()],
        };
        self.stream_of(
            &plan,
            |block| Ok(Shape::of(&block)),
            |block| {
                shape.add(&block);
                Ok(())
            },
        )?;
        let mut tensors = Tensors::new(new, self.columns, shape, self.replay)?;
        let shape = tensors.shape().clone();
        self.stream_of(
            &plan,
            |block| Ok(Tensors::encode(&shape, &block)),
            |columns| tensors.write(&columns),
        )?;
        Ok(shape.rows as u64)
    }

    fn plan(&self) -> Result<Plan, InspectError> {
        Ok(Plan::all(self.replay)?.in_pieces(PIECE))
    }

    /// Makes something of each block, on several threads, and hands it on in order.
    fn stream<T: Send>(
        &self,
        encode: impl Fn(Block) -> Result<T, InspectError> + Sync,
        take: impl FnMut(T) -> Result<(), InspectError>,
    ) -> Result<(), InspectError> {
        self.stream_of(&self.plan()?, encode, take)
    }

    fn stream_of<T: Send>(
        &self,
        plan: &Plan,
        encode: impl Fn(Block) -> Result<T, InspectError> + Sync,
        take: impl FnMut(T) -> Result<(), InspectError>,
    ) -> Result<(), InspectError> {
        let reader = Reader::new(self.replay, self.columns)?;
        self.replay.scan(
            plan,
            (&reader.sql(), self.filter),
            |range, rows| Ok::<_, Stop>(encode(reader.block(range, rows)?)?),
            take,
        )
    }
}

fn as_output(error: impl Into<std::io::Error>) -> InspectError {
    InspectError::Output(error.into())
}
