//! The lake on an S3 server: moto, started from the Python that `ASSAY_PYTHON` names
//! (default `.venv/bin/python` at the workspace root). Without it the test fails.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use assay_lake::{ALL_TIME, Lake, LakeError, OnConflict, ProblemKind, S3Config};
use assay_testkit::generate_candles;
use assay_types::{Candles, Dataset, Market, Secret, Timeframe};

const BUCKET: &str = "assay-lake-test";
const START_LIMIT: Duration = Duration::from_secs(120);

/// A running moto, ended when dropped.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    fn start() -> Self {
        let default = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.venv/bin/python"));
        let python = std::env::var_os("ASSAY_PYTHON").map_or(default, PathBuf::from);
        let help = format!(
            "this test needs moto: {} must be a Python with `pip install 'moto[server]'`; set ASSAY_PYTHON to another one",
            python.display()
        );
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let process = Command::new(&python)
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &address.port().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{help} ({error})"));
        let mut server = Self { process, address };
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = server.process.try_wait().unwrap();
            assert!(ended.is_none() && start.elapsed() < START_LIMIT, "{help} (it ended: {ended:?})");
            std::thread::sleep(Duration::from_millis(50));
        }
        let mut stream = TcpStream::connect(address).unwrap();
        let request =
            format!("PUT /{BUCKET} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "the bucket could not be made: {answer}");
        server
    }

    fn config(&self) -> S3Config {
        S3Config {
            bucket: BUCKET.to_owned(),
            prefix: "lake/one".to_owned(),
            region: "us-east-1".to_owned(),
            endpoint: Some(format!("http://{}", self.address)),
            credentials: Some((Secret::new("test".to_owned()), Secret::new("test".to_owned()))),
        }
    }
}

fn series(count: usize) -> Candles {
    let mut candles = Candles::new(Market::new("kucoin", "BTC-USDT").unwrap(), Timeframe::H1);
    generate_candles(2, 1_704_067_200_000, Timeframe::H1, count).into_iter().for_each(|row| candles.push(row));
    candles
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lake_works_on_an_s3_server() {
    let server = Server::start();
    let lake = Lake::open_s3(&server.config()).unwrap();
    let dataset: Dataset = "kucoin/BTC-USDT/1h".parse().unwrap();
    assert!(lake.list().await.unwrap().is_empty());
    let candles = series(2_000);
    lake.store_candles(&candles.slice(0..1_200), OnConflict::Refuse).await.unwrap();
    let report = lake.store_candles(&candles, OnConflict::Refuse).await.unwrap();
    assert_eq!((report.added, report.unchanged), (800, 1_200));

    let other = Lake::open_s3(&server.config()).unwrap();
    assert_eq!(other.load(&dataset, ALL_TIME).await.unwrap(), candles);
    assert_eq!(other.list().await.unwrap()[0].rows, 2_000);
    // A younger file that no manifest names stays: another writer may be about to name it.
    let kinds: Vec<ProblemKind> = other.check(&dataset).await.unwrap().iter().map(|problem| problem.kind).collect();
    assert_eq!(kinds, [ProblemKind::UnnamedFile]);

    // Two writers at once: each either succeeds or is told to try again; nothing is lost.
    let (older, newer) = (series(2_400).slice(0..2_200), series(2_400).slice(2_200..2_400));
    let results =
        tokio::join!(lake.store_candles(&older, OnConflict::Refuse), other.store_candles(&newer, OnConflict::Refuse));
    for (result, rows) in [(results.0, &older), (results.1, &newer)] {
        match result {
            Ok(_) => {}
            Err(LakeError::Locked { .. }) => _ = lake.store_candles(rows, OnConflict::Refuse).await.unwrap(),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(lake.load(&dataset, ALL_TIME).await.unwrap(), series(2_400));

    let wrong = S3Config { bucket: "no-such-bucket".to_owned(), ..server.config() };
    let error = Lake::open_s3(&wrong).unwrap().store_candles(&candles, OnConflict::Refuse).await.unwrap_err();
    assert!(error.to_string().contains("no-such-bucket"), "{error}");
}
