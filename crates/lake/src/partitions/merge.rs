//! New rows into stored ones.

use super::Record;
use crate::LakeError;

/// What to do with a new row that contradicts a stored one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// Refuse the whole call and store nothing.
    #[default]
    Refuse,
    /// The new row wins.
    Replace,
}

/// Rows of both sides.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Merged<R> {
    /// In ascending key, each key once.
    pub rows: Vec<R>,
    /// New keys.
    pub added: u64,
    /// Stored rows whose values the new ones changed.
    pub replaced: u64,
}

/// Merges `new` into `stored`, both in ascending key.
///
/// # Errors
/// [`LakeError::ConflictsWithStored`] under [`OnConflict::Refuse`].
pub(crate) fn merge<R: Record>(
    dataset: &str,
    stored: &[R],
    new: &[R],
    on_conflict: OnConflict,
) -> Result<Merged<R>, LakeError> {
    let mut rows = Vec::with_capacity(stored.len() + new.len());
    let (mut added, mut replaced) = (0, 0);
    let mut left = stored.iter().copied().peekable();
    for row in new {
        while let Some(old) = left.next_if(|old| old.key() < row.key()) {
            rows.push(old);
        }
        match left.next_if(|old| old.key() == row.key()) {
            None => added += 1,
            Some(old) if old == *row => {}
            Some(_) if on_conflict == OnConflict::Replace => replaced += 1,
            Some(old) => {
                return Err(LakeError::ConflictsWithStored {
                    dataset: dataset.to_owned(),
                    key: row.key_text(),
                    stored: old.describe(),
                    new: row.describe(),
                });
            }
        }
        rows.push(*row);
    }
    rows.extend(left);
    Ok(Merged { rows, added, replaced })
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_types::{Candle, Price, Qty};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn rows(map: &BTreeMap<i64, i128>) -> Vec<Candle> {
        let row = |(time, value): (&i64, &i128)| Candle {
            open_time_ms: *time,
            open: Price(*value),
            high: Price(*value),
            low: Price(*value),
            close: Price(*value),
            volume: Qty::ZERO,
        };
        map.iter().map(row).collect()
    }

    fn map() -> impl Strategy<Value = BTreeMap<i64, i128>> {
        proptest::collection::btree_map(0_i64..30, 1_i128..3, 0..30)
    }

    proptest! {
        #[test]
        fn merging_is_a_union(stored in map(), new in map()) {
            let conflict = new.iter().any(|(key, value)| stored.get(key).is_some_and(|old| old != value));
            let refused = merge("d", &rows(&stored), &rows(&new), OnConflict::Refuse);
            prop_assert_eq!(refused.is_err(), conflict);
            let merged = merge("d", &rows(&stored), &rows(&new), OnConflict::Replace).unwrap();
            let mut union = stored.clone();
            union.extend(new.clone());
            prop_assert_eq!(merged.rows, rows(&union));
            prop_assert_eq!(merged.added as usize, union.len() - stored.len());
        }
    }
}
