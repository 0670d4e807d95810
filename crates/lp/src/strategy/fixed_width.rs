//! `fixed:WIDTH`: one range around the first price of the round, never moved.

use super::view::View;
use crate::query::DesiredPosition;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FixedWidth {
    pub width: i32,
    pub range: Option<(i32, i32)>,
}

impl FixedWidth {
    pub const fn new(width: i32) -> Self {
        Self { width, range: None }
    }

    pub fn wanted(&mut self, view: &View<'_>) -> Option<Vec<DesiredPosition>> {
        let range = *self.range.get_or_insert_with(|| view.around(self.width));
        view.query.current_positions.is_empty().then(|| view.everything_in(range))
    }
}
