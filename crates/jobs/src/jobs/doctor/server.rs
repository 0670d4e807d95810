//! Whether a server runs on this home.

use super::{Doctor, Line};

pub(super) fn check(doctor: &Doctor<'_>) -> Line {
    let is_running = doctor.home.is_locked("server");
    Line::ok("server", if is_running { "running on this home" } else { "not running; `assay up` starts it" })
}
