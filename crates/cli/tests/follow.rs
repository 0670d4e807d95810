//! The whole lane through the binary: a real node, the indexer, miners and the validator,
//! each a process of its own, on blocks as they come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use assay_bytecode::{Market, MarketSwap, U256};
use assay_testkit::Anvil;
use serde_json::{Value, json};

use crate::lp::Served;
use crate::support::{Home, text};

/// Seconds of a round; two rounds are waited for.
const ROUND: u64 = 16;
/// A test that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(150);

fn seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// A node whose blocks bear the time of the clock, and a swap each second until it is dropped.
struct Chain {
    stop: Arc<AtomicBool>,
    trader: Option<std::thread::JoinHandle<()>>,
    anvil: Arc<Anvil>,
    pool: String,
}

impl Chain {
    fn start() -> Self {
        // Blocks of one second each would run ahead of the clock while the market is made.
        let past = (seconds() - 3_600).to_string();
        let anvil = Arc::new(Anvil::start_with(&["--timestamp", &past]));
        let stop = Arc::new(AtomicBool::new(false));
        let (ready, made) = std::sync::mpsc::channel();
        let (node, stopped) = (Arc::clone(&anvil), Arc::clone(&stop));
        let trader = std::thread::spawn(move || {
            let market = Market::deploy(|method: &str, params: Value| node.rpc(method, params), 3000, U256::ONE << 96);
            market.traffic();
            node.rpc("evm_setNextBlockTimestamp", json!([seconds()]));
            node.rpc("evm_mine", json!([]));
            ready.send(market.pool.to_string().to_lowercase()).unwrap();
            for index in 0_u64.. {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                market.swap(&[MarketSwap { zero_for_one: index % 2 == 0, amount: 10_u128.pow(15), exact_out: false }]);
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        let pool = made.recv_timeout(LIMIT).unwrap();
        Self { stop, trader: Some(trader), anvil, pool }
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(trader) = self.trader.take() {
            _ = trader.join();
        }
    }
}

#[test]
fn a_chain_is_followed_and_miners_are_ranked() {
    let chain = Chain::start();
    let home = Home::new();
    let url = chain.anvil.url();
    let indexer = home.start(&["pool", "index", "--rpc", &url, "--pool", &chain.pool, "--all-headers", "--follow"]);
    let makers = [Home::new(), Home::new()];
    let strategies = ["fixed:6000", "hold"];
    let served = [0, 1].map(|index| Served::start(&makers[index], &["--strategy", strategies[index]]));
    let job = json!({
        "job_id": "followed",
        "sn_liquidity_manager_address": format!("0x{:040x}", 1),
        "pair_address": chain.pool,
        "chain_id": 31_337,
        "genesis": seconds() - seconds() % ROUND,
        "round_duration_seconds": ROUND,
        "evaluation_interval_blocks": 6,
        "answer_seconds": 3,
        "reveal_seconds": 1,
        "inventory": { "amount0": "1000000000000000", "amount1": "1000000000000000" },
        "pool": { "kind": "uniswap-v3", "tick_spacing": 60, "fee": { "pips": 3000 } },
    });
    let file = home.file("job.json");
    std::fs::write(&file, job.to_string()).unwrap();
    home.json(&["lp", "job", "add", &file.display().to_string()]);
    for miner in &served {
        home.json(&["lp", "miner", "add", text(&miner.1["key"]), text(&miner.1["address"])]);
    }
    let mut validator = home.start(&["lp", "run"]);
    let scored = || {
        let scores = home.json(&["lp", "scores", "followed"]);
        let rows = scores.as_array().cloned().unwrap_or_default();
        rows.len() == 2 && rows.iter().all(|row| row["scored_rounds"].as_u64() >= Some(2))
    };
    let started = std::time::Instant::now();
    while !scored() {
        let scores = home.json(&["lp", "scores", "followed"]);
        assert!(started.elapsed() < LIMIT, "two rounds were not scored: {scores}");
        assert!(validator.until(|| true), "the validator ended early");
        std::thread::sleep(Duration::from_millis(500));
    }
    // It can be killed at any time; what is stored verifies.
    validator.kill();
    indexer.kill();
    let scores = home.json(&["lp", "scores", "followed"]);
    let round = text(&scores[0]["last_round"]).to_owned();
    for row in scores.as_array().unwrap() {
        assert_eq!(row["days"], json!("0 of 7 days"), "today is no complete day: {row}");
    }
    let page = home.file("round.html").display().to_string();
    let verified = home.json(&["lp", "verify", &round, "--report", &page]);
    let names: Vec<&str> = verified["checks"].as_array().unwrap().iter().map(|check| text(&check["name"])).collect();
    assert_eq!((&verified["held"], &verified["mode"]), (&json!(true), &json!("follow")), "{verified}");
    assert_eq!(names, ["arithmetic", "shape", "hash"]);
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.contains("0 of 7 days") && !html.contains("http://"), "the page of {round}");
}
