//! Answers on standard output, errors on standard error.

use std::io::{self, Write as _};

use serde::Serialize;

/// Where answers go.
pub struct Console {
    json: bool,
}

impl Console {
    /// Text for people, or JSON for programs.
    pub const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints an answer: `value` as JSON, or `text`, followed by the next useful
    /// command on standard error.
    pub fn answer<T: Serialize>(&self, value: &T, text: &str, next: &str) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        let written = if self.json {
            serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from).and_then(|()| writeln!(out))
        } else {
            writeln!(out, "{}", text.trim_end())
        };
        ignore_closed_pipe(written.and_then(|()| out.flush()))?;
        if !self.json && !next.is_empty() {
            let _ = writeln!(io::stderr(), "next: {next}");
        }
        Ok(())
    }

    /// Prints raw text, such as JSON lines, as the answer.
    pub fn raw(&self, text: &str) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        Ok(ignore_closed_pipe(out.write_all(text.as_bytes()).and_then(|()| out.flush()))?)
    }

    /// Prints an error with its exit code.
    pub fn error(&self, error: &anyhow::Error, code: u8) {
        let text = format!("{error:#}");
        let line = if self.json {
            serde_json::json!({ "error": text, "exit_code": code }).to_string()
        } else {
            format!("error: {text}")
        };
        let _ = writeln!(io::stderr(), "{line}");
    }
}

/// `assay … | head` is no failure.
fn ignore_closed_pipe(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// A table in plain text: columns padded, the first one left-aligned.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let rule = widths.iter().map(|&width| "─".repeat(width)).collect::<Vec<_>>().join("──");
    let mut lines = vec![line(&head), rule];
    lines.extend(rows.iter().map(|row| line(row)));
    lines.join("\n")
}
