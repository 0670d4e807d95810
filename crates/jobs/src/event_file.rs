//! Event files as they lie around: plain, gzipped or xz, CSV or JSON lines, or standard
//! input. The shape is told by the first bytes, never by the name; files are streamed.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use assay_amm::event::{EventError, Events, read_csv, read_json_lines};
use assay_store::StoreError;
use flate2::bufread::MultiGzDecoder;

use crate::error::JobError;

const GZIP: &[u8] = &[0x1f, 0x8b];
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const ZIP: &[u8] = b"PK\x03\x04";
/// Bytes of the longest mark above.
const MARK: usize = 6;
/// Unpacked pieces of an xz file that may wait for their reader.
const WAITING_PIECES: usize = 16;
const BUFFER: usize = 1 << 17;

/// An open event file.
pub struct EventFile {
    /// Its events in order.
    pub events: Events<'static>,
    /// How much of it is read.
    pub position: Position,
}

/// How much of a file is read, in its own bytes.
pub struct Position {
    read: Arc<AtomicU64>,
    total: Option<u64>,
}

impl Position {
    /// The part that is read, in 0 … 1; `None` where the whole is not known.
    #[expect(clippy::cast_precision_loss, reason = "a share for the progress bar")]
    pub fn share(&self) -> Option<f64> {
        let total = self.total.filter(|total| *total > 0)?;
        Some(self.read.load(Ordering::Relaxed) as f64 / total as f64)
    }
}

/// Opens an event file; `-` is standard input.
///
/// # Errors
/// When there is no such file, or it is packed in a way that is not read.
pub fn open(path: &Path) -> Result<EventFile, JobError> {
    let failed = |source: io::Error| JobError::from(StoreError::io("read", path)(source));
    let (input, total): (Box<dyn Read + Send>, Option<u64>) = if path == Path::new("-") {
        (Box::new(io::stdin()), None)
    } else {
        let file = File::open(path).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        if about.is_dir() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        (Box::new(file), about.is_file().then_some(about.len()))
    };
    let read = Arc::new(AtomicU64::new(0));
    let (head, input) = sniff(Counted { input, read: read.clone() }).map_err(failed)?;
    let input = BufReader::with_capacity(BUFFER, input);
    let mut total = total;
    let text: Box<dyn Read + Send> = if head.starts_with(GZIP) {
        Box::new(MultiGzDecoder::new(input))
    } else if head.starts_with(XZ) {
        // Whole blocks are read ahead, so the place in the file says nothing.
        total = None;
        Box::new(unpack_xz(input))
    } else if head.starts_with(ZSTD) || head.starts_with(ZIP) {
        let text = format!("{}: plain, .gz and .xz files are read: unpack it first", path.display());
        return Err(JobError::Input(text));
    } else {
        Box::new(input)
    };
    let mut text = BufReader::with_capacity(BUFFER, text);
    let first = first_character(&mut text);
    let events = match first {
        Some(b'{') => read_json_lines(text),
        _ => read_csv(text).map_err(|error| in_file(path, &error))?,
    };
    Ok(EventFile { events, position: Position { read, total } })
}

/// A line that is no event, with the file it is in.
pub fn in_file(path: &Path, error: &EventError) -> JobError {
    JobError::Input(format!("{}: {error}", path.display()))
}

/// The first bytes, and the input with them put back.
fn sniff<R: Read>(mut input: R) -> io::Result<(Vec<u8>, impl Read)> {
    let mut head = Vec::with_capacity(MARK);
    Read::by_ref(&mut input).take(MARK as u64).read_to_end(&mut head)?;
    Ok((head.clone(), Cursor::new(head).chain(input)))
}

/// The first character that is not space; a read that fails does so again for its reader.
fn first_character(text: &mut impl BufRead) -> Option<u8> {
    let start = text.fill_buf().ok()?;
    let start = start.strip_prefix("\u{feff}".as_bytes()).unwrap_or(start);
    start.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

struct Counted<R> {
    input: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// A piece of unpacked text; an empty one is the end.
type Piece = io::Result<Vec<u8>>;

/// Unpacks on a thread of its own, since the decoder only writes. The thread ends with
/// the file, or with its reader.
fn unpack_xz(mut input: impl BufRead + Send + 'static) -> Pieces {
    let (sender, receiver) = sync_channel::<Piece>(WAITING_PIECES);
    std::thread::spawn(move || {
        let done = lzma_rs::xz_decompress(&mut input, &mut Sender(&sender));
        let last = match done {
            Ok(()) => Ok(Vec::new()),
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, format!("the xz file is damaged: {error:?}"))),
        };
        // A reader that is gone wants no end.
        let _ = sender.send(last);
    });
    Pieces { receiver, piece: Cursor::new(Vec::new()), ended: false }
}

struct Sender<'a>(&'a SyncSender<Piece>);

impl Write for Sender<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let pieces = bytes.chunks(BUFFER).filter(|piece| !piece.is_empty());
        for piece in pieces {
            self.0.send(Ok(piece.to_vec())).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Pieces {
    receiver: Receiver<Piece>,
    piece: Cursor<Vec<u8>>,
    ended: bool,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.piece.read(buffer)?;
            if count > 0 || self.ended || buffer.is_empty() {
                return Ok(count);
            }
            // A decoder that ended without saying so did not end well.
            let piece = self.receiver.recv().map_err(|_| io::Error::other("the xz decoder stopped"))?;
            let piece = piece.inspect_err(|_| self.ended = true)?;
            self.ended = piece.is_empty();
            self.piece = Cursor::new(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = "block,tx_index,log_index,kind,sqrt_price_x96\n1,0,0,initialize,79228162514264337593543950336\n";
    const JSON: &str = "\n {\"block\":1,\"tx_index\":0,\"log_index\":0,\"kind\":\"initialize\",\"sqrt_price_x96\":79228162514264337593543950336}\n";

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn xz(text: &str) -> Vec<u8> {
        let mut packed = Vec::new();
        lzma_rs::xz_compress(&mut text.as_bytes(), &mut packed).unwrap();
        packed
    }

    fn read(bytes: &[u8]) -> Result<usize, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        std::fs::write(&path, bytes).unwrap();
        let opened = open(&path).map_err(|error| error.to_string())?;
        let read: Result<Vec<_>, _> = opened.events.collect();
        read.map(|events| events.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_bytes_tell_the_shape() {
        for text in [CSV, JSON, &format!("\u{feff}{CSV}")] {
            assert_eq!(read(text.as_bytes()), Ok(1));
            assert_eq!(read(&gzip(text)), Ok(1));
            assert_eq!(read(&[gzip(&text[..20]), gzip(&text[20..])].concat()), Ok(1), "two gzip members");
            assert_eq!(read(&xz(text)), Ok(1));
        }
        assert!(read(b"PK\x03\x04rest").unwrap_err().contains("unpack it first"));
        assert!(read(b"").is_err());
        assert!(read(b"one,two\n1,2\n").unwrap_err().contains("line 1"));
    }

    #[test]
    fn a_packed_file_that_ends_early_is_an_error() {
        let rows = CSV.lines().last().unwrap();
        let text = format!("{CSV}{}", format!("{rows}\n").repeat(20_000));
        for packed in [gzip(&text), xz(&text)] {
            assert_eq!(read(&packed), Ok(20_001));
            assert!(read(&packed[..packed.len() / 2]).is_err());
        }
    }

    #[test]
    fn a_reader_may_leave_before_the_end() {
        let text = "x".repeat(BUFFER * WAITING_PIECES * 4);
        let mut pieces = unpack_xz(Cursor::new(xz(&text)));
        let mut start = [0; 8];
        pieces.read_exact(&mut start).unwrap();
        assert_eq!(&start, b"xxxxxxxx");
    }
}
