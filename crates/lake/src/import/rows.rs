//! Rows of any order into ascending ones without duplicates.

use crate::LakeError;

/// A row and its place in the file.
pub(crate) type Placed<R> = (u64, R);

/// What ordering changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ordered<R> {
    /// Rows in ascending key, each key once.
    pub rows: Vec<R>,
    /// Identical rows merged.
    pub duplicates: u64,
    /// Rows that broke the prevailing direction.
    pub reordered: u64,
}

/// Sorts by `key` and merges identical rows.
///
/// # Errors
/// [`LakeError::ConflictingRows`] when two rows have one key and different values.
pub(crate) fn order<R: Copy + PartialEq>(
    file: &str,
    mut placed: Vec<Placed<R>>,
    key: impl Fn(&R) -> i64,
    name: impl Fn(&R) -> String,
    describe: impl Fn(&R) -> String,
) -> Result<Ordered<R>, LakeError> {
    let reordered = against_direction(&placed, &key);
    placed.sort_by_key(|(line, row)| (key(row), *line));
    let mut rows: Vec<R> = Vec::with_capacity(placed.len());
    let mut kept_line = 0;
    let mut duplicates = 0;
    for (line, row) in placed {
        match rows.last() {
            Some(last) if key(last) == key(&row) => {
                if *last != row {
                    return Err(LakeError::ConflictingRows {
                        file: file.to_owned(),
                        key: name(&row),
                        first_line: kept_line,
                        second_line: line,
                        first: describe(last),
                        second: describe(&row),
                    });
                }
                duplicates += 1;
            }
            _ => {
                rows.push(row);
                kept_line = line;
            }
        }
    }
    Ok(Ordered { rows, duplicates, reordered })
}

/// Rows that lie behind one already met, in the direction most neighbours follow.
fn against_direction<R>(placed: &[Placed<R>], key: impl Fn(&R) -> i64) -> u64 {
    let steps = placed.windows(2).map(|pair| (key(&pair[1].1)).cmp(&key(&pair[0].1)) as i64);
    let sign = if steps.sum::<i64>() < 0 { -1 } else { 1 };
    let mut furthest = None;
    let mut behind = 0;
    for (_, row) in placed {
        let at = key(row).saturating_mul(sign);
        if furthest.is_some_and(|furthest| at < furthest) {
            behind += 1;
        } else {
            furthest = Some(at);
        }
    }
    behind
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ordered(rows: &[(i64, i64)]) -> Result<Ordered<(i64, i64)>, LakeError> {
        let placed = rows.iter().enumerate().map(|(index, row)| (index as u64 + 1, *row)).collect();
        order("f", placed, |row| row.0, |row| row.0.to_string(), |row| row.1.to_string())
    }

    #[test]
    fn direction_is_the_files_own() {
        let count = |keys: &[i64]| {
            let rows: Vec<(i64, i64)> = keys.iter().map(|key| (*key, 0)).collect();
            let result = ordered(&rows).unwrap();
            (result.reordered, result.duplicates)
        };
        assert_eq!(count(&[1, 2, 3, 4]), (0, 0));
        assert_eq!(count(&[4, 3, 2, 1]), (0, 0));
        assert_eq!(count(&[9, 8, 5, 6, 7, 4, 3]), (2, 0));
        assert_eq!(count(&[1, 2, 2, 3]), (0, 1));
        assert_eq!(count(&[]), (0, 0));
    }

    #[test]
    fn a_conflict_names_both_rows() {
        let error = ordered(&[(1, 5), (2, 6), (1, 7)]).unwrap_err().to_string();
        assert!(error.contains("rows 1 and 3") && error.contains("5 against 7"), "{error}");
    }

    proptest! {
        #[test]
        fn any_order_gives_the_same_rows(mut keys in proptest::collection::vec(0_i64..50, 0..60), seed in any::<u64>()) {
            let row = |key: &i64| (*key, key * 3);
            let first = ordered(&keys.iter().map(row).collect::<Vec<_>>()).unwrap();
            let mut state = seed | 1;
            for index in (1..keys.len()).rev() {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                keys.swap(index, (state >> 33) as usize % (index + 1));
            }
            let second = ordered(&keys.iter().map(row).collect::<Vec<_>>()).unwrap();
            prop_assert!(first.rows.windows(2).all(|pair| pair[0].0 < pair[1].0));
            prop_assert_eq!(first.rows.len() + first.duplicates as usize, keys.len());
            prop_assert_eq!(first.rows, second.rows);
        }
    }
}
