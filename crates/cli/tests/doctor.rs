//! Each thing that the doctor checks, broken once.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use assay_types::time::parse_utc;
use serde_json::Value;

use crate::disk::{in_namespace, may_mount};
use crate::jobs::signal;
use crate::series::with_candles;
use crate::served::Up;
use crate::support::{Answer, BINARY, Home, text};

/// An exchange that says only what time it is, `ahead_ms` from now.
fn exchange(ahead_ms: i64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
            let date = http_date(i64::try_from(now).unwrap() + ahead_ms);
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    format!("http://{address}")
}

/// `Thu, 01 Jan 1970 00:00:00 GMT`
fn http_date(at_ms: i64) -> String {
    let days = at_ms.div_euclid(86_400_000);
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][usize::try_from(days.rem_euclid(7)).unwrap()];
    let utc = assay_types::time::format_utc(at_ms);
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months[utc[5..7].parse::<usize>().unwrap() - 1];
    format!("{weekday}, {} {month} {} {} GMT", &utc[8..10], &utc[..4], &utc[11..19])
}

/// The exit code and the line of `check`.
#[track_caller]
fn line(home: &Home, more: &[&str], check: &str) -> (i32, Value) {
    let arguments = [&["doctor", "--json"], more].concat();
    let answer = Answer::of(&home.command(&arguments).output().unwrap());
    // A database's password and a node's key are in its address.
    for secret in ["hunter2", "secret-key"] {
        assert!(!answer.out.contains(secret) && !answer.err.contains(secret), "{}{}", answer.out, answer.err);
    }
    let diagnosis = answer.json();
    let lines = diagnosis["lines"].as_array().unwrap();
    for line in lines {
        let fix = line["fix"].as_str();
        assert_eq!(line["verdict"] == "ok", fix.is_none(), "what is not well has one command: {line}");
        assert!(fix.is_none_or(|fix| !fix.is_empty() && !fix.contains('\n')), "{line}");
    }
    let found = lines.iter().find(|line| line["check"] == check).unwrap_or_else(|| panic!("no {check}: {diagnosis}"));
    (answer.code, found.clone())
}

#[track_caller]
fn fails(home: &Home, more: &[&str], check: &str, words: &[&str]) {
    let (code, found) = line(home, more, check);
    assert_eq!((code, &found["verdict"]), (3, &Value::from("fail")), "{found}");
    for word in words {
        assert!(text(&found["found"]).contains(word), "`{word}` is not in {found}");
    }
    assert!(!text(&found["fix"]).is_empty());
}

#[test]
fn a_healthy_home_passes_and_stays_as_it_was() {
    let home = with_candles(300);
    let before = home.tree();
    let url = exchange(0);
    let answer = home.assay(&["doctor", "--json", "--exchange-url", &url]).expect(0, &[]);
    let diagnosis = answer.json();
    assert_eq!(diagnosis["healthy"], true);
    assert!(home.tree() == before, "looking changed something");
    let checks: Vec<&str> = diagnosis["lines"].as_array().unwrap().iter().map(|line| text(&line["check"])).collect();
    let expected = [
        "home",
        "disk",
        "clock",
        "lake",
        "keys",
        "database",
        "liquidity database",
        "node",
        "relay",
        "contracts",
        "gpu",
        "onnx runtime",
        "stop",
        "server",
    ];
    assert_eq!(checks, expected);
    for line in diagnosis["lines"].as_array().unwrap().iter().filter(|line| line["check"] != "disk") {
        assert_eq!((&line["verdict"], &line["fix"]), (&Value::from("ok"), &Value::Null), "{line}");
    }
    // A home that is not there yet is fine, and is not made.
    let empty = Home::new();
    let missing = empty.file("not/yet");
    empty.assay(&["doctor", "--home", missing.to_str().unwrap(), "--exchange-url", &url]).expect(0, &["can be made"]);
    assert!(!missing.exists());
}

#[test]
fn each_broken_thing_has_its_line() {
    let home = with_candles(300);
    let offline = ["--exchange-url", "http://127.0.0.1:1"];
    let (code, clock) = line(&home, &offline, "clock");
    assert_eq!((code, &clock["verdict"]), (0, &Value::from("warning")));
    assert!(text(&clock["found"]).contains("unknown"), "{clock}");
    fails(&home, &["--exchange-url", &exchange(60_000)], "clock", &["behind", "stale"]);
    let (code, clock) = line(&home, &["--exchange-url", &exchange(-3_500)], "clock");
    assert_eq!((code, &clock["verdict"]), (0, &Value::from("warning")), "{clock}");

    let file = home.file("file");
    std::fs::write(&file, "x").unwrap();
    let inside = file.join("home");
    fails(&home, &["--home", inside.to_str().unwrap()], "home", &["cannot be written"]);

    let partition = first_partition(&home.file("lake"));
    let good = std::fs::read(&partition).unwrap();
    std::fs::write(&partition, b"damaged").unwrap();
    fails(&home, &offline, "lake", &["damaged", "XYZ-BTC"]);
    std::fs::write(&partition, good).unwrap();
    assert_eq!(line(&home, &offline, "lake").1["verdict"], "ok");

    std::fs::create_dir_all(home.file("keys")).unwrap();
    std::fs::write(home.file("keys/signing.key"), b"short").unwrap();
    set_mode(&home.file("keys/signing.key"), 0o600);
    fails(&home, &offline, "keys", &["32 bytes"]);
    std::fs::write(home.file("keys/signing.key"), [7; 32]).unwrap();
    set_mode(&home.file("keys/signing.key"), 0o644);
    fails(&home, &offline, "keys", &["others may read"]);
    set_mode(&home.file("keys/signing.key"), 0o600);

    std::fs::write(home.file("platform.db"), "this is no database, whatever it is called").unwrap();
    fails(&home, &offline, "database", &["platform.db"]);
    let away = "postgres://user:hunter2@127.0.0.1:1/none";
    fails(&home, &["--database", away], "database", &["127.0.0.1"]);
    fails(&home, &["--jobs-db", away], "liquidity database", &["127.0.0.1"]);
    fails(&home, &["--rpc", "http://127.0.0.1:1/secret-key"], "node", &["127.0.0.1"]);

    std::fs::write(home.file("stop"), "").unwrap();
    let stopped = line(&home, &offline, "stop").1;
    assert_eq!(stopped["verdict"], "warning");
    assert_eq!(line(&home, &offline, "server").1["verdict"], "ok");
}

fn first_partition(folder: &Path) -> std::path::PathBuf {
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "parquet") {
                return path;
            }
        }
    }
    panic!("no partition");
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_server_that_hangs_has_its_line() {
    let home = with_candles(300);
    let offline = ["--exchange-url", "http://127.0.0.1:1"];
    let mut up = Up::start(&home, &[]);
    let running = line(&home, &offline, "server").1;
    assert!(running["verdict"] == "ok" && text(&running["found"]).contains(up.url()), "{running}");
    signal("-STOP", up.id());
    fails(&home, &offline, "server", &["does not answer", up.url()]);
    mend(&home, "server");
    assert!(!up.is_alive());
}

/// Does what a line says.
#[track_caller]
fn mend(home: &Home, check: &str) {
    let offline = ["--exchange-url", "http://127.0.0.1:1"];
    let (_, before) = line(home, &offline, check);
    let folder = Path::new(BINARY).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = std::process::Command::new("sh");
    shell.args(["-euc", text(&before["fix"])]).env("PATH", path).env_remove("ASSAY_HOME").env_remove("ASSAY_DATABASE");
    let done = Answer::of(&shell.output().unwrap());
    assert_eq!(done.code, 0, "{before}: {}{}", done.out, done.err);
    let (_, after) = line(home, &offline, check);
    assert_eq!(after["verdict"], "ok", "mended by `{}`: {after}", text(&before["fix"]));
}

#[test]
fn what_a_line_says_mends_it() {
    let home = with_candles(300);
    std::fs::create_dir_all(home.file("keys")).unwrap();
    std::fs::write(home.file("keys/signing.key"), [7; 32]).unwrap();
    set_mode(&home.file("keys/signing.key"), 0o644);
    mend(&home, "keys");
    std::fs::write(home.file("platform.db"), "this is no database, whatever it is called").unwrap();
    mend(&home, "database");
    home.assay(&["stop", "--reason", "storm"]).expect(0, &[]);
    mend(&home, "stop");
}

#[test]
fn a_full_disk_and_a_library_that_is_gone_have_their_lines() {
    let home = with_candles(300);
    let mut command = home.command(&["doctor", "--json", "--exchange-url", "http://127.0.0.1:1"]);
    let answer = Answer::of(&command.env("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so").output().unwrap());
    let diagnosis = answer.json();
    let find = |diagnosis: &Value, check: &str| {
        diagnosis["lines"].as_array().unwrap().iter().find(|line| line["check"] == check).unwrap().clone()
    };
    let onnx = find(&diagnosis, "onnx runtime");
    assert_eq!((&onnx["verdict"], &onnx["fix"]), (&"warning".into(), &"unset ORT_DYLIB_PATH".into()), "{onnx}");
    if !may_mount() {
        return;
    }
    let folder = Home::new();
    std::fs::create_dir(folder.file("home")).unwrap();
    for (megabytes, verdict, code) in [("64", "fail", 3), ("900", "warning", 0)] {
        let script = format!(
            "mount -t tmpfs -o size={megabytes}m tmpfs \"$DIR/home\"\n\
             \"$ASSAY\" --home \"$DIR/home\" --quiet doctor --json --exchange-url http://127.0.0.1:1"
        );
        let answer = in_namespace(&script, &folder);
        let disk = find(&answer.json(), "disk");
        assert_eq!((answer.code, text(&disk["verdict"])), (code, verdict), "{disk}");
        assert!(text(&disk["found"]).contains("MB free") && text(&disk["fix"]).contains("du -sh"), "{disk}");
    }
}

#[test]
fn dates_are_those_of_http() {
    assert_eq!(http_date(parse_utc("1994-11-06T08:49:37Z").unwrap()), "Sun, 06 Nov 1994 08:49:37 GMT");
}
