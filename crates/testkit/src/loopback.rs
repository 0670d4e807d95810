//! HTTP on loopback in a few lines of blocking code: whole messages with a known length.

use std::io::{Error, ErrorKind, Read, Result};
use std::net::TcpStream;

/// The largest head or body that is read.
const MAX_BYTES: usize = 256 << 20;

/// A request or an answer: its head with the empty line, and its body.
pub(crate) struct Message {
    pub head: String,
    pub body: Vec<u8>,
}

impl Message {
    /// A header by its lower-case name.
    fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        pairs.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }
}

/// Reads the next message, or `None` where the other side has hung up.
pub(crate) fn read_message(stream: &mut TcpStream) -> Result<Option<Message>> {
    let wrong = |detail: &str| Error::new(ErrorKind::InvalidData, detail.to_owned());
    let mut bytes = Vec::new();
    let mut buffer = [0; 64 << 10];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return if bytes.is_empty() { Ok(None) } else { Err(ErrorKind::UnexpectedEof.into()) };
        }
        bytes.extend_from_slice(&buffer[..read]);
    };
    let body = bytes.split_off(end);
    let head = String::from_utf8(bytes).map_err(|_| wrong("a head that is no text"))?;
    let mut message = Message { head, body };
    let length = message.header("content-length").map_or(Ok(0), str::parse);
    let length: usize = length.map_err(|_| wrong("no length"))?;
    if message.header("transfer-encoding").is_some() || length > MAX_BYTES {
        return Err(wrong("a body of unknown or enormous length"));
    }
    let have = message.body.len();
    message.body.resize(length.max(have), 0);
    stream.read_exact(&mut message.body[have..])?;
    Ok(Some(message))
}
