//! The time an edge goes by: the system's, or a simulated one in which waiting costs
//! nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A source of the present time and of waiting.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The system's clock.
    #[default]
    System,
    /// A clock that moves only when someone waits.
    Simulated(Arc<AtomicI64>),
}

impl Clock {
    /// A simulated clock that stands at `now_ms`.
    #[must_use]
    pub fn simulated(now_ms: i64) -> Self {
        Self::Simulated(Arc::new(AtomicI64::new(now_ms)))
    }

    /// Milliseconds since 1970 UTC.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        match self {
            Self::System => jiff::Timestamp::now().as_millisecond(),
            Self::Simulated(now) => now.load(Ordering::SeqCst),
        }
    }

    /// Waits; a negative time is none.
    pub(crate) async fn sleep_ms(&self, wait_ms: i64) {
        let wait_ms = wait_ms.max(0);
        match self {
            Self::System => tokio::time::sleep(Duration::from_millis(wait_ms as u64)).await,
            Self::Simulated(now) => {
                now.fetch_add(wait_ms, Ordering::SeqCst);
            }
        }
    }
}
