//! Any file as a header and rows of cells: the kind is told from the first bytes,
//! never from the name.

use std::io::Read;
use std::path::Path;

use bytes::Bytes;

use super::cell::Cell;
use super::{arrow, delimited};
use crate::LakeError;

/// The largest file that is read, after decompression.
pub(super) const MAX_FILE_BYTES: u64 = 8 << 30;

/// Where the wanted columns are: an index into the header for each, `None` for one
/// that is optional and absent.
pub(super) type Selection = Vec<Option<usize>>;

/// Chooses columns from a header.
pub(super) type Select<'a> = &'a dyn Fn(&[String]) -> Result<Selection, LakeError>;

/// Takes a row: its place in the file (line of a text, row of a table, from 1) and
/// the selected cells, or none when the line is shorter than the header. An error ends
/// the reading.
pub(super) type TakeRow<'a> = &'a mut dyn FnMut(u64, &[Cell<'_>]) -> Result<(), LakeError>;

/// The content of `path`.
pub(super) fn read_file(path: &Path) -> Result<Bytes, LakeError> {
    let error = |source| LakeError::io(path.display(), source);
    let metadata = std::fs::metadata(path).map_err(error)?;
    if metadata.is_dir() {
        return Err(LakeError::Format {
            file: path.display().to_string(),
            detail: "is a folder; name one file".to_owned(),
        });
    }
    check_size(&path.display().to_string(), metadata.len())?;
    std::fs::read(path).map(Bytes::from).map_err(error)
}

fn check_size(file: &str, bytes: u64) -> Result<(), LakeError> {
    if bytes > MAX_FILE_BYTES {
        let detail = format!("is larger than {MAX_FILE_BYTES} bytes; split it");
        return Err(LakeError::Format { file: file.to_owned(), detail });
    }
    Ok(())
}

/// Undoes gzip when `bytes` start with its mark.
pub(super) fn decompress(file: &str, bytes: Bytes) -> Result<Bytes, LakeError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    let mut reader = flate2::read::MultiGzDecoder::new(bytes.as_ref()).take(MAX_FILE_BYTES + 1);
    reader.read_to_end(&mut plain).map_err(|error| LakeError::Format {
        file: file.to_owned(),
        detail: format!("the gzip data are damaged or cut off ({error}); copy the file again"),
    })?;
    check_size(file, plain.len() as u64)?;
    Ok(plain.into())
}

/// Reads every row of a file of any kind.
pub(super) fn read_table(file: &str, bytes: Bytes, select: Select<'_>, row: TakeRow<'_>) -> Result<(), LakeError> {
    let bytes = decompress(file, bytes)?;
    let format = |detail: &str| LakeError::Format { file: file.to_owned(), detail: detail.to_owned() };
    if bytes.is_empty() {
        Err(format("the file is empty"))
    } else if bytes.starts_with(b"ARROW1") {
        arrow::read_feather(file, bytes, select, row)
    } else if bytes.starts_with(b"PAR1") {
        arrow::read_parquet(file, bytes, select, row)
    } else if bytes.starts_with(b"FEA1") {
        Err(format("Feather version 1 is not read; write it again as version 2 (Arrow IPC) or as Parquet"))
    } else if bytes.starts_with(&[0xff, 0xff, 0xff, 0xff]) {
        arrow::read_stream(file, bytes, select, row)
    } else if bytes.iter().take(4096).any(|&byte| byte == 0) {
        Err(format("is neither CSV, Feather (Arrow IPC) nor Parquet"))
    } else {
        delimited::read(file, &bytes, select, row)
    }
}
