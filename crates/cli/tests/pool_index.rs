//! `assay pool index` against a real node, into both databases.

use std::io::Read as _;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use assay_bytecode::{Market, MarketSwap, U256};
use assay_store::database::{DatabaseLocation, PoolEventsReader};
use assay_testkit::postgres::Postgres;
use assay_testkit::{Anvil, Deed, NodeProxy};
use serde_json::{Value, json};

use crate::support::{Answer, Home, Running, tell, text};

type Rpc<'a> = Box<dyn Fn(&str, Value) -> Value + 'a>;

const CHAIN_ID: u64 = 31_337;

fn market(anvil: &Anvil) -> Market<Rpc<'_>> {
    let rpc: Rpc<'_> = Box::new(|method, params| anvil.rpc(method, params));
    Market::deploy(rpc, 3000, U256::ONE << 96)
}

fn wait<F: Future>(work: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// The places of the events of a database, with block hashes, and its last block.
fn stored(database: &str, pool: &str) -> (Vec<[u64; 3]>, u64, String) {
    let location: DatabaseLocation = database.parse().unwrap();
    let mut address = [0; 20];
    address.copy_from_slice(&U256::from_str_radix(&pool[2..], 16).unwrap().to_be_bytes::<32>()[12..]);
    wait(async {
        let reader = PoolEventsReader::open(&location).await.unwrap();
        let cursor = reader.cursor(CHAIN_ID, address).await.unwrap().unwrap();
        let blocks = cursor.first_block..=cursor.last_block;
        let events = reader.events(CHAIN_ID, address, blocks).await.unwrap();
        reader.close().await;
        let places = events.iter().map(|event| [event.place.block, event.place.tx_index, event.place.log_index]);
        let hash = U256::from_be_bytes(cursor.last_hash.unwrap());
        (places.collect(), cursor.last_block, format!("{hash:#066x}"))
    })
}

/// The same of the node.
fn on_chain(anvil: &Anvil, pool: &str) -> (Vec<[u64; 3]>, u64, String) {
    let filter = json!([{ "address": pool, "fromBlock": "0x0", "toBlock": "latest" }]);
    let number = |value: &Value| u64::from_str_radix(&text(value)[2..], 16).unwrap();
    let logs = anvil.rpc("eth_getLogs", filter);
    let place = |log: &Value| ["blockNumber", "transactionIndex", "logIndex"].map(|name| number(&log[name]));
    let head = anvil.rpc("eth_getBlockByNumber", json!(["latest", false]));
    let places = logs.as_array().unwrap().iter().map(place).collect();
    (places, number(&head["number"]), text(&head["hash"]).to_owned())
}

/// A database of each kind in a home.
fn databases(home: &Home, server: &Postgres) -> [String; 2] {
    [home.file("pool-events.db").display().to_string(), server.database()]
}

/// Hands questions for the logs of at most `blocks` blocks on, and the others back.
fn narrow(question: &Value, blocks: u64) -> Option<Deed> {
    let filter = (question["method"] == "eth_getLogs").then(|| &question["params"][0])?;
    let number = |name: &str| u64::from_str_radix(&text(&filter[name])[2..], 16).unwrap();
    let error = json!({ "code": -32005, "message": "query returned more than 10000 results" });
    let body = json!({ "jsonrpc": "2.0", "id": question["id"], "error": error });
    (number("toBlock") - number("fromBlock") >= blocks).then(|| Deed::Answer(200, String::new(), body.to_string()))
}

#[test]
fn logs_are_stored_once_and_reorganised_blocks_are_taken_back() {
    let server = Postgres::start();
    let home = Home::new();
    for database in databases(&home, &server) {
        let anvil = Anvil::start();
        let market = market(&anvil);
        market.traffic();
        let (url, pool) = (anvil.url(), market.pool.to_string().to_lowercase());
        let arguments = ["pool", "index", "--rpc", &url, "--pool", &pool, "--database", &database];
        let first = home.json(&arguments);
        let kinds = json!({ "initialize": 1, "mint": 4, "swap": 43, "burn": 8, "collect": 4 });
        assert_eq!(first["events_by_kind"], kinds, "{first}");
        assert_eq!(
            (&first["kind"], &first["new_events"], &first["logs"]),
            (&json!("uniswap-v3"), &json!(60), &json!(60))
        );
        assert_eq!((&first["ended"], &first["tick_spacing"]), (&json!("head"), &json!(60)));
        let chain = on_chain(&anvil, &pool);
        assert_eq!(first["indexed"], json!([chain.0[0][0], chain.1]), "from the block that made the pool to the head");
        assert_eq!(stored(&database, &pool), chain);

        let again = home.json(&arguments);
        assert_eq!((&again["blocks"], &again["new_events"]), (&json!(0), &json!(0)));

        anvil.rpc("anvil_reorg", json!([9, []]));
        market.mint(-60, 60, 10_u128.pow(15));
        let after = home.json(&[arguments.as_slice(), &["--all-headers"]].concat());
        assert_eq!(after["rollbacks"][0]["to_block"], json!(chain.1 - 9), "{after}");
        assert!(after["rollbacks"][0]["events"].as_u64().unwrap() > 0);
        assert_eq!(stored(&database, &pool), on_chain(&anvil, &pool));
    }
}

#[test]
fn pools_of_one_chain_share_what_is_known_of_its_blocks() {
    let anvil = Anvil::start();
    let markets = [market(&anvil), market(&anvil)];
    markets.iter().for_each(Market::traffic);
    let [first, second] = [0, 1].map(|index| markets[index].pool.to_string().to_lowercase());
    let home = Home::new();
    let (url, database) = (anvil.url(), home.file("pool-events.db").display().to_string());
    let index = |pool: &str| home.json(&["pool", "index", "--rpc", &url, "--pool", pool, "--all-headers"]);
    index(&first);
    anvil.rpc("anvil_reorg", json!([5, []]));
    // A pool that is new itself meets the blocks stored for the other one.
    let new = index(&second);
    assert_eq!(new["rollbacks"].as_array().map(Vec::len), Some(1), "{new}");
    assert_eq!(stored(&database, &second), on_chain(&anvil, &second));
    // They were taken back for both.
    let other = index(&first);
    assert_eq!((&other["rollbacks"], &other["blocks"]), (&json!([]), &json!(5)), "{other}");
    assert_eq!(stored(&database, &first), on_chain(&anvil, &first));
}

#[test]
fn an_indexer_killed_anywhere_goes_on_where_it_was() {
    let anvil = Anvil::start();
    let market = market(&anvil);
    market.traffic();
    let pool = market.pool.to_string().to_lowercase();
    let home = Home::new();
    let database = home.file("pool-events.db").display().to_string();
    let mut kills = 0;
    loop {
        // The node falls silent at its third question for logs of few blocks.
        let asked = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&asked);
        let proxy = NodeProxy::start(anvil.address(), move |question| {
            if let Some(deed) = narrow(question, 4) {
                return deed;
            }
            let logs = question["method"] == "eth_getLogs";
            if logs && count.fetch_add(1, Ordering::SeqCst) >= 2 { Deed::Hang } else { Deed::Pass }
        });
        let mut running = home.start(&["pool", "index", "--rpc", &proxy.url(), "--pool", &pool]);
        if !running.until(|| asked.load(Ordering::SeqCst) >= 3) {
            break;
        }
        running.kill();
        kills += 1;
    }
    assert!(kills >= 5, "{kills} kills");
    let last = home.json(&["pool", "index", "--rpc", &anvil.url(), "--pool", &pool]);
    assert_eq!(last["new_events"], json!(0));
    assert_eq!(stored(&database, &pool), on_chain(&anvil, &pool));
}

#[test]
fn the_head_is_followed_while_the_database_is_away_and_until_an_interrupt() {
    let server = Postgres::start();
    let database = server.database();
    let anvil = Anvil::start();
    let market = market(&anvil);
    let (url, pool) = (anvil.url(), market.pool.to_string().to_lowercase());
    let home = Home::new();
    home.json(&["pool", "index", "--rpc", &url, "--pool", &pool, "--database", &database]);
    let mut command =
        home.command(&["pool", "index", "--rpc", &url, "--pool", &pool, "--database", &database, "--follow", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut running = Running::of(child);
    market.mint(-60, 60, 10_u128.pow(18));
    let reached = |known: &str| stored(known, &pool) == on_chain(&anvil, &pool);
    assert!(running.until(|| reached(&database)));
    server.stop();
    market.traffic();
    server.resume();
    assert!(running.until(|| reached(&database)));
    let interrupt = std::process::Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    let mut answer = String::new();
    out.read_to_string(&mut answer).unwrap();
    assert_eq!(running.wait().code(), Some(0));
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((&answer["ended"], &answer["new_events"]), (&json!("interrupted"), &json!(60)), "{answer}");
}

#[test]
fn a_dry_run_says_what_it_would_do_and_writes_nothing() {
    let anvil = Anvil::start();
    let market = market(&anvil);
    let (url, pool) = (anvil.url(), market.pool.to_string());
    let home = Home::new();
    let head = on_chain(&anvil, &pool).1;
    let arguments =
        ["pool", "index", "--rpc", &url, "--pool", &pool, "--confirmations", "2", "--from", "1", "--dry-run"];
    let plan = home.json(&arguments);
    assert_eq!((&plan["indexed"], &plan["ended"]), (&json!([1, head - 2]), &json!("dry_run")));
    assert_eq!(home.tree(), []);
}

#[test]
fn requests_that_do_not_fit_are_refused_and_keys_never_shown() {
    let anvil = Anvil::start();
    let market = market(&anvil);
    let (url, pool) = (anvil.url(), market.pool.to_string());
    let token = market.tokens[0].to_string();
    let home = Home::new();
    let index = |more: &[&str]| home.assay(&[&["pool", "index"], more].concat());
    let on_node = |more: &[&str]| index(&[&["--rpc", &url], more].concat());
    on_node(&["--pool", &token]).expect(2, &["no pool that can be indexed", "slot0"]);
    on_node(&["--pool", "0x12"]).expect(2, &["0x12", "40 hexadecimal digits"]);
    on_node(&["--pool", &pool, "--kind", "slipstream"]).expect(2, &["is a uniswap-v3 pool"]);
    on_node(&["--pool", &pool, "--from", "7", "--to", "6"]).expect(2, &["--from 7 is after --to 6"]);
    on_node(&["--pool", &pool, "--gauge", &token]).expect(2, &["no gauge"]);
    on_node(&["--pool", &pool, "--database", "mysql://me:topsecretkey@host"]).expect(2, &["is no database"]);
    on_node(&["--pool", &pool, "--from", "5", "--to", "8"]).expect(0, &[]);
    on_node(&["--pool", &pool, "--from", "2"]).expect(2, &["--from 2", "blocks 5 to 8 are indexed"]);
    on_node(&["--pool", &pool, "--from", "10"]).expect(2, &["--from 10", "without a gap"]);

    let refusing = NodeProxy::start(anvil.address(), |_| {
        Deed::Answer(401, String::new(), r#"{"error":"no project topsecretkey"}"#.into())
    });
    let refusing = format!("{}/v2/topsecretkey", refusing.url());
    let unseen = |answer: Answer| assert!(!format!("{}{}", answer.out, answer.err).contains("topsecretkey"));
    unseen(index(&["--rpc", &refusing, "--pool", &pool]).expect(1, &["401", "[hidden]"]));
    unseen(index(&["--rpc", "ws://host/topsecretkey", "--pool", &pool]).expect(2, &["http"]));
    let keyed = NodeProxy::start(anvil.address(), |_| Deed::Pass);
    let keyed = format!("{}/v2/topsecretkey", keyed.url());
    let output = home.command(&["pool", "index", "--rpc", &keyed, "--pool", &pool, "--json"]).output().unwrap();
    unseen(Answer::of(&output).expect(0, &["[hidden]"]));
}

#[test]
fn thousands_of_logs_a_second_are_stored() {
    const SWAPS: u64 = 50;
    let anvil = Anvil::start();
    let market = market(&anvil);
    market.mint(-6000, 6000, 10_u128.pow(24));
    for block in 0..200 {
        let swap = |index| MarketSwap {
            zero_for_one: (block + index) % 2 == 0,
            amount: 10_u128.pow(15) + u128::from(block * SWAPS + index),
            exact_out: false,
        };
        market.swap(&(0..SWAPS).map(swap).collect::<Vec<_>>());
    }
    let pool = market.pool.to_string();
    let home = Home::new();
    let done = home.json(&["pool", "index", "--rpc", &anvil.url(), "--pool", &pool, "--all-headers"]);
    assert_eq!(done["new_events"], json!(200 * SWAPS + 2));
    let rate = done["logs_per_second"].as_f64().unwrap();
    tell(&format!("indexer: {} logs, {rate:.0} logs/s from a local node into SQLite", done["logs"]));
    // An unoptimised SQLite, beside other tests, says nothing about speed.
    assert!(cfg!(debug_assertions) || rate > 5000.0, "{rate:.0} logs/s");
}
