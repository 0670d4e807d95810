//! The manifest of a dataset: which partition files are its content, with their
//! hashes. Writing it is the one step that makes a change real.

use std::collections::BTreeMap;

use assay_types::{Gap, Hash, Timeframe};
use serde::{Deserialize, Serialize};

use crate::LakeError;
use crate::partitions::{Record, check_time};

/// The version of the manifest's form.
const VERSION: u32 = 1;

/// What a dataset consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this form: 1.
    pub version: u32,
    /// Name of the dataset.
    pub dataset: String,
    /// Partitions by name (`2024-01` for candles, `2024-01-31` for trades).
    pub partitions: BTreeMap<String, Partition>,
}

/// One partition of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// File name beside the manifest.
    pub file: String,
    /// Rows in it.
    pub rows: u64,
    /// Time of the first row, milliseconds since 1970 UTC.
    pub first_ms: i64,
    /// Time of the last row, milliseconds since 1970 UTC.
    pub last_ms: i64,
    /// SHA-256 of the file's bytes.
    pub sha256: Hash,
    /// Ids of the first and the last trade; `None` for candles, whose key is the time.
    pub ids: Option<(i64, i64)>,
    /// Holes inside the partition, as the first missing open time and the open time
    /// that ends the hole; always empty for trades.
    pub holes: Vec<(i64, i64)>,
}

/// Rows that a partition may claim; sums over every partition stay far below overflow.
const MAX_ROWS: u64 = 1 << 40;

impl Manifest {
    /// A dataset without rows.
    pub(crate) fn new(dataset: &str) -> Self {
        Self { version: VERSION, dataset: dataset.to_owned(), partitions: BTreeMap::new() }
    }

    /// Reads a manifest and checks that it is about `dataset`.
    pub(crate) fn from_json(object: &str, dataset: &str, bytes: &[u8]) -> Result<Self, LakeError> {
        let error = |detail: String| LakeError::Manifest { object: object.to_owned(), detail };
        let manifest: Self = serde_json::from_slice(bytes).map_err(|source| error(source.to_string()))?;
        if manifest.version != VERSION {
            return Err(error(format!("version {}", manifest.version)));
        }
        if manifest.dataset != dataset {
            return Err(error(format!("it is about {}", manifest.dataset)));
        }
        // A name with a separator could reach outside the dataset's folder.
        if let Some(partition) = manifest.partitions.values().find(|partition| partition.file.contains(['/', '\\'])) {
            return Err(error(format!("`{}` is not a file name", partition.file)));
        }
        for (name, partition) in &manifest.partitions {
            partition.check().map_err(|reason| error(format!("partition {name}: {reason}")))?;
        }
        Ok(manifest)
    }

    /// The manifest as text.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).expect("a manifest holds text and whole numbers only");
        text.push(b'\n');
        text
    }

    /// Rows of all partitions.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.partitions.values().map(|partition| partition.rows).sum()
    }

    /// Every hole inside and between partitions, in order.
    #[must_use]
    pub fn gaps(&self, timeframe: Timeframe) -> Vec<Gap> {
        let step = timeframe.ms();
        let mut gaps = Vec::new();
        let mut gap = |from_ms: i64, to_ms: i64| {
            if to_ms > from_ms {
                gaps.push(Gap { from_ms, to_ms, missing: ((to_ms - from_ms) / step) as u64 });
            }
        };
        let mut next_ms = None;
        for partition in self.partitions.values() {
            gap(next_ms.unwrap_or(partition.first_ms), partition.first_ms);
            partition.holes.iter().for_each(|&(from_ms, to_ms)| gap(from_ms, to_ms));
            next_ms = Some(partition.last_ms + step);
        }
        gaps
    }
}

impl Partition {
    /// Checks that its times and its count are ones that rows can have.
    fn check(&self) -> Result<(), String> {
        let ends = [self.first_ms, self.last_ms];
        let holes = self.holes.iter().flat_map(|&(from_ms, to_ms)| [from_ms, to_ms]);
        ends.into_iter().chain(holes).try_for_each(check_time)?;
        if self.rows > MAX_ROWS {
            return Err(format!("{} rows are more than a partition can hold", self.rows));
        }
        Ok(())
    }

    /// Describes `rows` (at least one, ascending) stored under `name` as `bytes`.
    pub(crate) fn describe<R: Record>(name: &str, rows: &[R], bytes: &[u8], step_ms: Option<i64>) -> Self {
        let sha256 = Hash::of(bytes);
        let digest = sha256.to_string();
        let (first, last) = (rows.first(), rows.last());
        let time = |row: Option<&R>| row.map_or(0, Record::time_ms);
        Self {
            file: format!("{name}-{}.parquet", &digest[..16]),
            rows: rows.len() as u64,
            first_ms: time(first),
            last_ms: time(last),
            sha256,
            ids: if step_ms.is_none() { first.map(Record::key).zip(last.map(Record::key)) } else { None },
            holes: step_ms.map(|step| holes(rows, step)).unwrap_or_default(),
        }
    }
}

fn holes<R: Record>(rows: &[R], step_ms: i64) -> Vec<(i64, i64)> {
    let pairs = rows.windows(2).map(|pair| (pair[0].time_ms() + step_ms, pair[1].time_ms()));
    pairs.filter(|(expected, found)| found > expected).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_manifest_reads_back_and_refuses_others() {
        let mut manifest = Manifest::new("binance/BTC-USDT/1h");
        let hash = Hash::of(b"x");
        let partition = Partition {
            file: "a".into(),
            rows: 2,
            first_ms: 0,
            last_ms: 9,
            sha256: hash,
            ids: None,
            holes: vec![(1, 5)],
        };
        manifest.partitions.insert("1970-01".into(), partition.clone());
        let text = manifest.to_json();
        assert_eq!(Manifest::from_json("m", "binance/BTC-USDT/1h", &text).unwrap(), manifest);
        assert!(Manifest::from_json("m", "binance/ETH-USDT/1h", &text).is_err());
        assert!(Manifest::from_json("m", "binance/BTC-USDT/1h", &text[..text.len() / 2]).is_err());
        manifest.partitions.insert("1970-02".into(), Partition { file: "../../x".into(), ..partition });
        assert!(Manifest::from_json("m", "binance/BTC-USDT/1h", &manifest.to_json()).is_err());
    }

    #[test]
    fn times_and_counts_that_no_row_has_are_refused() {
        let read = |first_ms: i64, last_ms: i64, rows: u64, hole: i64| {
            let partition = serde_json::json!({
                "file": "2024-01-0.parquet", "rows": rows, "first_ms": first_ms, "last_ms": last_ms,
                "sha256": "0".repeat(64), "holes": [[hole, hole]],
            });
            let manifest = serde_json::json!({ "version": VERSION, "dataset": "a/B-C/1h", "partitions": { "2024-01": partition } });
            Manifest::from_json("m", "a/B-C/1h", manifest.to_string().as_bytes())
        };
        assert!(read(0, 3_600_000, 2, 0).is_ok());
        for (first_ms, last_ms, rows, hole) in
            [(i64::MIN, 0, 1, 0), (0, i64::MAX, 1, 0), (0, 0, u64::MAX, 0), (0, 0, 1, i64::MIN)]
        {
            let error = read(first_ms, last_ms, rows, hole).unwrap_err().to_string();
            assert!(error.contains("partition 2024-01"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Manifest::from_json("m", "d", &bytes).is_err());
        }
    }
}
