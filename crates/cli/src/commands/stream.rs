//! `assay stream …`: live streams of a running server.

use assay_jobs::JobError;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::remote::{Place, Remote, segment};
use crate::output::{Console, table};

const EXAMPLES: &str = "\
Examples:
  assay stream list --key-file owner.key
  assay stream show 3f9a --json";

const START_EXAMPLES: &str = "\
Examples:
  assay stream start RUN --pace-ms 200
  assay stream start RUN --venue binance --daily-loss 250";

const STOP_EXAMPLES: &str = "\
Examples:
  assay stream stop 3f9a
  assay stream stop 3f9a --reason \"the exchange prints nonsense\"";

const RESUME_EXAMPLES: &str = "\
Examples:
  assay stream resume 3f9a
  assay stream resume 3f9a --reason \"looked at the loss\"";

const PUBLISH_EXAMPLES: &str = "\
Examples:
  assay stream publish 3f9a --max-exposure 20000 --daily-loss 250 --signals-per-hour 20
  assay stream publish 3f9a --max-exposure 20000 --daily-loss 250 --signals-per-hour 20 --phrase \"publish live 9c2e…\"";

/// Digits of an id that lists show.
const SHORT_ID: usize = 12;
/// Streams asked for at once.
const PAGE: usize = 200;

/// Live streams of a running server: its API is asked, with an API key.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Stream {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Streams, newest first: your own and the live ones.
    List {
        /// How many at most.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
        limit: u16,
    },
    /// One stream.
    Show {
        /// Stream id, or the first digits of it.
        stream: String,
    },
    /// Begin a paper stream: the run's policy speaks at each close from now on.
    #[command(after_help = START_EXAMPLES)]
    Start(Start),
    /// Stop a stream: it speaks no more until it is resumed.
    #[command(after_help = STOP_EXAMPLES)]
    Stop(Reason),
    /// Let a stream that is stopped, halted or failed go on; it holds at the closes that it missed.
    #[command(after_help = RESUME_EXAMPLES)]
    Resume(Reason),
    /// Publish a stream of an exchange to everyone who listens; needs all limits and the typed phrase.
    #[command(after_help = PUBLISH_EXAMPLES)]
    Publish(Publish),
}

#[derive(Args)]
struct Start {
    /// Run id, or the first digits of it.
    run: String,
    /// Candles of this exchange as they close: binance, bybit, coinbase-advanced or kucoin; without
    /// it recorded candles are replayed.
    #[arg(long, value_name = "VENUE", conflicts_with_all = ["from", "to", "pace_ms"])]
    venue: Option<String>,
    /// Replay from this open time on, ISO-8601 UTC [default: the run's test split].
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Replay up to this open time, ISO-8601 UTC [default: the run's test split].
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Milliseconds between two replayed closes [default: 1000].
    #[arg(long, value_name = "MS")]
    pace_ms: Option<u64>,
    #[command(flatten)]
    limits: Limits,
}

/// What halts a stream.
#[derive(Args)]
struct Limits {
    /// Largest value of the position, in quote money.
    #[arg(long, value_name = "AMOUNT")]
    max_exposure: Option<String>,
    /// Largest loss within a UTC day, in quote money.
    #[arg(long, value_name = "AMOUNT")]
    daily_loss: Option<String>,
    /// Most signals that change the target within an hour.
    #[arg(long, value_name = "N")]
    signals_per_hour: Option<u32>,
}

#[derive(Args)]
struct Reason {
    /// Stream id, or the first digits of it.
    stream: String,
    /// Why, for whoever looks at it later.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Args)]
struct Publish {
    /// Stream id, or the first digits of it.
    stream: String,
    #[command(flatten)]
    limits: Limits,
    /// `publish live` and the first twelve digits of the model id; without it the phrase is told.
    #[arg(long, value_name = "TEXT", default_value = "")]
    phrase: String,
}

impl Stream {
    pub fn run(self, is_dry: bool, console: &Console) -> anyhow::Result<()> {
        let remote = self.place.remote()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.verb.run(&remote, is_dry, console))
    }
}

impl Verb {
    async fn run(self, remote: &Remote, is_dry: bool, console: &Console<'_>) -> anyhow::Result<()> {
        match self {
            Self::List { limit } => print_list(&streams(remote, usize::from(limit)).await?, console),
            Self::Show { stream } => print(&find(remote, &stream).await?, "assay signals tail MODEL", console),
            Self::Start(start) => {
                let body = start.body();
                if is_dry {
                    let value = json!({ "would_start": body });
                    return console.answer(&value, &format!("would start: {body}"), "assay stream start RUN");
                }
                let begun = remote.post("/v1/streams", &body).await.map_err(|asked| remote.error(asked))?;
                let next = format!("assay signals tail {}", word(&begun, "model_id"));
                print(&begun, &next, console)
            }
            Self::Stop(reason) => reason.change(remote, "stop", is_dry, console).await,
            Self::Resume(reason) => reason.change(remote, "resume", is_dry, console).await,
            Self::Publish(publish) => {
                let body = json!({ "phrase": publish.phrase, "limits": publish.limits.body() });
                change(remote, &publish.stream, "go-live", &body, is_dry, console).await
            }
        }
    }
}

impl Start {
    fn body(&self) -> Value {
        let source = match &self.venue {
            Some(venue) => json!({ "kind": "exchange", "venue": venue }),
            None => json!({ "kind": "replay", "from": self.from, "to": self.to, "pace_ms": self.pace_ms }),
        };
        json!({ "run_id": self.run.to_ascii_lowercase(), "source": source, "limits": self.limits.body() })
    }
}

impl Limits {
    fn body(&self) -> Value {
        let Self { max_exposure, daily_loss, signals_per_hour } = self;
        json!({ "max_exposure": max_exposure, "daily_loss": daily_loss, "signals_per_hour": signals_per_hour })
    }
}

impl Reason {
    async fn change(self, remote: &Remote, verb: &str, is_dry: bool, console: &Console<'_>) -> anyhow::Result<()> {
        change(remote, &self.stream, verb, &json!({ "reason": self.reason }), is_dry, console).await
    }
}

/// Asks for a change of the stream whose id begins with `prefix`, and prints it as it is then.
async fn change(
    remote: &Remote,
    prefix: &str,
    verb: &str,
    body: &Value,
    is_dry: bool,
    console: &Console<'_>,
) -> anyhow::Result<()> {
    let mut stream = find(remote, prefix).await?;
    let id = word(&stream, "stream_id").to_owned();
    if !is_dry {
        let path = format!("/v1/streams/{}/{verb}", segment(&id));
        stream = remote.post(&path, body).await.map_err(|asked| remote.error(asked))?;
    }
    print(&stream, &format!("assay stream show {}", id.get(..SHORT_ID).unwrap_or(&id)), console)
}

/// The newest streams, at most `limit`.
async fn streams(remote: &Remote, limit: usize) -> anyhow::Result<Vec<Value>> {
    let mut all: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let size = PAGE.min(limit - all.len());
        let path = format!("/v1/streams?limit={size}{cursor}");
        let page = remote.get(&path).await.map_err(|asked| remote.error(asked))?;
        all.extend(page["items"].as_array().cloned().unwrap_or_default());
        match page["next"].as_str() {
            Some(next) if all.len() < limit => cursor = format!("&cursor={}", segment(next)),
            _ => return Ok(all),
        }
    }
}

/// The one stream whose id begins with `prefix`.
async fn find(remote: &Remote, prefix: &str) -> anyhow::Result<Value> {
    let prefix = prefix.to_ascii_lowercase();
    if prefix.len() == 32 {
        let path = format!("/v1/streams/{}", segment(&prefix));
        return Ok(remote.get(&path).await.map_err(|asked| remote.error(asked))?);
    }
    let mut fitting = streams(remote, 10_000).await?;
    fitting.retain(|stream| !prefix.is_empty() && word(stream, "stream_id").starts_with(&prefix));
    match (fitting.pop(), fitting.pop()) {
        (Some(stream), None) => Ok(stream),
        (Some(_), _) => Err(JobError::Input(format!("stream `{prefix}` fits several; give more digits")).into()),
        (None, _) => Err(JobError::Input(format!("no stream `{prefix}`; `assay stream list` shows them")).into()),
    }
}

fn word<'a>(stream: &'a Value, name: &str) -> &'a str {
    stream[name].as_str().unwrap_or_default()
}

fn print_list(streams: &[Value], console: &Console) -> anyhow::Result<()> {
    let short = |text: &str| text.get(..SHORT_ID).unwrap_or(text).to_owned();
    let row = |stream: &Value| {
        vec![
            short(word(stream, "stream_id")),
            short(word(stream, "model_id")),
            word(stream, "dataset").to_owned(),
            word(stream, "mode").to_owned(),
            word(stream, "status").to_owned(),
            said(stream).to_string(),
            word(stream, "created_at").to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = streams.iter().map(row).collect();
    let head = ["stream", "model", "dataset", "mode", "status", "said", "began"];
    let text = if rows.is_empty() { "no streams".to_owned() } else { table(&head, &rows) };
    let next = if rows.is_empty() { "assay stream start RUN" } else { "assay stream show STREAM" };
    console.answer(&streams, &text, next)
}

/// How many signals a stream's model has said since the stream began.
fn said(stream: &Value) -> u64 {
    let number = |name: &str| stream[name].as_u64().unwrap_or(0);
    number("next_seq").saturating_sub(number("first_seq"))
}

fn print(stream: &Value, next: &str, console: &Console) -> anyhow::Result<()> {
    let limit = |name: &str| match &stream["limits"][name] {
        Value::Null => "—".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let is_replayed = stream["is_replayed"].as_bool() == Some(true);
    let mut lines = vec![
        format!("stream            {}", word(stream, "stream_id")),
        format!("model             {}", word(stream, "model_id")),
        format!("run               {}", word(stream, "run_id")),
        format!("dataset           {}{}", word(stream, "dataset"), if is_replayed { " (replayed)" } else { "" }),
        format!("mode              {}", word(stream, "mode")),
        format!("status            {}", word(stream, "status")),
        format!("said              {}", said(stream)),
    ];
    for name in ["max_exposure", "daily_loss", "signals_per_hour"] {
        lines.push(format!("{name:<17} {}", limit(name)));
    }
    lines.extend(stream["reason"].as_str().map(|reason| format!("reason            {reason}")));
    console.answer(stream, &lines.join("\n"), next)
}
