//! Whether the home can be written, and how much room its disk has.

use std::path::{Path, PathBuf};

use super::{Doctor, Line};

/// Less free space than this stops work.
const LEAST_BYTES: u64 = 200 << 20;
/// Less than this is worth a word.
const LOW_BYTES: u64 = 2 << 30;

/// Writes a file of its own and removes it, in the home or, before that is made, in the
/// folder that it will be made in.
pub(super) fn writable(doctor: &Doctor<'_>) -> Line {
    const CHECK: &str = "home";
    let home = doctor.home.path();
    let place = nearest_folder(home);
    let probe = place.join(format!(".assay-doctor-{}", std::process::id()));
    let written = std::fs::write(&probe, b"assay").and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) if place == home => Line::ok(CHECK, format!("{} can be written", home.display())),
        Ok(()) => Line::ok(CHECK, format!("{} is not there yet and can be made", home.display())),
        Err(error) => {
            let found = format!("{} cannot be written: {error}", home.display());
            Line::fail(CHECK, found, "export ASSAY_HOME=\"$HOME/.assay\"")
        }
    }
}

/// The free space on the disk of the home.
pub(super) fn space(doctor: &Doctor<'_>) -> Line {
    let place = nearest_folder(doctor.home.path());
    match free_bytes(&place) {
        Ok(free) => space_line(free, doctor.home.path()),
        Err(error) => {
            let found = format!("the free space of {} is unknown: {error}", place.display());
            Line::warning("disk", found, format!("df -h {}", place.display()))
        }
    }
}

fn space_line(free: u64, home: &Path) -> Line {
    let found = format!("{} MB free", free >> 20);
    let fix = format!("du -sh {}/* | sort -h", home.display());
    match free {
        0..LEAST_BYTES => Line::fail("disk", format!("{found}, work needs at least {} MB", LEAST_BYTES >> 20), fix),
        LEAST_BYTES..LOW_BYTES => Line::warning("disk", format!("{found}, which is little"), fix),
        _ => Line::ok("disk", found),
    }
}

/// `path` or the nearest folder above it that is there.
fn nearest_folder(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/")).to_owned()
}

#[cfg(unix)]
fn free_bytes(folder: &Path) -> std::io::Result<u64> {
    let found = rustix::fs::statvfs(folder)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_folder: &Path) -> std::io::Result<u64> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn little_space_is_told_and_none_fails() {
        for (free, verdict) in
            [(0, Verdict::Fail), (199 << 20, Verdict::Fail), (1 << 30, Verdict::Warning), (3 << 30, Verdict::Ok)]
        {
            let line = space_line(free, Path::new("/home"));
            assert_eq!((line.verdict, line.fix.is_some()), (verdict, verdict != Verdict::Ok));
        }
        assert!(free_bytes(Path::new("/")).unwrap() > 0);
    }
}
