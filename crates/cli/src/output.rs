//! Answers on standard output, errors on standard error.

use std::io::{self, Write as _};

use assay_jobs::Progress;
use serde::Serialize;

/// Where answers go.
pub struct Console<'a> {
    json: bool,
    progress: &'a dyn Progress,
}

impl<'a> Console<'a> {
    /// Text for people, or JSON for programs; `progress` is taken away before anything
    /// is printed.
    pub const fn new(json: bool, progress: &'a dyn Progress) -> Self {
        Self { json, progress }
    }

    /// Prints an answer: `value` as JSON, or `text`, followed by the next useful
    /// command on standard error.
    pub fn answer<T: Serialize>(&self, value: &T, text: &str, next: &str) -> anyhow::Result<()> {
        self.progress.done();
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
        self.progress.done();
        let mut out = io::stdout().lock();
        Ok(ignore_closed_pipe(out.write_all(text.as_bytes()).and_then(|()| out.flush()))?)
    }

    /// Prints an error with its exit code.
    pub fn error(&self, error: &anyhow::Error, code: u8) {
        self.progress.done();
        let mut text = error.to_string();
        // Most messages name their cause already.
        for cause in error.chain().skip(1).map(ToString::to_string) {
            if !text.contains(&cause) {
                text = format!("{text}: {cause}");
            }
        }
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

/// A table in plain text: columns padded, numbers right-aligned, words left-aligned.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let column = |column: usize| rows.iter().map(move |row| row[column].as_str());
    let widths: Vec<usize> = (0..head.len())
        .map(|index| column(index).chain([head[index]]).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let is_number =
        |cell: &str| cell.starts_with(|c: char| c.is_ascii_digit() || "−-—".contains(c)) && !cell.contains('T');
    let numeric: Vec<bool> = (0..head.len())
        .map(|index| index > 0 && column(index).all(|cell| cell.is_empty() || is_number(cell)))
        .collect();
    let line = |cells: &[&str]| {
        let padded = cells.iter().zip(&widths).zip(&numeric).map(|((cell, &width), &numeric)| {
            if numeric { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let rule = widths.iter().map(|&width| "─".repeat(width)).collect::<Vec<_>>().join("──");
    let mut lines = vec![line(head), rule];
    lines.extend(rows.iter().map(|row| line(&row.iter().map(String::as_str).collect::<Vec<_>>())));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_line_up_on_the_right_and_words_on_the_left() {
        let rows = [["a", "1", "x"], ["bb", "−20", "long word"]].map(|row| row.map(str::to_owned).to_vec());
        let text = table(&["name", "count", "why"], &rows);
        assert_eq!(text.lines().nth(2), Some("a         1  x"));
        assert_eq!(text.lines().nth(3), Some("bb      −20  long word"));
    }
}
