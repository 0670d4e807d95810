//! Feather (Arrow IPC, file or stream) and Parquet.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch, cast::as_dictionary_array};
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, DataType, SchemaRef, TimeUnit};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::cell::Cell;
use super::lengths::{check_file, check_stream};
use super::table::{Select, Selection, TakeRow};
use crate::LakeError;

/// Reads every row of an Arrow IPC file.
pub(super) fn read_feather(file: &str, bytes: Bytes, select: Select<'_>, row: TakeRow<'_>) -> Result<(), LakeError> {
    guarded(file, || Ok(check_file(file, &bytes)))??;
    let mut reader = guarded(file, || FileReader::try_new(Cursor::new(bytes), None))?;
    let schema = reader.schema();
    read_batches(file, &schema, select, row, &mut || reader.next())
}

/// Reads every row of an Arrow IPC stream.
pub(super) fn read_stream(file: &str, bytes: Bytes, select: Select<'_>, row: TakeRow<'_>) -> Result<(), LakeError> {
    guarded(file, || Ok(check_stream(file, &bytes)))??;
    let mut reader = guarded(file, || StreamReader::try_new(Cursor::new(bytes), None))?;
    let schema = reader.schema();
    read_batches(file, &schema, select, row, &mut || reader.next())
}

/// Reads every row of a Parquet file.
pub(super) fn read_parquet(file: &str, bytes: Bytes, select: Select<'_>, row: TakeRow<'_>) -> Result<(), LakeError> {
    let mut reader = guarded(file, || {
        let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
        Ok((builder.schema().clone(), builder.with_batch_size(16_384).build()?))
    })?;
    read_batches(file, &reader.0, select, row, &mut || reader.1.next())
}

/// Runs a decoder of another project: what it reports, and what it panics over on
/// damaged bytes, is one error.
pub(crate) fn guarded<T>(file: &str, decode: impl FnOnce() -> Result<T, ArrowError>) -> Result<T, LakeError> {
    let format = |detail: String| LakeError::Format { file: file.to_owned(), detail };
    match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(format(format!("the file is damaged or cut off ({error}); copy it again"))),
        Err(_) => Err(format("the file is damaged: its decoder gave up; copy it again".to_owned())),
    }
}

fn read_batches(
    file: &str,
    schema: &SchemaRef,
    select: Select<'_>,
    row: TakeRow<'_>,
    next: &mut dyn FnMut() -> Option<Result<RecordBatch, ArrowError>>,
) -> Result<(), LakeError> {
    let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let selection = select(&names)?;
    let mut line = 0;
    while let Some(batch) = guarded(file, || next().transpose())? {
        read_batch(file, &batch, &selection, &mut line, row)?;
    }
    Ok(())
}

fn read_batch(
    file: &str,
    batch: &RecordBatch,
    selection: &Selection,
    line: &mut u64,
    row: TakeRow<'_>,
) -> Result<(), LakeError> {
    let columns: Vec<Option<Column<'_>>> = selection
        .iter()
        .map(|index| {
            index
                .map(|index| Column::new(file, batch.schema_ref().field(index).name(), batch.column(index)))
                .transpose()
        })
        .collect::<Result<_, _>>()?;
    let mut cells = Vec::with_capacity(columns.len());
    for index in 0..batch.num_rows() {
        *line += 1;
        cells.clear();
        cells.extend(columns.iter().map(|column| column.as_ref().map_or(Cell::Null, |column| column.cell(index))));
        row(*line, &cells)?;
    }
    Ok(())
}

/// A column whose type is known, so that a row only indexes.
enum Column<'a> {
    Int64(&'a arrow_array::Int64Array),
    Int(Vec<Option<i64>>),
    Double(&'a arrow_array::Float64Array),
    Single(&'a arrow_array::Float32Array),
    Decimal(&'a arrow_array::Decimal128Array, i8),
    Instant(Vec<Option<i64>>, i64),
    Day(&'a arrow_array::Date32Array),
    Truth(&'a arrow_array::BooleanArray),
    Text(Vec<Option<&'a str>>),
    Nothing,
}

impl<'a> Column<'a> {
    fn new(file: &str, name: &str, array: &'a ArrayRef) -> Result<Self, LakeError> {
        macro_rules! whole {
            ($kind:ty) => {
                Self::Int(array.as_primitive::<$kind>().iter().map(|value| value.map(i64::from)).collect())
            };
        }
        macro_rules! instant {
            ($kind:ty, $per_second:expr) => {
                Self::Instant(array.as_primitive::<$kind>().iter().collect(), $per_second)
            };
        }
        Ok(match array.data_type() {
            DataType::Int64 => Self::Int64(array.as_primitive::<Int64Type>()),
            DataType::Int8 => whole!(Int8Type),
            DataType::Int16 => whole!(Int16Type),
            DataType::Int32 => whole!(Int32Type),
            DataType::UInt8 => whole!(UInt8Type),
            DataType::UInt16 => whole!(UInt16Type),
            DataType::UInt32 => whole!(UInt32Type),
            DataType::UInt64 => Self::Int(
                array
                    .as_primitive::<UInt64Type>()
                    .iter()
                    .map(|value| value.and_then(|v| i64::try_from(v).ok()))
                    .collect(),
            ),
            DataType::Float64 => Self::Double(array.as_primitive::<Float64Type>()),
            DataType::Float32 => Self::Single(array.as_primitive::<Float32Type>()),
            DataType::Decimal128(_, places) => Self::Decimal(array.as_primitive::<Decimal128Type>(), *places),
            DataType::Timestamp(TimeUnit::Second, _) => instant!(TimestampSecondType, 1),
            DataType::Timestamp(TimeUnit::Millisecond, _) => instant!(TimestampMillisecondType, 1000),
            DataType::Timestamp(TimeUnit::Microsecond, _) => instant!(TimestampMicrosecondType, 1_000_000),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => instant!(TimestampNanosecondType, 1_000_000_000),
            DataType::Date32 => Self::Day(array.as_primitive::<Date32Type>()),
            DataType::Date64 => instant!(Date64Type, 1000),
            DataType::Boolean => Self::Truth(array.as_boolean()),
            DataType::Utf8 => Self::Text(array.as_string::<i32>().iter().collect()),
            DataType::LargeUtf8 => Self::Text(array.as_string::<i64>().iter().collect()),
            DataType::Utf8View => Self::Text(array.as_string_view().iter().collect()),
            DataType::Null => Self::Nothing,
            DataType::Dictionary(key, _) => {
                Self::Text(dictionary_text(array, key).ok_or_else(|| refuse(file, name, array))?)
            }
            _ => return Err(refuse(file, name, array)),
        })
    }

    fn cell(&self, row: usize) -> Cell<'_> {
        macro_rules! value {
            ($array:expr, $make:expr) => {
                if $array.is_null(row) { Cell::Null } else { $make($array.value(row)) }
            };
        }
        match self {
            Self::Int64(array) => value!(array, Cell::Int),
            Self::Int(values) => values[row].map_or(Cell::Null, Cell::Int),
            Self::Double(array) => value!(array, Cell::Double),
            Self::Single(array) => value!(array, Cell::Single),
            Self::Decimal(array, places) => value!(array, |value| Cell::Decimal(value, *places)),
            Self::Instant(values, per_second) => {
                values[row].map_or(Cell::Null, |value| Cell::Instant(value, *per_second))
            }
            Self::Day(array) => value!(array, Cell::Day),
            Self::Truth(array) => value!(array, Cell::Truth),
            Self::Text(values) => values[row].map_or(Cell::Null, Cell::Text),
            Self::Nothing => Cell::Null,
        }
    }
}

fn refuse(file: &str, name: &str, array: &ArrayRef) -> LakeError {
    LakeError::Format {
        file: file.to_owned(),
        detail: format!(
            "column `{name}` has the type {}, which is not read; write it as a number, text or timestamp",
            array.data_type()
        ),
    }
}

/// The texts of a dictionary column with 8 to 64-bit keys.
fn dictionary_text<'a>(array: &'a ArrayRef, key: &DataType) -> Option<Vec<Option<&'a str>>> {
    macro_rules! texts {
        ($kind:ty) => {{
            let dictionary = as_dictionary_array::<$kind>(array.as_ref());
            let values: Vec<Option<&str>> = match dictionary.values().data_type() {
                DataType::Utf8 => dictionary.values().as_string::<i32>().iter().collect(),
                DataType::LargeUtf8 => dictionary.values().as_string::<i64>().iter().collect(),
                _ => return None,
            };
            let keys = dictionary.keys().iter();
            keys.map(|key| key.and_then(|key| *values.get(usize::try_from(key).ok()?)?)).collect()
        }};
    }
    Some(match key {
        DataType::Int8 => texts!(Int8Type),
        DataType::Int16 => texts!(Int16Type),
        DataType::Int32 => texts!(Int32Type),
        DataType::Int64 => texts!(Int64Type),
        _ => return None,
    })
}
