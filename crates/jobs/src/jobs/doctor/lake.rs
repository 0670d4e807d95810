//! Whether every stored candle is what its hash says.

use super::{Doctor, Line};
use crate::jobs::check::Check;
use crate::workspace::Workspace;

pub(super) fn check(doctor: &Doctor<'_>) -> Line {
    const CHECK: &str = "lake";
    let fix = || format!("assay --home {} data check --repair", doctor.home.path().display());
    // A dry workspace makes no folders.
    let workspace = Workspace::open(doctor.home.path(), doctor.lake.as_deref(), doctor.progress, 1, true);
    let checked =
        workspace.and_then(|workspace| Check { dataset: None, repair: false, base_url: None }.run(&workspace));
    match checked {
        Err(error) => Line::fail(CHECK, error.to_string(), fix()),
        Ok(checked) if checked.is_sound() => {
            let rows: u64 = checked.datasets.iter().map(|dataset| dataset.rows).sum();
            Line::ok(CHECK, format!("{} datasets, {rows} rows, sound", checked.datasets.len()))
        }
        Ok(checked) => {
            let damage: Vec<_> = checked.problems.iter().filter(|problem| problem.severity == "damage").collect();
            let first = damage.first().map(|problem| format!("{}: {}", problem.dataset, problem.detail));
            Line::fail(CHECK, format!("{} damaged, first {}", damage.len(), first.unwrap_or_default()), fix())
        }
    }
}
