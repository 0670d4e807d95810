//! What goes wrong, and at which request.

use std::collections::BTreeMap;

/// One way in which a request goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Status 429 with `Retry-After` in seconds.
    RateLimit {
        /// The wait asked for.
        seconds: i64,
    },
    /// Status 429 with `Retry-After` as a date.
    RateLimitUntil {
        /// The wait asked for.
        seconds: i64,
    },
    /// Status 200 with the venue's own code for too many requests; status 429 without
    /// a header where the venue has none.
    RateLimitCode,
    /// Status 418: banned, with `Retry-After` in seconds.
    Ban {
        /// The wait asked for.
        seconds: i64,
    },
    /// A status from 500 to 599.
    ServerError(u16),
    /// The connection is cut in the middle of the body.
    CutConnection,
    /// The body stops for this long in its middle.
    SlowBody {
        /// Real milliseconds.
        wait_ms: u64,
    },
    /// The rows come in a mixed order.
    OutOfOrder,
    /// Rows before and after those asked for come along, some of them twice.
    Overlap,
    /// A row that holds `NaN` for its high.
    BadNumber,
    /// A row whose last fields are missing.
    ShortRow,
    /// A row whose low is above its high.
    ImpossibleRow,
    /// The same open time twice with different values.
    Contradiction,
    /// A page of HTML with status 200, as a proxy sends.
    Html,
    /// One row in the middle of the page is left out.
    DropRow,
    /// The answer says that the rate is used up until the next minute, by the venue's
    /// own headers.
    NearLimit,
}

/// Faults by request number, from 0.
#[derive(Debug, Clone, Default)]
pub struct Schedule(BTreeMap<u64, Fault>);

impl Schedule {
    /// No faults.
    #[must_use]
    pub fn calm() -> Self {
        Self::default()
    }

    /// The given faults at the given requests.
    #[must_use]
    pub fn at(faults: &[(u64, Fault)]) -> Self {
        Self(faults.iter().copied().collect())
    }

    /// The same fault at every request from `first` on, `count` times.
    #[must_use]
    pub fn repeated(fault: Fault, first: u64, count: u64) -> Self {
        Self((first..first + count).map(|request| (request, fault)).collect())
    }

    pub(crate) fn fault(&self, request: u64) -> Option<Fault> {
        self.0.get(&request).copied()
    }
}
