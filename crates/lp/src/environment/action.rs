//! What a trained policy may choose: a fixed list of ranges.

use assay_amm::U256;

use crate::amounts::Amounts;
use crate::query::DesiredPosition;
use crate::strategy::view::{View, position};

/// A choice at a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// What stands stays.
    Keep,
    /// Everything goes back to the inventory.
    Withdraw,
    /// All tokens between the lowest and the highest usable tick.
    FullRange,
    /// One in `part` of each token in a range of `width` ticks around the price, rounded up
    /// to the grid and to the job's narrowest range.
    Range {
        /// Ticks from end to end.
        width: i32,
        /// 1 for everything.
        part: u32,
    },
}

/// The list; a policy's outputs are in this order.
pub const ACTIONS: [Action; 11] = [
    Action::Keep,
    Action::Withdraw,
    Action::FullRange,
    Action::Range { width: 400, part: 1 },
    Action::Range { width: 1_000, part: 1 },
    Action::Range { width: 4_000, part: 1 },
    Action::Range { width: 20_000, part: 1 },
    Action::Range { width: 400, part: 8 },
    Action::Range { width: 1_000, part: 8 },
    Action::Range { width: 4_000, part: 8 },
    Action::Range { width: 20_000, part: 8 },
];

impl Action {
    /// The name in a policy's file.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Keep => "keep".to_owned(),
            Self::Withdraw => "withdraw".to_owned(),
            Self::FullRange => "full-range".to_owned(),
            Self::Range { width, part: 1 } => format!("range:{width}"),
            Self::Range { width, part } => format!("range:{width}/{part}"),
        }
    }

    /// The positions wanted now; `None` to keep what stands.
    pub(super) fn wanted(self, view: &View<'_>) -> Option<Vec<DesiredPosition>> {
        match self {
            Self::Keep => None,
            Self::Withdraw => (!view.query.current_positions.is_empty()).then(Vec::new),
            Self::FullRange => Some(view.everything_in(view.widest())),
            Self::Range { width, part } => {
                let [amount0, amount1] = view.tokens.pair().map(|amount| amount / U256::from(part));
                Some(vec![position(view.around(width), Amounts { amount0, amount1 })])
            }
        }
    }
}
