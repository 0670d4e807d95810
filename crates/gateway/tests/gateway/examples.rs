//! The consumers of `examples/` do what the book says.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use assay_store::database::DestinationKind;
use assay_types::{SigningKey, public_key_text};

use crate::support::{MODEL, Platform, SECRET, settings};

struct Consumer {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Consumer {
    /// Starts a consumer that prints where it listens.
    fn start(mut command: Command) -> Self {
        let name = format!("{command:?}");
        command.env("ASSAY_WEBHOOK_SECRET", SECRET).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.next().unwrap_or_else(|| panic!("{name} said nothing")).unwrap();
        Self { child, lines, url }
    }

    /// The signals 0 to 2 as it should print them.
    fn check(&mut self) {
        for (seq, action) in [(0, "LONG_100"), (1, "SHORT_100"), (2, "LONG_100")] {
            let line = self.lines.next().unwrap().unwrap();
            assert_eq!(line, format!("{seq} 2025-09-03T14:00:00Z BTC-USDT {action} 27251.{seq}"));
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn example(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

async fn consume(mut consumer: Consumer) {
    let platform = Platform::new().await;
    platform.publish(MODEL, 0..2).await;
    platform.destination("one", DestinationKind::Webhook, &consumer.url).await;
    let running = platform.run(settings());
    platform.reaches("one", 2, Duration::from_secs(20)).await;
    // The second comes again and is not printed again.
    platform.database.rewind_destination("one", 1, 0).await.unwrap();
    running.dispatcher.destinations_changed();
    platform.publish(MODEL, 2..3).await;
    platform.reaches("one", 3, Duration::from_secs(20)).await;
    let destination = platform.database.destination("one").await.unwrap().unwrap();
    assert_eq!(running.dispatcher.test(&destination).await.unwrap().failure, None);
    running.end().await;
    consumer.check();

    let forged = forged_post(&consumer.url).await;
    assert!(forged.contains(" 401 "), "{forged}");
}

/// A POST that someone else made; the status line.
async fn forged_post(url: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nassay-event: signal\r\n\
         assay-signature: t=1,v1={}\r\ncontent-length: 2\r\n\r\n{{}}",
        "0".repeat(64)
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 64];
    let read = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[tokio::test]
async fn the_python_consumer_prints_each_signal_once() {
    let python = std::env::var("ASSAY_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = Command::new(python);
    command.arg(example("consumer.py")).arg("0").arg(public_key_text(&SigningKey::from_bytes(&[7; 32])));
    consume(Consumer::start(command)).await;
}

#[tokio::test]
async fn the_node_consumer_prints_each_signal_once() {
    let mut command = Command::new("node");
    command.arg(example("consumer.mjs")).arg("0");
    consume(Consumer::start(command)).await;
}
