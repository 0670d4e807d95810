//! The Python package and the auditor's example, on the files of a demo.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Answer, DEMO, python, text};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The package as `pip install ./python` installs it, into a folder of its own.
pub fn install() -> (PathBuf, tempfile::TempDir) {
    let python = python("pandas, mypy, setuptools");
    let folder = tempfile::tempdir().unwrap();
    // The build leaves files beside the sources, which are not the test's to change.
    let sources = folder.path().join("python");
    let copied = Command::new("cp").arg("-r").arg(root().join("python")).arg(&sources).status().unwrap();
    assert!(copied.success());
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"]);
    let output = pip.arg("--target").arg(folder.path().join("installed")).arg(&sources).output().unwrap();
    Answer::of(&output).expect(0, &[]);
    (python, folder)
}

#[test]
fn three_lines_give_an_equity_curve_from_a_home_folder() {
    let (python, folder) = install();
    let run_id = text(&DEMO.1["run_id"]);
    let script = format!(
        "import assay\nrun = assay.open_home().run({:?})\ncurve = run.equity()\n\
         assert curve.index.is_monotonic_increasing and str(curve.index.tz) == 'UTC', curve.index\n\
         import json; print(json.dumps({{'rows': len(curve), 'last': float(curve['equity'].iloc[-1]), \
         'start': curve.index[0].isoformat(), 'fills': len(run.trades()), 'steps': int(run.curves().index[-1]), \
         'sharpe': run.metrics()['metrics']['sharpe']}}))",
        &run_id[..12]
    );
    let mut command = Command::new(&python);
    command.args(["-c", &script]).env("PYTHONPATH", folder.path().join("installed")).env("ASSAY_HOME", DEMO.0.path());
    let said = Answer::of(&command.output().unwrap()).expect(0, &[]).json();
    let stored = std::fs::read_to_string(DEMO.0.run(run_id).join("equity.csv")).unwrap();
    let rows: Vec<&str> = stored.lines().skip(1).collect();
    let last: f64 = rows[rows.len() - 1].split(',').nth(1).unwrap().parse().unwrap();
    assert_eq!(said["rows"], json!(rows.len()));
    assert_eq!(said["last"], json!(last));
    let metrics: Value =
        serde_json::from_slice(&std::fs::read(DEMO.0.run(run_id).join("metrics.json")).unwrap()).unwrap();
    assert_eq!(said["sharpe"], metrics["metrics"]["sharpe"]);
    assert!(said["fills"].as_u64() > Some(0) && said["steps"].as_u64() > Some(100_000), "{said}");
}

#[test]
fn what_is_not_there_is_said_in_python_too() {
    let (python, folder) = install();
    let script = "import assay, sys\ntry:\n    assay.open_home().run('ffff')\nexcept assay.NotFound as e:\n    print(e)\n\
                  try:\n    assay.open_home('/nowhere')\nexcept assay.NotFound as e:\n    print(e)\n\
                  run = assay.open_home().runs()[0]\n\
                  for bad in ('../run.json', 'none.csv'):\n    try:\n        run.file(bad)\n    \
                  except assay.AssayError as e:\n        print(e)";
    let mut command = Command::new(&python);
    command.args(["-c", script]).env("PYTHONPATH", folder.path().join("installed")).env("ASSAY_HOME", DEMO.0.path());
    let words = ["no run `ffff`", "no home folder /nowhere", "is not the name of a file", "has no none.csv"];
    Answer::of(&command.output().unwrap()).expect(0, &words);
}

#[test]
fn the_package_is_typed() {
    let python = python("pandas, mypy, setuptools");
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(&python);
    command.args(["-m", "mypy", "--strict", "--config-file", "pyproject.toml", "--cache-dir"]);
    let output = command.arg(folder.path()).arg("src").current_dir(root().join("python")).output().unwrap();
    Answer::of(&output).expect(0, &["no issues found"]);
}

#[test]
fn the_auditor_in_python_reaches_the_same_hash() {
    let home = DEMO.0.copy();
    let run = home.run(text(&DEMO.1["run_id"]));
    let script = root().join("examples/auditor.py");
    let audit = |file: &Path, more: &[&str]| {
        let mut command = Command::new(python("cryptography"));
        command.env("PYTHONDONTWRITEBYTECODE", "1").arg(&script).arg(file).arg(&run).args(more);
        Answer::of(&command.output().unwrap())
    };
    let good = run.join("signals.jsonl");
    let clean = audit(&good, &[]).expect(0, &[]).json();
    assert_eq!(clean["equity_hash"], DEMO.1["equity_hash"]);
    assert_eq!(clean["faults"], json!([]));
    audit(&good, &[&"0".repeat(64)]).expect(1, &["the header does not hold"]);
    // Forged, stale and missing signals: the same judgement as `assay audit`.
    let mut lines: Vec<String> = std::fs::read_to_string(&good).unwrap().lines().map(str::to_owned).collect();
    lines[500] = lines[500].replace("\"seq\":", "\"seq\":1");
    lines.remove(700);
    // Where the target changes, so that it matters which of the two is blamed.
    let action = |line: &str| line.split('"').nth(11).unwrap().to_owned();
    let change = (900..lines.len()).find(|&line| action(&lines[line]) != action(&lines[line - 1])).unwrap();
    lines.swap(change - 1, change);
    lines.insert(1_500, lines[1_400].clone());
    let spoilt = home.file("spoilt.jsonl");
    std::fs::write(&spoilt, lines.join("\n") + "\n").unwrap();
    let ours = home.assay(&["audit", spoilt.to_str().unwrap(), "--dataset", crate::support::SAMPLE, "--json"]);
    let (ours, theirs) = (ours.expect(3, &[]).json(), audit(&spoilt, &[]).expect(0, &[]).json());
    assert_eq!(theirs["equity_hash"], ours["equity_hash"]);
    assert_eq!(theirs["accepted"], ours["accepted"]);
    assert_eq!(theirs["faults"].as_array().unwrap().len(), ours["forged"].as_array().unwrap().len());
}
