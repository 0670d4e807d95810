//! `recentre:WIDTH`: one range around the price, laid anew when the price has left it.

use super::view::View;
use crate::query::DesiredPosition;

pub(super) fn wanted(view: &View<'_>, width: i32) -> Option<Vec<DesiredPosition>> {
    (!view.is_in_position()).then(|| view.everything_in(view.around(width)))
}
