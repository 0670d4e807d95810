//! Progress on standard error: a bar on a terminal, JSON lines otherwise.

use std::io::{IsTerminal as _, Write as _, stderr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use assay_jobs::{Advance, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Map, Value, json};

/// JSON lines of one stage come at most this often.
const LINE_INTERVAL: Duration = Duration::from_millis(500);

/// The way progress is shown, chosen by where standard error goes.
pub fn progress(json: bool, quiet: bool) -> Box<dyn Progress> {
    if quiet {
        Box::new(Silent)
    } else if stderr().is_terminal() && !json {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
        Box::new(Bar(bar))
    } else {
        Box::new(Lines(Mutex::new(State { stage: String::new(), last: None })))
    }
}

struct Silent;

impl Progress for Silent {
    fn stage(&self, _: &str) {}
    fn advance(&self, _: &Advance) {}
    fn note(&self, _: &str) {}
    fn done(&self) {}
}

/// A bar on a terminal.
struct Bar(ProgressBar);

impl Progress for Bar {
    fn stage(&self, name: &str) {
        let style = ProgressStyle::with_template("{spinner} {prefix} {msg}").expect("the template is valid");
        self.0.set_style(style);
        self.0.set_message("");
        self.0.set_prefix(name.to_owned());
        self.0.tick();
    }

    fn advance(&self, advance: &Advance) {
        if advance.total > 0 && self.0.length() != Some(advance.total) {
            let style = ProgressStyle::with_template("{prefix} [{bar:28}] {percent:>3} % {msg}");
            self.0.set_style(style.expect("the template is valid").progress_chars("━╸ "));
            self.0.set_length(advance.total);
        }
        self.0.set_position(advance.done);
        self.0.set_message(describe(advance));
    }

    fn note(&self, text: &str) {
        self.0.suspend(|| {
            let _ = writeln!(stderr(), "note: {text}");
        });
    }

    fn done(&self) {
        self.0.finish_and_clear();
    }
}

/// Speed, time left and figures in one short line.
fn describe(advance: &Advance) -> String {
    let mut parts = Vec::new();
    if let Some(rate) = advance.per_second {
        parts.push(format!("{} {}/s", thousands(rate), advance.unit));
    }
    if let Some(left) = advance.seconds_left {
        parts.push(format!("{left:.0} s left"));
    }
    parts.extend(advance.figures.iter().take(4).map(|(name, value)| format!("{name} {value:.4}")));
    parts.join(" · ")
}

/// A whole number with its digits in groups of three.
pub fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|g| std::str::from_utf8(g).ok()).collect();
    groups.join(",")
}

struct State {
    stage: String,
    last: Option<Instant>,
}

/// JSON lines for logs and programs.
struct Lines(Mutex<State>);

impl Lines {
    fn print(line: &Value) {
        let _ = writeln!(stderr(), "{line}");
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Progress for Lines {
    fn stage(&self, name: &str) {
        *self.state() = State { stage: name.to_owned(), last: None };
        Self::print(&json!({ "stage": name }));
    }

    fn advance(&self, advance: &Advance) {
        let mut state = self.state();
        let finished = advance.total > 0 && advance.done >= advance.total;
        if state.last.is_some_and(|last| last.elapsed() < LINE_INTERVAL) && !finished {
            return;
        }
        state.last = Some(Instant::now());
        let mut line = Map::new();
        line.insert("stage".into(), state.stage.clone().into());
        line.insert("done".into(), advance.done.into());
        line.insert("total".into(), advance.total.into());
        line.insert("unit".into(), advance.unit.into());
        line.insert("per_second".into(), advance.per_second.into());
        line.insert("seconds_left".into(), advance.seconds_left.into());
        for (name, value) in &advance.figures {
            line.insert((*name).to_owned(), (*value).into());
        }
        Self::print(&Value::Object(line));
    }

    fn note(&self, text: &str) {
        Self::print(&json!({ "note": text }));
    }

    fn done(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!(thousands(1_234_567.4), "1,234,567");
        assert_eq!(thousands(999.0), "999");
    }
}
