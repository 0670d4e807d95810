//! `full-range`: everything between the lowest and the highest usable tick, as in a pool
//! without ranges.

use super::view::View;
use crate::query::DesiredPosition;

pub(super) fn wanted(view: &View<'_>) -> Option<Vec<DesiredPosition>> {
    view.query.current_positions.is_empty().then(|| view.everything_in(view.widest()))
}
