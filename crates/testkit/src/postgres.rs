//! A real PostgreSQL server of one's own, on a Unix socket in a temporary folder.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// What to do where the server's programs are missing.
const ABSENT: &str = "PostgreSQL 15 is missing: on Debian, apt-get install postgresql-15 (initdb and pg_ctl are looked \
                      for on PATH and in /usr/lib/postgresql/*/bin)";

/// The owner of all databases, who needs no password here.
const SUPERUSER: &str = "assay";

/// A running server with its own folder; stopped, and the folder removed, when dropped or when
/// this process ends in whatever way.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    programs: PathBuf,
    identity: Option<Identity>,
    keeper: Child,
    databases: AtomicU32,
}

/// The user and group that the server runs as when we are root, which it refuses to be.
#[derive(Debug, Clone, Copy)]
struct Identity {
    user: u32,
    group: u32,
}

impl Postgres {
    /// Makes a database cluster and starts its server.
    ///
    /// # Panics
    /// When the programs are missing, naming the Debian package, or the server does not start.
    #[must_use]
    pub fn start() -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let programs = programs().expect(ABSENT);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        // Short: the path of a Unix socket has 107 bytes.
        let folder = std::env::temp_dir().join(format!("assay-pg-{}-{number}", std::process::id()));
        fs::create_dir(&folder).expect("a temporary folder can be made");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("the folder is ours");
        let identity = identity(&folder);
        if let Some(Identity { user, group }) = identity {
            chown(&folder, Some(user), Some(group)).expect("root may give folders away");
        }
        let keeper = keep(&folder, &programs, identity);
        let server = Self { folder, programs, identity, keeper, databases: AtomicU32::new(0) };
        let data = server.data();
        server.must("initdb", &["-D", &data, "-U", SUPERUSER, "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        server.resume();
        server
    }

    /// Makes an empty database; its URL, for the owner of everything.
    ///
    /// # Panics
    /// When the server is stopped.
    #[must_use]
    pub fn database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let socket = self.folder.display().to_string();
        self.must("createdb", &["-h", &socket, "-U", SUPERUSER, &name]);
        self.url(SUPERUSER, &name)
    }

    /// The URL of a database made here for another login.
    ///
    /// # Panics
    /// When `url` is not one of [`Postgres::database`].
    #[must_use]
    pub fn url_for(&self, url: &str, login: &str) -> String {
        let path = url.split_once('?').map_or(url, |(path, _)| path);
        let (_, name) = path.rsplit_once('/').expect("a URL of Postgres::database has a path");
        self.url(login, name)
    }

    fn url(&self, login: &str, name: &str) -> String {
        format!("postgres://{login}@localhost/{name}?host={}", self.folder.display())
    }

    /// Runs `sql` on a database made here; the rows of its answer, columns parted by `|`.
    ///
    /// # Panics
    /// When the server is stopped or refuses it.
    #[must_use]
    pub fn run(&self, url: &str, sql: &str) -> String {
        self.must("psql", &["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql])
    }

    /// Stops the server at once, cutting all connections.
    ///
    /// # Panics
    /// When it is stopped already.
    pub fn stop(&self) {
        self.must("pg_ctl", &["-D", &self.data(), "-w", "-m", "immediate", "stop"]);
    }

    /// Starts the server again after [`Postgres::stop`]; returns when it takes connections.
    ///
    /// # Panics
    /// When it does not start.
    pub fn resume(&self) {
        let options = format!("-c listen_addresses='' -c unix_socket_directories='{}'", self.folder.display());
        let log = self.folder.join("log").display().to_string();
        self.must("pg_ctl", &["-D", &self.data(), "-w", "-l", &log, "-o", &options, "start"]);
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    fn must(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(self.programs.join(program));
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        become_identity(&mut command, self.identity);
        // Into a file: the server inherits it, and a pipe would stay open as long as it runs.
        let path = self.folder.join("output");
        let output = fs::File::create(&path).expect("the folder is ours");
        let status = command
            .stdout(output.try_clone().expect("a file can be shared"))
            .stderr(output)
            .status()
            .unwrap_or_else(|error| panic!("{program} cannot be run ({error}); {ABSENT}"));
        let said = fs::read_to_string(path).unwrap_or_default();
        assert!(status.success(), "{program} failed ({status}): {said}");
        said.trim_end().to_owned()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// A shell that waits for our end of its pipe to close, which it does even when this process is
/// killed, and then stops the server and removes the folder.
fn keep(folder: &Path, programs: &Path, identity: Option<Identity>) -> Child {
    let script = "cat >/dev/null; \"$1/pg_ctl\" -D \"$2/data\" -m immediate stop; rm -rf \"$2\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "keeper"]).arg(programs).arg(folder);
    // In a group of its own, so that an interrupt of the tests does not end it first.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    become_identity(&mut command, identity);
    command.spawn().expect("a shell can be run")
}

fn become_identity(command: &mut Command, identity: Option<Identity>) {
    if let Some(Identity { user, group }) = identity {
        command.uid(user).gid(group);
    }
}

/// The folder of the server's programs.
fn programs() -> Option<PathBuf> {
    let whole =
        |folder: &PathBuf| ["initdb", "pg_ctl", "postgres", "createdb"].iter().all(|name| folder.join(name).is_file());
    let mut installed: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    installed.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain(installed).find(whole)
}

/// `None` unless we are root: whoever owns a folder that we made is who we are.
fn identity(folder: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    let owner = fs::metadata(folder).expect("the folder is ours").uid();
    if owner != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, user, group, ..] = fields.as_slice() else { return None };
        (*name == "postgres").then(|| Some(Identity { user: user.parse().ok()?, group: group.parse().ok()? }))?
    });
    Some(found.unwrap_or_else(|| panic!("there is no user postgres to run the server as; {ABSENT}")))
}
