//! What can go wrong between a file, an exchange and the lake.

use assay_types::{Dataset, Hash, Timeframe, time::format_utc};

use crate::import::Rejected;

/// Every failure of the lake; the text says what, where and how to fix it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LakeError {
    /// A file or folder of the operating system.
    #[error("{path}: {source}{hint}", hint = io_hint(.source))]
    Io {
        /// The file or folder.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that cannot be read as what it claims to be: damaged, cut off, or of another kind.
    #[error("{file}: {detail}")]
    Format {
        /// The file.
        file: String,
        /// What is wrong, with the way out.
        detail: String,
    },
    /// Needed columns that no header name stands for.
    #[error("{file}: no column for {missing}; found columns: {found}; needed: {needed}")]
    Columns {
        /// The file.
        file: String,
        /// What could not be found.
        missing: String,
        /// The header, as found.
        found: String,
        /// What a header needs.
        needed: &'static str,
    },
    /// Columns whose meaning is not known; nothing is dropped without a word.
    #[error(
        "{file}: unknown columns {unknown}; remove or rename them, or pass --ignore-columns to import without them"
    )]
    UnknownColumns {
        /// The file.
        file: String,
        /// Their names.
        unknown: String,
    },
    /// Rows that no market can print.
    #[error("{file}: {count} of {rows} rows are refused: {listed}; correct them, or pass --skip-bad to import the rest and list them", count = .rejected.len(), listed = first_rejected(.rejected))]
    Rejected {
        /// The file.
        file: String,
        /// Rows in the file.
        rows: u64,
        /// Every refused row.
        rejected: Vec<Rejected>,
    },
    /// Two rows of one file with one key and different values.
    #[error(
        "{file}: rows {first_line} and {second_line} both stand for {key} and differ ({first} against {second}); remove the wrong one"
    )]
    ConflictingRows {
        /// The file or page.
        file: String,
        /// The open time or trade id.
        key: String,
        /// Place of the first row in the file.
        first_line: u64,
        /// Place of the second row in the file.
        second_line: u64,
        /// Values of the first row.
        first: String,
        /// Values of the second row.
        second: String,
    },
    /// A new row that contradicts a stored one.
    #[error(
        "{dataset}: the row of {key} is stored as {stored}, the new one is {new}; keep the stored row by leaving it out, or pass --replace to let the new rows win"
    )]
    ConflictsWithStored {
        /// The dataset.
        dataset: String,
        /// The open time or trade id.
        key: String,
        /// What the lake holds.
        stored: String,
        /// What was to be stored.
        new: String,
    },
    /// Rows that are further apart than the timeframe asked for.
    #[error(
        "{file}: no two rows are {timeframe} apart, the closest are {closest_ms} ms apart; pass the timeframe of the file"
    )]
    Spacing {
        /// The file.
        file: String,
        /// The timeframe asked for.
        timeframe: Timeframe,
        /// The smallest distance of two rows.
        closest_ms: i64,
    },
    /// A file about another symbol.
    #[error("{file}: row {line} is about `{found}`, not {expected}; pass the symbol of the file")]
    Symbol {
        /// The file.
        file: String,
        /// Place of the row.
        line: u64,
        /// The symbol in the file.
        found: String,
        /// The symbol asked for.
        expected: String,
    },
    /// The object store refused or failed.
    #[error("{object}: {source}{hint}", hint = store_hint(.source))]
    Store {
        /// The object or folder.
        object: String,
        /// What the store said.
        source: object_store::Error,
    },
    /// Settings of an object store that it does not accept.
    #[error("object store {location}: {detail}")]
    Settings {
        /// The store.
        location: String,
        /// What is wrong.
        detail: String,
    },
    /// Another process is writing the same dataset.
    #[error("{dataset} is being written by another process; wait for it to end and try again")]
    Locked {
        /// The dataset.
        dataset: String,
    },
    /// A manifest that is not one.
    #[error(
        "{object}: not a manifest of this version ({detail}); restore it from a backup, or remove the dataset's folder and import again"
    )]
    Manifest {
        /// The manifest.
        object: String,
        /// What is wrong.
        detail: String,
    },
    /// A partition whose bytes are not those that were stored.
    #[error(
        "{object}: SHA-256 is {actual}, the manifest says {expected}; `assay data check --repair` fetches its range again"
    )]
    HashMismatch {
        /// The partition.
        object: String,
        /// What the manifest pins.
        expected: Hash,
        /// What the bytes give.
        actual: Hash,
    },
    /// A partition that the manifest names and the store does not have.
    #[error("{object}: the partition is missing; `assay data check --repair` fetches its range again")]
    MissingPartition {
        /// The partition.
        object: String,
    },
    /// A partition whose content breaks a rule of the lake.
    #[error("{object}: {detail}; `assay data check --repair` fetches its range again")]
    CorruptPartition {
        /// The partition.
        object: String,
        /// What is wrong.
        detail: String,
    },
    /// A dataset that the lake does not hold.
    #[error("the lake holds no {dataset}; {known}; add it with `assay data import` or `assay data fetch`")]
    NoDataset {
        /// The dataset asked for.
        dataset: String,
        /// What there is.
        known: String,
    },
    /// A request that failed as often as is allowed.
    #[error(
        "{url}: {detail} after {attempts} attempts; what was fetched is stored, run the same command again to go on"
    )]
    Request {
        /// The address.
        url: String,
        /// The last failure.
        detail: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// An exchange that refuses the request.
    #[error("{url}: the exchange refuses: {detail}")]
    Refused {
        /// The address.
        url: String,
        /// Code and message of the exchange.
        detail: String,
    },
    /// An answer of an exchange that is not what its interface promises.
    #[error("{url}: {place} is malformed: {detail}")]
    Malformed {
        /// The address.
        url: String,
        /// Which row, or the body.
        place: String,
        /// What is wrong.
        detail: String,
    },
    /// Something the exchange does not offer.
    #[error("{0}")]
    Unsupported(String),
    /// A time range that holds nothing.
    #[error("the range from {from} to {to} is empty; the end must be after the start", from = format_utc(*.from_ms), to = format_utc(*.to_ms))]
    EmptyRange {
        /// Its first instant.
        from_ms: i64,
        /// The instant it ends before.
        to_ms: i64,
    },
    /// Rows that cannot make candles of another length.
    #[error("cannot resample: {0}")]
    Resample(String),
}

impl LakeError {
    /// Whether the same call may succeed later without a change.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Locked { .. } | Self::Request { .. })
    }

    pub(crate) fn io(path: impl std::fmt::Display, source: std::io::Error) -> Self {
        Self::Io { path: path.to_string(), source }
    }

    pub(crate) fn no_dataset(dataset: &Dataset, known: &[Dataset]) -> Self {
        let names: Vec<String> = known.iter().map(ToString::to_string).collect();
        Self::NoDataset { dataset: dataset.to_string(), known: known_text(&names) }
    }
}

/// What the lake holds, for messages.
pub(crate) fn known_text(names: &[String]) -> String {
    if names.is_empty() { "it is empty".to_owned() } else { format!("it holds {}", names.join(", ")) }
}

/// How many refused rows a message lists; the report lists all.
const LISTED: usize = 3;

fn first_rejected(rejected: &[Rejected]) -> String {
    let mut text: Vec<String> =
        rejected.iter().take(LISTED).map(|row| format!("row {}: {}", row.line, row.reason)).collect();
    if rejected.len() > LISTED {
        text.push(format!("and {} more", rejected.len() - LISTED));
    }
    text.join("; ")
}

fn io_hint(source: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "; free some space and run the same command again, nothing stored is lost"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "; choose a folder you may write to with --home, or change its permissions"
        }
        _ => "",
    }
}

fn store_hint(source: &object_store::Error) -> &'static str {
    let mut cause: Option<&dyn std::error::Error> = Some(source);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return io_hint(io);
        }
        cause = error.source();
    }
    ""
}
