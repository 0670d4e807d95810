//! The registry's contracts: this release keeps its registry on this machine.

use super::{Doctor, Line};

pub(super) fn check(_doctor: &Doctor<'_>) -> Line {
    Line::ok("contracts", "not configured: models are published on this machine alone")
}
