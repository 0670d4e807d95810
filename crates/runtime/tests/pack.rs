//! A packed model says what the replay of its run says.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the tests run processes and read what they wrote; a panic is how a test fails"
)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use assay_jobs::jobs::demo::Demo;
use assay_jobs::jobs::models::{LOCAL_OWNER, Publish, Registry, pack_model};
use assay_jobs::jobs::runs::LoadedRun;
use assay_jobs::jobs::signals::replay_signals;
use assay_jobs::{Advance, Progress, Workspace};

struct Quiet;

impl Progress for Quiet {
    fn stage(&self, _name: &str) {}
    fn advance(&self, _advance: &Advance) {}
    fn note(&self, _text: &str) {}
    fn done(&self) {}
}

/// The packed binary's answer to `candles`.
fn speak(folder: &Path, arguments: &[&str], candles: &str) -> Output {
    let mut child = Command::new(folder.join("assay-runtime"))
        .args(arguments)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let text = candles.to_owned();
    // A runtime that refuses does not read to the end.
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()).unwrap_or_default());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

#[test]
fn a_packed_model_says_what_the_replay_says() {
    let home = tempfile::tempdir().unwrap();
    let workspace = Workspace::open(home.path(), None, &Quiet, 2, false).unwrap();
    let done = Demo { data: None, market: None, timeframe: None }.run(&workspace).unwrap();
    let publish = Publish {
        run: done.run_id.clone(),
        name: "packed".to_owned(),
        owner: LOCAL_OWNER.to_owned(),
        is_private: true,
        fee_bps: 0,
    };
    let published = publish.run(&workspace, &Registry::local(&workspace, None)).unwrap();
    let out = home.path().join("out");
    let runtime = Path::new(env!("CARGO_BIN_EXE_assay-runtime"));
    let packed = pack_model(&workspace, &published.card, &out, Some(runtime)).unwrap();
    assert!(packed.files.len() == 6 && packed.bytes > 0);
    assert!(pack_model(&workspace, &published.card, &out, Some(runtime)).is_err(), "a full folder is left alone");

    let run = LoadedRun::load(&workspace, &done.run_id).unwrap();
    let candles = run.candles(&workspace).unwrap();
    let mut csv = "open_time_ms,open,high,low,close,volume\n".to_owned();
    for candle in candles.iter() {
        let _ = writeln!(
            csv,
            "{},{},{},{},{},{}",
            candle.open_time_ms, candle.open, candle.high, candle.low, candle.close, candle.volume
        );
    }
    let replayed = replay_signals(&workspace, &run).unwrap();
    let expected: Vec<&str> = replayed.text.lines().skip(1).collect();
    let key = home.path().join("keys/signing.key").display().to_string();
    let from = run.pins.test_from_ms.to_string();
    let said = speak(&out, &["--key", &key, "--speak-from", &from], &csv);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let text = String::from_utf8(said.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), expected.len());
    assert!(lines == expected, "first difference: {:?}", lines.iter().zip(&expected).find(|(a, b)| a != b));

    // Candles that the run has seen say nothing; the next one does, and late ones hold.
    let said = speak(&out, &["--recorded"], &csv);
    assert!(said.status.success() && said.stdout.is_empty());
    let last = candles.get(candles.len() - 1);
    let next = last.open_time_ms + candles.timeframe.ms();
    let line = format!("{csv}{next},{0},{0},{0},{0},1\n", last.close);
    let said = |arguments: &[&str]| String::from_utf8(speak(&out, arguments, &line).stdout).unwrap();
    assert!(said(&["--recorded"]).lines().count() == 1 && !said(&["--recorded"]).contains("HOLD"));
    assert!(said(&[]).contains("HOLD"));

    for (name, code) in [("weights.safetensors", 3), ("policy.json", 3), ("stream.json", 3)] {
        let path = out.join(name);
        let good = std::fs::read(&path).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        std::fs::write(&path, bad).unwrap();
        let answer = speak(&out, &["--recorded"], "");
        let text = String::from_utf8_lossy(&answer.stderr).into_owned();
        assert!(answer.status.code() == Some(code) && text.contains(name), "{name}: {text}");
        std::fs::write(&path, good).unwrap();
    }
    for (arguments, input) in [(&["--recorded"][..], "1,2,3\n"), (&["--recorded"], "x,1,1,1,1,1\n"), (&["--what"], "")]
    {
        assert_eq!(speak(&out, arguments, input).status.code(), Some(2), "{arguments:?} {input}");
    }
}
