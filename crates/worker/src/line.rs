//! Lines of limited length from a pipe.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

/// Longest line; results hold whole reports.
pub const MAX_LINE: usize = 64 << 20;

/// Lines one after another. Dropping a wait loses nothing: what was read is kept.
pub struct Lines<R> {
    reader: R,
    open: Vec<u8>,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    pub const fn new(reader: R) -> Self {
        Self { reader, open: Vec::new() }
    }

    /// The next line without its end; `None` when the pipe is closed. A last line that is torn
    /// is left out.
    pub async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let bytes = self.reader.fill_buf().await?;
            if bytes.is_empty() {
                return Ok(None);
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(bytes.len(), |end| end + 1);
            if self.open.len() + taken > MAX_LINE {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is longer than 64 MiB"));
            }
            self.open.extend_from_slice(&bytes[..end.unwrap_or(taken)]);
            self.reader.consume(taken);
            if end.is_some() {
                return Ok(Some(std::mem::take(&mut self.open)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_torn_last_line_is_left_out() {
        let mut lines = Lines::new(&b"one\n\ntwo\ntor"[..]);
        for expected in [Some(&b"one"[..]), Some(b""), Some(b"two"), None] {
            assert_eq!(lines.next().await.unwrap().as_deref(), expected);
        }
    }
}
