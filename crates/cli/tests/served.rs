//! A served home: the binary's `assay up`, on a port of its own.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::support::{Home, text};

/// A server, and the line that it began with.
pub struct Up {
    child: Child,
    out: BufReader<ChildStdout>,
    pub ready: Value,
}

impl Up {
    /// Starts it without the demo and without a log.
    pub fn start(home: &Home, more: &[&str]) -> Self {
        Self::run(home, Stdio::null(), &[&["--without-demo"], more].concat())
    }

    /// Starts it without the demo, its log appended to the file `log`.
    pub fn logged(home: &Home, log: &Path, more: &[&str]) -> Self {
        let log = File::options().create(true).append(true).open(log).unwrap();
        Self::run(home, log.into(), &[&["--without-demo"], more].concat())
    }

    /// Starts it as a stranger does.
    pub fn plain(home: &Home) -> Self {
        Self::run(home, Stdio::null(), &[])
    }

    fn run(home: &Home, log: Stdio, more: &[&str]) -> Self {
        let mut command = home.command(&["up", "--listen", "127.0.0.1:0", "--json"]);
        command.env_remove("ASSAY_DATABASE").env_remove("ASSAY_JOBS_DB").args(more);
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self { child, out, ready }
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        text(&self.ready["url"])
    }

    /// The owner's key, at the first start.
    pub fn key(&self) -> &str {
        text(&self.ready["owner_key"])
    }

    /// The JSON that the owner reads at `path`.
    #[track_caller]
    pub fn read(&self, key: &str, path: &str) -> Value {
        let answer = self.ask("GET", path, &format!("authorization: Bearer {key}\r\n"), "");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it a signal, such as `STOP`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Whether it has not ended.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The whole answer to a request.
    pub fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let address = self.url().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    pub fn command_line(&self) -> Vec<u8> {
        std::fs::read(format!("/proc/{}/cmdline", self.child.id())).unwrap_or_default()
    }

    /// SIGTERM; what it still said on standard output.
    pub fn terminate(mut self) -> String {
        let killed = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        rest
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
