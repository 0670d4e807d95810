//! Private relays of bundles: this release sends none.

use super::{Doctor, Line};

pub(super) fn check(_doctor: &Doctor<'_>) -> Line {
    Line::ok("relay", "not configured: this release sends no bundles")
}
