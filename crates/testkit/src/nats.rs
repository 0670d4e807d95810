//! A real NATS server with JetStream for a test, on a free port of loopback.

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// What to do where the server is missing.
const ABSENT: &str = "nats-server is missing (looked for in ASSAY_NATS_TOOLS, on PATH and in /usr/sbin): \
                      `make nats-tools` unpacks it, or on Debian, apt-get install nats-server";
/// Runs the server until our end of its pipe closes, which it does even when this process is killed.
const KEEPER: &str = "\"$@\" & server=$!; exec >/dev/null 2>&1; cat >/dev/null; kill -9 $server; wait $server";
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A running server; it is killed, and its folder removed, when dropped.
#[derive(Debug)]
pub struct NatsServer {
    program: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    keeper: Option<Child>,
    /// More arguments of the server.
    more: Vec<String>,
}

impl NatsServer {
    /// Starts a server with an empty JetStream.
    ///
    /// # Panics
    /// When the program is missing, naming the Debian package, or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same for those who have a login alone.
    ///
    /// # Panics
    /// As [`NatsServer::start`].
    #[must_use]
    pub fn start_for(user: &str, password: &str) -> Self {
        Self::start_with(&["--user", user, "--pass", password])
    }

    fn start_with(more: &[&str]) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let program = program().expect(ABSENT);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("assay-nats-{}-{number}", std::process::id()));
        std::fs::create_dir(&folder).expect("a temporary folder can be made");
        // The port has to be known, to be the same after a restart.
        let free = TcpListener::bind("127.0.0.1:0").expect("loopback gives a port");
        let address = free.local_addr().expect("a bound socket has an address");
        drop(free);
        let mut server =
            Self { program, folder, address, keeper: None, more: more.iter().map(|text| (*text).to_owned()).collect() };
        server.resume();
        server
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address for clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Kills the server; what it had confirmed stays on its disk.
    pub fn kill(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
    }

    /// Starts it again after [`NatsServer::kill`], on the same port and folder; returns when it
    /// takes connections.
    ///
    /// # Panics
    /// When it does not start.
    pub fn resume(&mut self) {
        let port = self.address.port().to_string();
        let log = self.folder.join("log");
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(&self.program)
            .args(["-a", "127.0.0.1", "-p", &port, "-js", "-sd"])
            .arg(self.folder.join("data"))
            .args(&self.more)
            .arg("-l")
            .arg(&log)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        self.keeper = Some(keeper);
        let deadline = Instant::now() + START_TIMEOUT;
        while !greets(self.address) {
            let said = || std::fs::read_to_string(&log).unwrap_or_default();
            assert!(Instant::now() < deadline, "nats-server did not start: {}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A server that is ready says who it is.
fn greets(address: SocketAddr) -> bool {
    let Ok(stream) = TcpStream::connect(address) else { return false };
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).is_ok_and(|_| line.starts_with("INFO "))
}

fn program() -> Option<PathBuf> {
    let tools = std::env::var_os("ASSAY_NATS_TOOLS").map(|folder| Path::new(&folder).join("usr/sbin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = tools.into_iter().chain(std::env::split_paths(&path)).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join("nats-server")).find(|program| program.is_file())
}
