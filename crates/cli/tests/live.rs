//! Live streams from the command line: begun, followed through a cut, traced back to their data.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use assay_testkit::TcpProxy;
use serde_json::{Value, json};

use crate::series::{train, with_candles, write};
use crate::served::Up;
use crate::support::{Answer, Home, Running, text};

/// The longest that a test waits for signals.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// A served home with one trained run.
struct Place {
    home: Home,
    up: Up,
    key: PathBuf,
    run: String,
}

impl Place {
    fn new() -> Self {
        let home = with_candles(1_500);
        let keys = ["algorithm=ppo", "n_envs=2", "n_steps=64", "total_timesteps=1280"];
        let run = text(&home.json(&train(&keys))["run_id"]).to_owned();
        let up = Up::start(&home, &[]);
        let key = write(&home, "owner.key", up.key());
        Self { home, up, key, run }
    }

    /// `assay … --server … --key-file …`, not started.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.command(arguments);
        command.env_remove("ASSAY_API_KEY").env_remove("ASSAY_SERVER");
        command.args(["--server", self.up.url(), "--key-file"]).arg(&self.key).arg("--quiet");
        command
    }

    fn assay(&self, arguments: &[&str]) -> Answer {
        Answer::of(&self.command(arguments).output().unwrap())
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        Answer::of(&self.command(arguments).arg("--json").output().unwrap()).expect(0, &[]).json()
    }

    /// A stream that says a signal every 25 ms.
    fn begin(&self) -> Value {
        self.json(&["stream", "start", &self.run[..12], "--pace-ms", "25", "--daily-loss", "9000"])
    }

    /// The stored signals of a model, as they were signed.
    fn stored(&self, model: &str) -> Vec<Value> {
        let page = self.up.read(self.up.key(), &format!("/v1/signals/{model}?limit=200"));
        page["items"].as_array().unwrap().iter().map(|item| item["signal"].clone()).collect()
    }
}

fn lines(file: &Path) -> Vec<Value> {
    let said = std::fs::read_to_string(file).unwrap_or_default();
    // The last line may still be on its way.
    let whole = said.rfind('\n').map_or("", |end| &said[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn streams_are_run_from_the_command_line() {
    let place = Place::new();
    place.assay(&["stream", "list"]).expect(0, &["no streams"]);
    place.assay(&["stream", "start", "ffffffff"]).expect(2, &["the server refuses"]);
    let dry = place.json(&["stream", "start", &place.run, "--dry-run"]);
    assert_eq!(dry["would_start"]["source"]["kind"], "replay");
    let begun = place.begin();
    assert_eq!((&begun["mode"], &begun["status"]), (&json!("paper"), &json!("running")));
    assert_eq!(begun["limits"]["daily_loss"], "9000");
    let id = text(&begun["stream_id"]).to_owned();
    place.assay(&["stream", "start", &place.run]).expect(2, &["the server refuses"]);
    let listed = place.json(&["stream", "list"]);
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["stream_id"]), (1, &begun["stream_id"]));
    place.assay(&["stream", "list"]).expect(0, &[&id[..12], "running", "paper"]);
    place.assay(&["stream", "stop", &id[..8], "--reason", "a look", "--dry-run"]).expect(0, &["running"]);
    place.assay(&["stream", "stop", &id[..8], "--reason", "a look"]).expect(0, &["stopped", "a look"]);
    place.assay(&["stream", "stop", &id[..8]]).expect(2, &["the server refuses"]);
    assert_eq!(place.json(&["stream", "show", &id])["reason"], "a look");
    place.assay(&["stream", "resume", &id[..8], "--reason", "fine"]).expect(0, &["running"]);
    // What is replayed cannot be published, whatever is typed.
    let publish = ["stream", "publish", &id, "--max-exposure", "9", "--daily-loss", "9", "--signals-per-hour", "9"];
    place.assay(&publish).expect(2, &["recorded"]);
    place.assay(&["stream", "show", "ffffff"]).expect(2, &["no stream `ffffff`", "assay stream list"]);
    let mut keyless = place.home.command(&["stream", "list", "--server", place.up.url()]);
    let answer = Answer::of(&keyless.env_remove("ASSAY_API_KEY").output().unwrap());
    answer.expect(2, &["ASSAY_API_KEY", "--key-file"]);
    let away = ["stream", "list", "--server", "http://127.0.0.1:9"];
    let mut away = place.home.command(&away);
    let answer = Answer::of(&away.env("ASSAY_API_KEY", "canary-key").output().unwrap()).expect(1, &["assay up"]);
    assert!(!answer.err.contains("canary-key"));
}

#[test]
fn helps_of_streams_end_with_two_examples() {
    let home = Home::new();
    for verb in [&["stream"][..], &["stream", "start"], &["stream", "stop"], &["stream", "resume"]] {
        let help = home.assay(&[verb, &["--help"]].concat()).expect(0, &["Examples:"]).out;
        let examples = help.split("Examples:").nth(1).unwrap();
        assert_eq!(examples.lines().filter(|line| line.trim().starts_with("assay stream")).count(), 2, "{help}");
    }
    home.assay(&["stream", "publish", "--help"]).expect(0, &["--phrase", "publish live", "--max-exposure"]);
}

#[test]
fn a_tail_goes_on_after_a_cut_without_hole_or_double() {
    let place = Place::new();
    let model = text(&place.begin()["model_id"]).to_owned();
    let proxy = TcpProxy::start(place.up.url().strip_prefix("http://").unwrap().parse().unwrap());
    let (out, server) = (place.home.file("tail"), format!("http://{}", proxy.address()));
    let mut command = place.home.command(&["signals", "tail", &model, "--from", "0", "--count", "120", "--quiet"]);
    command.args(["--server", &server, "--key-file"]).arg(&place.key).stdout(File::create(&out).unwrap());
    let mut tail = Running::of(command.stderr(Stdio::inherit()).spawn().unwrap());
    for cut in [20, 60] {
        assert!(tail.until(|| lines(&out).len() >= cut), "the tail ended early");
        // One cut that lasts, one that does not.
        proxy.down();
        std::thread::sleep(Duration::from_millis(if cut == 20 { 700 } else { 0 }));
        proxy.up();
    }
    assert!(tail.wait().success());
    let said = lines(&out);
    assert_eq!(said, place.stored(&model)[..120]);
    assert!(proxy.accepted() >= 3, "it was not cut");
    // The last ten and what follows.
    let last = place.assay(&["signals", "tail", &model, "--count", "10"]).expect(0, &[]).out;
    let last: Vec<u64> =
        last.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap()).collect();
    assert!(last.len() == 10 && last.windows(2).all(|pair| pair[1] == pair[0] + 1) && last[0] > 100, "{last:?}");
    place.assay(&["signals", "tail", &"ab".repeat(32), "--from", "0"]).expect(2, &["the server refuses"]);
}

#[test]
fn from_a_signal_four_steps_lead_to_its_data() {
    let place = Place::new();
    let model = text(&place.begin()["model_id"]).to_owned();
    let begun = Instant::now();
    while place.stored(&model).len() < 3 {
        assert!(begun.elapsed() < PATIENCE, "nothing is said");
        std::thread::sleep(POLL);
    }
    let signal = place.stored(&model)[2].clone();
    let (hash, numbered) = (text(&signal["sig_hash"]).to_owned(), format!("{model}:2"));
    for id in [&hash, &numbered] {
        let served = place.up.read(place.up.key(), &format!("/v1/show/{id}"));
        let local = place.home.json(&["show", id]);
        for found in [&served, &local] {
            assert_eq!((&found["kind"], &found["id"]), (&json!("signal"), &json!(numbered)), "{found}");
        }
        assert_eq!((&served["summary"]["signal"], &local["signal"]), (&signal, &signal));
        assert_eq!(served["lineage"], local["lineage"]);
        let steps = served["lineage"].as_array().unwrap();
        let kinds: Vec<&str> = steps.iter().map(|step| text(&step["kind"])).collect();
        assert_eq!(kinds, ["model", "run", "features", "data"]);
        // Each step opens, and the run is pinned to what the last two name.
        for step in steps {
            let id = text(&step["id"]);
            assert!(place.up.read(place.up.key(), &format!("/v1/show/{id}"))["lineage"].is_array());
            place.home.assay(&["show", id]).expect(0, &[]);
        }
        let run = place.home.json(&["run", "show", text(&steps[1]["id"])]);
        assert_eq!((&run["pins"]["feature_hash"], &run["pins"]["data_hash"]), (&steps[2]["id"], &steps[3]["id"]));
    }
    // The same walk, one step from each page to the next.
    let next = |id: &str, kind: &str| {
        let page = place.up.read(place.up.key(), &format!("/v1/show/{id}"));
        let steps = page["lineage"].as_array().unwrap().clone();
        let step = steps.into_iter().find(|step| step["kind"] == kind).unwrap_or_else(|| panic!("{kind}: {page}"));
        text(&step["id"]).to_owned()
    };
    let run = next(&next(&hash, "model"), "run");
    assert_eq!(run, place.run);
    next(&run, "features");
    next(&run, "data");
    place.home.assay(&["show", &"0".repeat(64)]).expect(2, &["nothing here is known"]);
}

#[test]
fn the_shell_consumer_prints_each_signal_once() {
    let place = Place::new();
    let model = text(&place.begin()["model_id"]).to_owned();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/consumer.sh");
    let out = place.home.file("consumed");
    let mut command = Command::new("sh");
    command.arg(script).args([place.up.url(), &model]).env("ASSAY_KEY", place.up.key());
    let mut consumer = Running::of(command.stdout(File::create(&out).unwrap()).spawn().unwrap());
    let read = || std::fs::read_to_string(&out).unwrap();
    assert!(consumer.until(|| read().lines().count() >= 60), "the consumer ended early");
    consumer.kill();
    let stored = place.stored(&model);
    for (line, signal) in read().lines().take(60).zip(&stored) {
        let words = ["ts", "symbol", "action", "price_ref"].map(|name| text(&signal[name]));
        assert_eq!(line, format!("{} {}", signal["seq"], words.join(" ")));
    }
}

#[test]
fn what_commands_make_beside_a_server_is_in_its_catalogue() {
    let place = Place::new();
    let keys = ["algorithm=ppo", "n_envs=2", "n_steps=64", "total_timesteps=1280", "seed=9"];
    let run = text(&place.home.json(&train(&keys))["run_id"]).to_owned();
    let csv = place.home.file("candles.csv").display().to_string();
    let market = ["--exchange", "bybit", "--symbol", "XYZ-BTC", "--timeframe", "1h"];
    place.home.json(&[&["data", "import", &csv], &market[..]].concat());
    let begun = Instant::now();
    let has = |path: &str, word: &str| place.up.read(place.up.key(), path).to_string().contains(word);
    while !(has("/v1/runs?limit=200", &run) && has("/v1/datasets", "bybit/XYZ-BTC/1h")) {
        assert!(begun.elapsed() < PATIENCE, "{}", place.up.read(place.up.key(), "/v1/datasets"));
        std::thread::sleep(POLL);
    }
}
