//! Whether the keys read and are for their owner alone.

use assay_store::check_key;

use super::{Doctor, Line};

pub(super) fn check(doctor: &Doctor<'_>) -> Line {
    const CHECK: &str = "keys";
    let mut there = 0;
    for path in doctor.home.key_files() {
        match check_key(&path) {
            Ok(found) => there += u32::from(found),
            Err(error) => return Line::fail(CHECK, error.to_string(), format!("chmod 600 {}", path.display())),
        }
    }
    match there {
        0 => Line::ok(CHECK, "none yet; they are made on first use"),
        _ => Line::ok(CHECK, format!("{there} key files, readable by their owner alone")),
    }
}
