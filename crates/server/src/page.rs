//! Lists in pages: `?cursor=&limit=` in, `{ "items": […], "next": CURSOR or null }` out.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::{Code, Problem};

/// Items of a page where none is asked for.
pub const DEFAULT_LIMIT: u32 = 50;
/// Most items of a page.
pub const MAX_LIMIT: u32 = 200;

/// The query of a list without filters. A list with filters repeats the two fields beside its
/// own, because flattened fields would accept unknown ones, and calls [`Paging::new`].
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// `next` of the page before; nothing for the first page.
    pub cursor: Option<String>,
    /// Most items of the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u32>,
}

impl PageQuery {
    /// The page that is asked for.
    ///
    /// # Errors
    /// As [`Paging::new`].
    pub fn paging(&self) -> Result<Paging, Problem> {
        Paging::new(self.cursor.as_deref(), self.limit)
    }
}

/// Which page of a list: after the row with a number, in the order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// The number of the last row of the page before; `None` for the first page.
    pub after: Option<u64>,
    /// Items of the page, from 1 to [`MAX_LIMIT`].
    pub limit: u32,
}

impl Paging {
    /// Reads `cursor` and `limit` of a query.
    ///
    /// # Errors
    /// [`Code::BadRequest`] for a cursor that no page gave or a limit out of its range.
    pub fn new(cursor: Option<&str>, limit: Option<u32>) -> Result<Self, Problem> {
        let after = cursor.map(read_cursor).transpose()?;
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        if !(1..=MAX_LIMIT).contains(&limit) {
            let detail = format!("limit is {limit}; give 1 to {MAX_LIMIT}");
            return Err(Problem::new(Code::BadRequest, detail).field("limit"));
        }
        Ok(Self { after, limit })
    }

    /// The rows to fetch: one more than the page has tells whether there is another page.
    #[must_use]
    pub const fn fetch(self) -> u32 {
        self.limit + 1
    }

    /// The page from up to [`Paging::fetch`] rows, whose numbers `number` gives.
    #[must_use]
    pub fn page<R, T>(self, mut rows: Vec<R>, number: impl Fn(&R) -> u64, item: impl FnMut(R) -> T) -> Page<T> {
        let limit = self.limit as usize;
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| has_more).map(|row| format!("{CURSOR_MARK}{}", number(row)));
        Page { items: rows.into_iter().map(item).collect(), next }
    }
}

/// Marks cursors, so that other numbers are not taken for one.
const CURSOR_MARK: char = 'c';

fn read_cursor(text: &str) -> Result<u64, Problem> {
    let number = text.strip_prefix(CURSOR_MARK).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    // Databases count to 2^63 − 1.
    number.and_then(|digits| digits.parse::<i64>().ok()).map(i64::unsigned_abs).ok_or_else(|| {
        let detail = "the cursor is none that a page gave: pass `next` of the page before, unchanged";
        Problem::new(Code::BadRequest, detail).field("cursor")
    })
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// The cursor of the next page; null on the last one.
    #[schema(required)]
    pub next: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let rows: Vec<u64> = (1..=5).collect();
        let (mut cursor, mut seen) = (None, Vec::new());
        for _ in 0..3 {
            let paging = Paging::new(cursor.as_deref(), Some(2)).unwrap();
            let after = paging.after.unwrap_or(0);
            let found = rows.iter().copied().filter(|row| *row > after).take(paging.fetch() as usize).collect();
            let page = paging.page(found, |row| *row, |row| row);
            seen.extend(page.items);
            cursor = page.next;
        }
        assert_eq!((seen, cursor), (rows, None));
    }

    #[test]
    fn what_no_page_gave_is_refused() {
        for cursor in ["", "c", "5", "c-5", "c+5", "c 5", "c9223372036854775808", "../etc", "c1\0"] {
            assert!(Paging::new(Some(cursor), None).is_err(), "{cursor}");
        }
        for limit in [0, 201, u32::MAX] {
            assert!(Paging::new(None, Some(limit)).is_err(), "{limit}");
        }
    }
}
