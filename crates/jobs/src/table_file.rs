//! Feature tables as files: Parquet (lossless, the cache's own form) or CSV.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use assay_features::FeatureTable;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

/// Rows that are written at a time.
const ROWS_PER_GROUP: usize = 65_536;
/// Name of the column of open times.
const TIME: &str = "open_time_ms";

/// The table as a Parquet file: open times in milliseconds, then one double column per
/// feature, NaN before its warm-up.
///
/// # Errors
/// A text when the writer refuses, which real tables do not make it do.
pub fn to_parquet(table: &FeatureTable) -> Result<Vec<u8>, String> {
    let mut fields = vec![Field::new(TIME, DataType::Int64, false)];
    fields.extend(table.names().iter().map(|name| Field::new(name, DataType::Float64, false)));
    let schema = Arc::new(Schema::new(fields));
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).set_dictionary_enabled(false);
    let properties = properties.set_max_row_group_row_count(Some(ROWS_PER_GROUP)).build();
    let mut writer =
        ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties)).map_err(|error| error.to_string())?;
    // A part at a time, so that a large table is not held twice.
    for start in (0..table.len()).step_by(ROWS_PER_GROUP) {
        let rows = start..table.len().min(start + ROWS_PER_GROUP);
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(table.open_time_ms()[rows.clone()].to_vec()))];
        let part = |column: &Vec<f64>| Arc::new(Float64Array::from(column[rows.clone()].to_vec())) as ArrayRef;
        arrays.extend(table.columns().iter().map(part));
        let batch = RecordBatch::try_new(schema.clone(), arrays).map_err(|error| error.to_string())?;
        writer.write(&batch).map_err(|error| error.to_string())?;
    }
    writer.into_inner().map_err(|error| error.to_string())
}

/// The column names and columns of a file that [`to_parquet`] wrote, without the open
/// times.
///
/// # Errors
/// A text saying what is not as written.
pub fn from_parquet(bytes: Vec<u8>) -> Result<(Vec<String>, Vec<Vec<f64>>), String> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes)).map_err(|error| error.to_string())?;
    let schema = builder.schema().clone();
    let names: Vec<String> = schema.fields().iter().skip(1).map(|field| field.name().clone()).collect();
    let mut columns: Vec<Vec<f64>> = vec![Vec::new(); names.len()];
    for batch in builder.build().map_err(|error| error.to_string())? {
        let batch = batch.map_err(|error| error.to_string())?;
        batch.column(0).as_primitive_opt::<Int64Type>().ok_or("the first column is not the open time")?;
        for (column, array) in columns.iter_mut().zip(batch.columns().iter().skip(1)) {
            let array = array.as_primitive_opt::<Float64Type>().ok_or("a column is not of doubles")?;
            column.extend_from_slice(array.values());
        }
    }
    Ok((names, columns))
}

/// The table as CSV: open time in milliseconds, then the columns as shortest decimals,
/// empty before their warm-up.
#[must_use]
pub fn to_csv(table: &FeatureTable) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{TIME},{}\n", table.names().join(","));
    for (index, time) in table.open_time_ms().iter().enumerate() {
        let _ = write!(text, "{time}");
        for column in table.columns() {
            let value = column[index];
            let _ = if value.is_nan() { write!(text, ",") } else { write!(text, ",{value}") };
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::sample_candles;
    use assay_features::FeatureSpec;

    #[test]
    fn parquet_keeps_every_bit() {
        let candles = sample_candles(1).slice(0..300);
        let table = FeatureTable::build(&candles, &FeatureSpec::default()).unwrap();
        let (names, columns) = from_parquet(to_parquet(&table).unwrap()).unwrap();
        assert_eq!(names, table.names());
        let bits = |columns: &[Vec<f64>]| -> Vec<u64> { columns.iter().flatten().map(|v| v.to_bits()).collect() };
        assert_eq!(bits(&columns), bits(table.columns()));
        assert!(from_parquet(b"not parquet".to_vec()).is_err());
    }

    #[test]
    fn csv_has_a_line_per_candle() {
        let candles = sample_candles(1).slice(0..100);
        let table = FeatureTable::build(&candles, &FeatureSpec::default()).unwrap();
        let text = to_csv(&table);
        assert_eq!(text.lines().count(), 101);
        assert!(text.lines().next().unwrap().starts_with("open_time_ms,"));
        let last: Vec<&str> = text.lines().last().unwrap().split(',').collect();
        assert!(last.iter().all(|cell| cell.parse::<f64>().is_ok()));
    }
}
