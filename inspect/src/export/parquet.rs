//! Trajectories as Parquet.

use super::block::{Block, Values};
use super::columns::{Column, Kind, Source};
use crate::InspectError;
use crate::replay::Replay;
use arrow_array::builder::{ArrayBuilder, ListBuilder, UInt16Builder};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float32Array, Int32Array, Int64Array, RecordBatch,
    TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use std::io::{self, Write};
use std::sync::Arc;

/// Trajectories per row group: readers skip whole groups, and one group at a time is in memory.
const GROUP: usize = 1 << 20;

/// The types of columns.
pub(super) fn schema(columns: &[Column]) -> Arc<Schema> {
    let fields = columns
        .iter()
        .map(|column| Field::new(column.name, data_type(column.source), false));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn data_type(source: Source) -> DataType {
    match source {
        Source::Whole | Source::Batch(_, Kind::Number) => DataType::Int64,
        Source::Real | Source::Score(_) => DataType::Float32,
        Source::Batch(_, Kind::Truth) => DataType::Boolean,
        Source::Batch(_, Kind::Time) => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        Source::Actor(_) | Source::Object => DataType::Dictionary(DataType::Int32.into(), DataType::Utf8.into()),
        Source::Actions => DataType::List(item()),
    }
}

const UTC: &str = "UTC";

fn item() -> Arc<Field> {
    Arc::new(Field::new_list_field(DataType::UInt16, false))
}

/// A block as Arrow has it.
pub(super) fn batch(schema: &Arc<Schema>, block: Block) -> Result<RecordBatch, InspectError> {
    let columns = block.columns.into_iter().map(array).collect();
    RecordBatch::try_new(schema.clone(), columns).map_err(|error| output(error.into()))
}

fn array(values: Values) -> ArrayRef {
    match values {
        Values::Whole(values) => Arc::new(Int64Array::from(values)),
        Values::Real(values) => Arc::new(Float32Array::from(values)),
        Values::Truth(values) => Arc::new(BooleanArray::from(values)),
        Values::Time(values) => Arc::new(TimestampMicrosecondArray::from(values).with_timezone(UTC)),
        Values::Name(names) => {
            let keys = Int32Array::from(names.keys);
            Arc::new(DictionaryArray::<Int32Type>::new(keys, names.texts))
        }
        Values::Actions(lists) => {
            let mut builder = ListBuilder::new(UInt16Builder::new()).with_field(item());
            for actions in lists.iter() {
                builder.values().append_slice(actions);
                builder.append(true);
            }
            ArrayBuilder::finish(&mut builder)
        }
    }
}

/// A file under construction.
pub(super) struct File<W: Write + Send>(ArrowWriter<W>);

impl<W: Write + Send> File<W> {
    /// Begins a file that says which run it is of.
    pub fn new(out: W, schema: Arc<Schema>, replay: &Replay) -> Result<Self, InspectError> {
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(GROUP))
            .set_key_value_metadata(Some(facts(replay)));
        for field in schema.fields() {
            let column = || ColumnPath::from(field.name().as_str());
            // Hardly any two are the same: a dictionary would only be tried and thrown away.
            if *field.data_type() == DataType::Float32 {
                properties = properties.set_column_dictionary_enabled(column(), false);
            }
            if field.name() == "seq" {
                properties = properties
                    .set_column_dictionary_enabled(column(), false)
                    .set_column_encoding(column(), Encoding::DELTA_BINARY_PACKED);
            }
        }
        let writer = ArrowWriter::try_new(out, schema, Some(properties.build()));
        writer.map(Self).map_err(output)
    }

    /// Adds trajectories.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), InspectError> {
        self.0.write(batch).map_err(output)
    }

    /// Ends the file; returns what it was written to.
    pub fn finish(self) -> Result<W, InspectError> {
        self.0.into_inner().map_err(output)
    }
}

fn facts(replay: &Replay) -> Vec<KeyValue> {
    let record = replay.record().into_iter();
    let facts = record.flat_map(|record| [("run_id", &record.run_id), ("task", &record.config.task.name)]);
    facts
        .map(|(key, value)| KeyValue::new(format!("thermoflow.{key}"), value.clone()))
        .collect()
}

fn output(error: ParquetError) -> InspectError {
    let error = match error {
        ParquetError::External(cause) => cause.downcast().map_or_else(io::Error::other, |error| *error),
        other => io::Error::other(other),
    };
    InspectError::Output(error)
}
