//! Graphics processors: training runs on the processor, to the same bits everywhere.

use super::{Doctor, Line};

pub(super) fn check(_doctor: &Doctor<'_>) -> Line {
    let there = std::path::Path::new("/dev/nvidia0").exists();
    Line::ok("gpu", if there { "one is there and not used" } else { "none, and none is used" })
}
