//! What a stranger meets: `assay up` on an empty home.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::python::install;
use crate::served::Up;
use crate::support::{Answer, Home, text};

const PATIENCE: Duration = Duration::from_secs(60);

/// The first stream that speaks, and how long it took.
fn speaking(up: &Up, key: &str, least: u64) -> (Value, Duration) {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let streams = up.read(key, "/v1/streams");
        if let Some(stream) = streams["items"].as_array().unwrap().first()
            && stream["next_seq"].as_u64() >= Some(least)
        {
            return (stream.clone(), begun.elapsed());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("no stream speaks: {}", up.read(key, "/v1/jobs"));
}

#[test]
fn an_empty_home_streams_the_demo_policy_on_paper_through_kills() {
    let home = Home::new();
    let up = Up::plain(&home);
    let key = up.key().to_owned();
    // Killed while the demo trains, and again once its stream speaks: neither begins twice.
    std::thread::sleep(Duration::from_millis(700));
    up.kill();
    let up = Up::plain(&home);
    let (stream, _) = speaking(&up, &key, 2);
    assert_eq!((text(&stream["mode"]), &stream["is_replayed"]), ("paper", &Value::Bool(true)));
    up.kill();
    let up = Up::plain(&home);
    let (again, _) = speaking(&up, &key, stream["next_seq"].as_u64().unwrap() + 2);
    assert_eq!(again["stream_id"], stream["stream_id"]);
    assert_eq!(up.read(&key, "/v1/streams")["items"].as_array().unwrap().len(), 1);
    let jobs = up.read(&key, "/v1/jobs");
    assert_eq!(jobs["items"].as_array().unwrap().len(), 1, "{jobs}");
    // One signal for each close, the demo's own, without a hole.
    let model = text(&stream["model_id"]);
    let signals = up.read(&key, &format!("/v1/signals/{model}?limit=200"));
    let recorded = std::fs::read_to_string(home.run(text(&stream["run_id"])).join("signals.jsonl")).unwrap();
    let recorded: Vec<Value> = recorded.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
    let items = signals["items"].as_array().unwrap();
    assert!(items.len() >= 4);
    for (item, recorded) in items.iter().zip(&recorded) {
        assert_eq!(&item["signal"], recorded);
    }
    // The same from Python: three lines, and the stream as a frame.
    let (python, folder) = install();
    let script = format!(
        "import assay\nserver = assay.connect()\ncurve = server.run({:?}).equity()\n\
         signals = server.signals({model:?})\n\
         assert list(signals['seq']) == list(range(len(signals))), signals\n\
         job = server.submit('check'); result = job.wait(60)\n\
         try:\n    server.run('ffff')\nexcept assay.NotFound:\n    pass\n\
         try:\n    server.submit('nonsense')\nexcept assay.Refused as e:\n    assert e.code == 'bad_request', e\n\
         import json; print(json.dumps({{'rows': len(curve), 'last': float(curve['equity'].iloc[-1]), \
         'signals': len(signals), 'datasets': len(server.datasets()), 'streams': len(server.streams())}}))",
        &text(&stream["run_id"])[..12]
    );
    let mut command = Command::new(python);
    command.args(["-c", &script]).env("PYTHONPATH", folder.path().join("installed"));
    let output = command.env("ASSAY_URL", up.url()).env("ASSAY_API_KEY", &key).output().unwrap();
    let said = Answer::of(&output).expect(0, &[]).json();
    assert_eq!(said["rows"].as_u64(), Some(recorded.len() as u64 + 1));
    assert!(said["signals"].as_u64() >= Some(4) && said["streams"] == 1 && said["datasets"] == 1, "{said}");
    up.terminate();
}
