//! Home folders for tests, and the binary driven in them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_assay");
/// The dataset of the bundled sample.
pub const SAMPLE: &str = "synthetic/BTC-USD/1h";
/// The longest that a test waits for a process to get somewhere.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(2);

/// A home folder that goes away with the test.
pub struct Home(TempDir);

/// What a finished process said.
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Answer {
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().unwrap_or_else(|| panic!("ended by a signal: {}", text(&output.stderr)));
        Self { code, out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// The answer as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }

    /// The answer, checked to have ended with `code` and to say every one of `words`.
    #[track_caller]
    pub fn expect(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        for word in words {
            let said = self.out.contains(word) || self.err.contains(word);
            assert!(said, "`{word}` is not in\nstdout: {}\nstderr: {}", self.out, self.err);
        }
        self
    }
}

impl Home {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The folder of the run `run_id`.
    pub fn run(&self, run_id: &str) -> PathBuf {
        self.path().join("runs").join(run_id)
    }

    /// `assay --home HOME …`, not started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command
            .env_remove("ASSAY_HOME")
            .env_remove("ASSAY_LAKE")
            .arg("--home")
            .arg(self.path())
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// Runs `assay … --quiet` to its end.
    pub fn assay(&self, arguments: &[&str]) -> Answer {
        Answer::of(&self.command(arguments).arg("--quiet").output().unwrap())
    }

    /// Runs `assay … --json --quiet`, which must succeed, and gives its answer.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.command(arguments).args(["--json", "--quiet"]).output().unwrap();
        Answer::of(&output).expect(0, &[]).json()
    }

    /// Starts `assay …` in the background, silent.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(arguments);
        Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// A copy of everything in here.
    pub fn copy(&self) -> Self {
        let copy = Self::new();
        copy_folder(self.path(), copy.path());
        copy
    }

    /// Every file with its bytes, in order of names.
    pub fn tree(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        let mut open = vec![self.path().to_owned()];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    files.push((path.clone(), Vec::new()));
                    open.push(path);
                } else {
                    files.push((path.clone(), std::fs::read(&path).unwrap()));
                }
            }
        }
        files.sort();
        files
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A process that is killed when the test leaves it.
pub struct Running(Child);

impl Running {
    pub fn of(child: Child) -> Self {
        Self(child)
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits until `reached`, or the process ended; whether it still runs.
    pub fn until(&mut self, reached: impl Fn() -> bool) -> bool {
        let started = Instant::now();
        while !reached() {
            if self.0.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(started.elapsed() < PATIENCE, "the process got nowhere in {PATIENCE:?}");
            std::thread::sleep(POLL);
        }
        self.0.try_wait().unwrap().is_none()
    }

    /// SIGKILL, and the end of it.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits for its end.
    pub fn wait(mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A home in which the demo ran, and the demo's answer. Tests that write use a copy.
pub static DEMO: LazyLock<(Home, Value)> = LazyLock::new(|| {
    let home = Home::new();
    let done = home.json(&["demo"]);
    (home, done)
});

/// A line for the one who runs the tests, past the capture of their output.
pub fn tell(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Text of a JSON value that is a string.
#[track_caller]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// The Python of the tests: `ASSAY_PYTHON`, else the virtual environment of `make test`.
pub fn python(modules: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let python = std::env::var_os("ASSAY_PYTHON").map_or_else(|| root.join(".venv/bin/python"), PathBuf::from);
    let found = Command::new(&python).args(["-c", &format!("import {modules}")]).status();
    assert!(
        found.is_ok_and(|status| status.success()),
        "{} cannot import {modules}: run `make test`, which sets up .venv, or point ASSAY_PYTHON at a Python that can",
        python.display()
    );
    python
}

/// What `examples/verify.py` recomputes from a report folder.
pub fn verify(folder: &Path, rule: Option<&str>) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/verify.py");
    let output = Command::new("python3").arg(script).arg(folder).args(rule).output();
    let answer = Answer::of(&output.expect("python3 is needed: on Debian, apt-get install python3"));
    answer.expect(0, &[]).json()
}
