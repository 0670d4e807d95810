//! The Parquet files themselves: times as UTC milliseconds, amounts as
//! `decimal(38, 12)`, so that no digit is lost and other tools read them too.

use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Decimal128Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef, Decimal128Array, PrimitiveArray, RecordBatch, TimestampMillisecondArray};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use assay_types::PRICE_SCALE;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use crate::LakeError;
use crate::import::guarded;

/// Digits of a decimal column.
const PRECISION: u8 = 38;

/// A column of instants.
pub(super) fn times(values: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from(values).with_timezone("UTC"))
}

/// A column of amounts at 1e-12.
pub(super) fn amounts(values: Vec<i128>) -> ArrayRef {
    let array = Decimal128Array::from(values).with_precision_and_scale(PRECISION, PRICE_SCALE as i8);
    Arc::new(array.expect("the precision and scale of the format are valid"))
}

/// The columns as one Parquet file; equal columns give equal bytes.
pub(super) fn write(columns: Vec<(&'static str, ArrayRef)>) -> Bytes {
    let fields: Vec<Field> =
        columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), false)).collect();
    let schema = Arc::new(Schema::new(fields));
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let batch = RecordBatch::try_new(schema.clone(), arrays).expect("columns have one length and their own types");
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).expect("1 is a level of zstd")))
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_created_by("assay lake 1".to_owned())
        .build();
    let mut bytes = Vec::new();
    let mut writer =
        ArrowWriter::try_new(&mut bytes, schema, Some(properties)).expect("the schema holds plain columns only");
    writer.write(&batch).expect("writing to memory does not fail");
    writer.close().expect("writing to memory does not fail");
    bytes.into()
}

/// A Parquet file whose columns are asked for one by one.
pub(super) struct File<'a> {
    object: &'a str,
    batches: Vec<RecordBatch>,
}

impl<'a> File<'a> {
    /// Decodes `bytes`; `object` names them in errors.
    pub(super) fn read(object: &'a str, bytes: Bytes) -> Result<Self, LakeError> {
        let batches = guarded(object, || {
            let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
            let rows = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
            builder.with_batch_size(rows.clamp(1, 65_536)).build()?.collect()
        });
        Ok(Self { object, batches: batches? })
    }

    fn corrupt(&self, detail: String) -> LakeError {
        LakeError::CorruptPartition { object: self.object.to_owned(), detail }
    }

    fn column<T: ArrowPrimitiveType>(&self, name: &str, kind: &DataType) -> Result<Vec<T::Native>, LakeError> {
        let mut values = Vec::with_capacity(self.batches.iter().map(RecordBatch::num_rows).sum());
        for batch in &self.batches {
            let array = batch.column_by_name(name).filter(|array| array.data_type() == kind && array.null_count() == 0);
            let array = array.and_then(|array| array.as_any().downcast_ref::<PrimitiveArray<T>>());
            let array = array.ok_or_else(|| self.corrupt(format!("column `{name}` is not {kind} without nulls")))?;
            values.extend_from_slice(array.values());
        }
        Ok(values)
    }

    /// A column of instants.
    pub(super) fn times(&self, name: &str) -> Result<Vec<i64>, LakeError> {
        self.column::<TimestampMillisecondType>(name, &DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())))
    }

    /// A column of amounts at 1e-12.
    pub(super) fn amounts(&self, name: &str) -> Result<Vec<i128>, LakeError> {
        self.column::<Decimal128Type>(name, &DataType::Decimal128(PRECISION, PRICE_SCALE as i8))
    }

    /// A column of whole numbers.
    pub(super) fn whole(&self, name: &str) -> Result<Vec<i64>, LakeError> {
        self.column::<Int64Type>(name, &DataType::Int64)
    }
}
