//! Whether a server runs on this home, and answers.

use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{Doctor, Line};

/// The file of a home in which its server says where it listens, as a URL with a number.
pub const SERVER_ADDRESS: &str = "server.address";
/// Longest wait for an answer; health takes milliseconds.
const TIMEOUT: Duration = Duration::from_secs(3);

pub(super) fn check(doctor: &Doctor<'_>) -> Line {
    const CHECK: &str = "server";
    if !doctor.home.is_locked("server") {
        return Line::ok(CHECK, "not running; `assay up` starts it");
    }
    let Ok(url) = assay_store::read_to_string(&doctor.home.path().join(SERVER_ADDRESS)) else {
        return Line::ok(CHECK, "running on this home, and does not listen yet");
    };
    match answers(url.trim()) {
        Ok(()) => Line::ok(CHECK, format!("running on this home, answers at {}", url.trim())),
        Err(error) => {
            let found = format!("running on this home, and does not answer at {}: {error}", url.trim());
            let lock = doctor.home.path().join("locks/server.lock");
            Line::fail(CHECK, found, format!("kill -9 $(cat {})", lock.display()))
        }
    }
}

/// Any word in time, be it that TLS is spoken here, is an answer.
fn answers(url: &str) -> std::io::Result<()> {
    let wrong = || Error::new(ErrorKind::InvalidData, "that is no address");
    let (_, place) = url.split_once("://").ok_or_else(wrong)?;
    let address: SocketAddr = place.parse().map_err(|_| wrong())?;
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(stream, "GET /v1/health HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\r\n")?;
    match stream.read(&mut [0; 16]) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Err(Error::new(ErrorKind::TimedOut, format!("nothing came within {} s", TIMEOUT.as_secs())))
        }
        Err(error) => Err(error),
    }
}
