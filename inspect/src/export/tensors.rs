//! Trajectories as safetensors: a tensor per column, each written at its place while the trajectories go by.
//!
//! Texts are bytes, `[n, longest]`, and actions `[n, longest]`, both with zeros behind; `length` says how many are meant.

use super::block::{Block, Values};
use super::columns::{Column, Kind, Source};
use crate::InspectError;
use crate::new_file::NewFile;
use crate::replay::Replay;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use std::collections::HashMap;
use std::fs::File;
use std::io;

/// How wide the rows of tensors are, and how many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Number of trajectories.
    pub rows: usize,
    /// Values per trajectory, by column; 0 for a column of single numbers.
    pub widths: Vec<usize>,
}

impl Shape {
    /// The shape of a block.
    pub fn of(block: &Block) -> Self {
        let widths = block.columns.iter().map(|values| match values {
            Values::Actions(lists) => lists.iter().map(<[_]>::len).max().unwrap_or(0),
            Values::Name(names) => (0..block.rows).map(|row| names.get(row).len()).max().unwrap_or(0),
            _ => 0,
        });
        Self {
            rows: block.rows,
            widths: widths.collect(),
        }
    }

    /// With more trajectories.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.widths.resize(other.widths.len(), 0);
        for (width, other) in self.widths.iter_mut().zip(&other.widths) {
            *width = (*width).max(*other);
        }
    }
}

fn dtype(source: Source) -> Dtype {
    match source {
        Source::Whole | Source::Batch(_, Kind::Number | Kind::Time) => Dtype::I64,
        Source::Real | Source::Score(_) => Dtype::F32,
        Source::Batch(_, Kind::Truth) => Dtype::BOOL,
        Source::Actions => Dtype::U16,
        Source::Actor(_) | Source::Object => Dtype::U8,
    }
}

/// Tensors under construction.
pub(super) struct Tensors<'a> {
    file: &'a File,
    shape: Shape,
    /// Where each column's tensor goes on.
    places: Vec<u64>,
}

impl<'a> Tensors<'a> {
    /// Writes the header and makes room.
    pub fn new(new: &'a NewFile, columns: &[Column], shape: Shape, replay: &Replay) -> Result<Self, InspectError> {
        let (header, starts, size) = header(columns, &shape, replay);
        let write = || -> io::Result<()> {
            write_at(new.file(), &header, 0)?;
            new.file().set_len((header.len() + size) as u64)
        };
        write().map_err(InspectError::Output)?;
        let places = starts.into_iter().map(|start| (header.len() + start) as u64);
        Ok(Self {
            file: new.file(),
            places: places.collect(),
            shape,
        })
    }

    /// A block as the bytes of each tensor.
    pub fn encode(shape: &Shape, block: &Block) -> Vec<Vec<u8>> {
        let columns = block.columns.iter().zip(&shape.widths);
        columns
            .map(|(values, &width)| bytes(values, width, block.rows))
            .collect()
    }

    /// Adds the trajectories of [`Self::encode`].
    pub fn write(&mut self, columns: &[Vec<u8>]) -> Result<(), InspectError> {
        for (place, bytes) in self.places.iter_mut().zip(columns) {
            write_at(self.file, bytes, *place).map_err(InspectError::Output)?;
            *place += bytes.len() as u64;
        }
        Ok(())
    }

    /// How wide rows are.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }
}

/// The header with its length before it, where each column's tensor starts behind it, and how many bytes they are.
/// Wider numbers come first, so that all are aligned.
fn header(columns: &[Column], shape: &Shape, replay: &Replay) -> (Vec<u8>, Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by_key(|&column| std::cmp::Reverse(dtype(columns[column].source).bitsize()));
    let (mut starts, mut end) = (vec![0; columns.len()], 0);
    let mut tensors = Vec::new();
    for column in order {
        let (dtype, width) = (dtype(columns[column].source), shape.widths[column]);
        let is_wide = matches!(
            columns[column].source,
            Source::Actions | Source::Actor(_) | Source::Object
        );
        let tensor = if is_wide {
            vec![shape.rows, width]
        } else {
            vec![shape.rows]
        };
        let size = tensor.iter().product::<usize>() * dtype.bitsize() / 8;
        starts[column] = end;
        tensors.push((
            columns[column].name.to_owned(),
            TensorInfo {
                dtype,
                shape: tensor,
                data_offsets: (end, end + size),
            },
        ));
        end += size;
    }
    let record = replay.record();
    let facts = record.map(|record| {
        HashMap::from([
            ("run_id".into(), record.run_id.clone()),
            ("task".into(), record.config.task.name.clone()),
        ])
    });
    let metadata = Metadata::new(facts, tensors).expect("tensors follow each other");
    let mut json = serde_json::to_vec(&metadata).expect("names and numbers");
    json.resize(json.len().next_multiple_of(8), b' ');
    let mut header = (json.len() as u64).to_le_bytes().to_vec();
    header.append(&mut json);
    (header, starts, end)
}

fn bytes(values: &Values, width: usize, rows: usize) -> Vec<u8> {
    match values {
        Values::Whole(values) | Values::Time(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Values::Real(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Values::Truth(values) => values.iter().map(|value| u8::from(*value)).collect(),
        Values::Name(names) => padded((0..rows).map(|row| names.get(row).bytes()), width),
        Values::Actions(lists) => {
            let lists = lists
                .iter()
                .map(|actions| actions.iter().flat_map(|action| action.to_le_bytes()));
            padded(lists, 2 * width)
        }
    }
}

/// Rows of `width` bytes, zeros behind what is shorter.
fn padded(rows: impl Iterator<Item = impl Iterator<Item = u8>>, width: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, row) in rows.enumerate() {
        bytes.extend(row);
        bytes.resize((number + 1) * width, 0);
    }
    bytes
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], place: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, place)
}

#[cfg(not(unix))]
fn write_at(mut file: &File, bytes: &[u8], place: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    file.seek(SeekFrom::Start(place))?;
    file.write_all(bytes)
}
