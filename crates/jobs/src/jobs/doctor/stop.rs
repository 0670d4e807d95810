//! Whether sending is stopped.

use assay_store::Stop;

use super::{Doctor, Line};

pub(super) fn check(doctor: &Doctor<'_>) -> Line {
    const CHECK: &str = "stop";
    let stop = Stop::at(&doctor.home);
    if !stop.is_stopped() {
        return Line::ok(CHECK, "not stopped");
    }
    let found = stop.mark().map_or_else(
        || format!("stopped by the file {}", stop.path().display()),
        |mark| format!("stopped since {} by {}: {}", mark.at, mark.by, mark.reason),
    );
    let fix = format!("assay --home {} resume --reason checked", doctor.home.path().display());
    Line::warning(CHECK, format!("{found}; no signal leaves"), fix)
}
