//! Live rounds on paper and through an executor service.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use assay_lp::protocol::NonceMemory;
use assay_lp::protocol::auth::{Claim, Headers, sign_response};
use assay_lp::replay::{Plan, Tape, replay_round};
use assay_lp::{
    BlockTimes, Entrant, Job, Market, Mode, RebalanceAnswer, RebalanceQuery, Reply, RoundRecord, RoundType,
    record::{EXECUTED, Outcome},
};
use assay_miner::AxonKey;
use assay_store::database::{MinerRow, Participation, RoundMode, RoundStatus, TransactionStatus};
use assay_types::public_key_text;
use assay_validator::executor::{ApiKey, Order, Receipt, ReceiptStatus, VaultRound};
use assay_validator::{Executor, HttpExecutor, PaperExecutor};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::market::{blocks, events, job, position};
use crate::miners::{Miner, axon, holds, honest, key, wants};
use crate::world::{World, source, stepped};

const API_KEY: &str = "key-of-the-tests";

/// Follows the price: a new range at each question.
pub async fn mover(seed: u16) -> Miner {
    honest(
        seed,
        Arc::new(|query: &RebalanceQuery| {
            let step = i32::try_from(query.block_number % 4).unwrap();
            RebalanceAnswer::positions(vec![position(-1_000 - 10 * step, 1_000, 800_000_000, 800_000_000)])
        }),
    )
    .await
}

/// Makes a miner's seven days before the rounds complete.
async fn seven_days(world: &World, job: &Job, miner: &Miner) {
    let days: Vec<_> = (2..=8)
        .map(|day| Participation {
            job_id: job.job_id.clone(),
            miner: miner.key.clone(),
            date: format!("2025-10-{day:02}"),
            offered: 10,
            answered: 5,
            refused: 0,
        })
        .collect();
    world.database.set_participation(&days).await.unwrap();
}

/// A world in which the winner of round 0 may go live in round 1.
pub async fn ready(job: &Job, miners: &[&Miner]) -> World {
    let world = World::new(std::slice::from_ref(job), miners).await;
    world.run(source(stepped(job), job, 1)).await;
    seven_days(&world, job, miners[0]).await;
    assert_eq!(world.record(&job.round_id(RoundType::Evaluation, 0)).await.winner.as_ref(), Some(&miners[0].key));
    world
}

/// The same decisions in a round that is replayed from the events.
fn replayed(job: &Job, record: &RoundRecord) -> RoundRecord {
    let times = BlockTimes::Recorded(blocks(job, 3));
    let plan = Plan::of(job, RoundType::Live, record.round_number, &times).unwrap();
    let miner = &record.miners[0];
    let entrant = Entrant {
        miner: miner.miner.clone(),
        registered_at: miner.registered_at,
        built_in: false,
        authenticated: true,
        combined_before: miner.combined_before,
    };
    let events = events(job, 3);
    let mut market = Market::new(job.pool.clone());
    replay_round(job, &plan, &mut market, &mut Tape::new(&events), vec![entrant], |checkpoint, queries| {
        let answer = &miner.answers[checkpoint.index as usize];
        let query = queries[0].clone().unwrap();
        let positions = match answer.outcome {
            Outcome::Rebalanced => answer.positions.clone(),
            _ => query.current_positions,
        };
        vec![Some(Reply::Answer(RebalanceAnswer::positions(positions)))]
    })
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_round_on_paper_has_the_numbers_of_a_re_executed_miner() {
    let job = job("paper");
    let miners = [mover(1).await, honest(2, holds()).await];
    let mut world = ready(&job, &[&miners[0], &miners[1]]).await;
    let source = source(stepped(&job), &job, 3);
    world.executor = Some(Arc::new(PaperExecutor::new(Arc::clone(&source), [job.clone()])));
    world.run(source).await;

    let record = world.record("paper_live_1").await;
    assert_eq!((record.mode, record.simulation.as_str(), record.miners.len()), (Mode::Follow, EXECUTED, 1));
    assert_eq!(record.checkpoints.len(), 4);
    let miner = &record.miners[0];
    assert_eq!(miner.miner, miners[0].key);
    assert!(miner.measured.executions >= 2, "{:?}", miner.answers);
    let again = replayed(&job, &record);
    assert_eq!(again.miners[0].measured, miner.measured);
    assert_eq!(again.miners[0].judgement, miner.judgement);

    let executions = world.database.executions("paper_live_1").await.unwrap();
    assert_eq!(executions.len() as u32, miner.measured.executions);
    assert!(executions.iter().all(|row| row.tx_status == TransactionStatus::Confirmed && row.actual.is_some()));
    let scores = world.database.scores("paper", RoundMode::Follow).await.unwrap();
    let row = scores.iter().find(|row| row.miner == miners[0].key).unwrap();
    // Rounds 1 and 2 were live and three evaluations were scored.
    assert_eq!((row.live_rounds, row.scored_rounds), (2, 3));
    assert_ne!(row.live_ema, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_eligible_does_not_go_live() {
    let job = job("barred");
    let miners = [mover(1).await, honest(2, holds()).await];
    let mut world = World::new(std::slice::from_ref(&job), &[&miners[0], &miners[1]]).await;
    let source = source(stepped(&job), &job, 2);
    world.executor = Some(Arc::new(PaperExecutor::new(Arc::clone(&source), [job.clone()])));
    world.run(source).await;
    for (number, words) in [(0, "the evaluation round before did not count"), (1, "0 of 7 days")] {
        let round = world.database.round(&format!("barred_live_{number}"), RoundMode::Follow).await.unwrap().unwrap();
        assert_eq!(round.status, RoundStatus::Failed);
        assert!(round.reason.as_ref().unwrap().contains(words), "{round:?}");
    }
    let scores = world.database.scores("barred", RoundMode::Follow).await.unwrap();
    assert!(scores.iter().all(|row| row.live_rounds == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_on_the_axon_wire_are_judged_and_barred_from_live_rounds() {
    let job = job("axon");
    let answer = vec![position(-1_000, 1_000, 800_000_000, 800_000_000)];
    let miners = [axon(1, wants(answer)).await, honest(2, holds()).await];
    let mut world = World::new(std::slice::from_ref(&job), &[&miners[0], &miners[1]]).await;
    let row = world.database.miners().await.unwrap().into_iter().find(|row| row.miner == miners[0].key).unwrap();
    world.database.put_miner(&MinerRow { wire: "axon-v10".into(), ..row }).await.unwrap();
    world.axon = Some(AxonKey::from_mini_secret(&[8; 32]).unwrap());
    let source = source(stepped(&job), &job, 2);
    world.executor = Some(Arc::new(PaperExecutor::new(Arc::clone(&source), [job.clone()])));
    seven_days(&world, &job, &miners[0]).await;
    world.run(source).await;
    let record = world.record("axon_evaluation_0").await;
    let miner = record.miners.iter().find(|miner| miner.miner == miners[0].key).unwrap();
    assert_eq!(
        (miner.authenticated, miner.judgement.rank, &record.winner),
        (false, Some(1), &Some(miners[0].key.clone()))
    );
    let predictions = world.database.predictions("axon_evaluation_0", RoundMode::Follow).await.unwrap();
    let of_axon: Vec<_> = predictions.iter().filter(|row| row.miner == miners[0].key).collect();
    assert!(!of_axon.is_empty() && of_axon.iter().all(|row| !row.authenticated && row.commitment.is_none()));
    let live = world.database.round("axon_live_1", RoundMode::Follow).await.unwrap().unwrap();
    assert!(live.reason.as_ref().unwrap().contains("its answers are not signed and sealed"), "{live:?}");
}

/// What the service does wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing.
    None,
    /// Executes the first post of each order and says it did not; receipts are pending at
    /// first.
    Flaky,
    /// Every order fails.
    Fails,
    /// Never says what became of an order, and executes none.
    Hangs,
}

/// An executor service: the product's paper executor behind HTTP.
struct Service {
    paper: PaperExecutor,
    fault: Fault,
    posts: AtomicU32,
    orders: Mutex<BTreeMap<String, (Order, u32)>>,
    nonces: Mutex<NonceMemory>,
    seen: Mutex<Vec<String>>,
}

impl Service {
    async fn start(paper: PaperExecutor, fault: Fault) -> (String, Arc<Self>) {
        let service = Arc::new(Self {
            paper,
            fault,
            posts: AtomicU32::new(0),
            orders: Mutex::default(),
            nonces: Mutex::default(),
            seen: Mutex::default(),
        });
        let routes = axum::Router::new().fallback(respond).with_state(Arc::clone(&service));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        (url, service)
    }

    async fn work(&self, method: &Method, path: &str, body: &[u8]) -> Result<Vec<u8>, StatusCode> {
        self.seen.lock().unwrap().push(String::from_utf8_lossy(body).into_owned());
        let json = |value: &dyn erased::Json| value.json();
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (method.as_str(), parts.as_slice()) {
            ("POST", ["v1", "rounds"]) => {
                let vault: VaultRound = serde_json::from_slice(body).unwrap();
                Ok(json(&self.paper.open(&vault).await.unwrap()))
            }
            ("POST", ["v1", "executions"]) => {
                let order: Order = serde_json::from_slice(body).unwrap();
                self.posts.fetch_add(1, Ordering::Relaxed);
                let posts = {
                    let mut orders = self.orders.lock().unwrap();
                    let entry = orders.entry(order.idempotency_key()).or_insert((order.clone(), 0));
                    assert_eq!(entry.0, order, "one key, one order");
                    entry.1 += 1;
                    entry.1
                };
                match self.fault {
                    Fault::None => Ok(json(&self.paper.execute(&order).await.unwrap())),
                    Fault::Flaky if posts == 1 => {
                        self.paper.execute(&order).await.unwrap();
                        Err(StatusCode::BAD_GATEWAY)
                    }
                    Fault::Flaky | Fault::Hangs => Ok(json(&receipt(ReceiptStatus::Pending))),
                    Fault::Fails => Ok(json(&receipt(ReceiptStatus::Failed))),
                }
            }
            ("GET", ["v1", "executions", rest @ ..]) => {
                let order = self.orders.lock().unwrap()[&rest.join("/")].0.clone();
                match self.fault {
                    Fault::Hangs => Ok(json(&receipt(ReceiptStatus::Pending))),
                    _ => Ok(json(&self.paper.execute(&order).await.unwrap())),
                }
            }
            ("GET", ["v1", "rounds", job_id, round_id, "reports", block]) => {
                let orders =
                    self.orders.lock().unwrap().values().map(|(order, _)| order.vault.clone()).collect::<Vec<_>>();
                let vault = orders.into_iter().find(|vault| vault.round_id == *round_id && vault.job_id == *job_id);
                let Some(vault) = vault else { return Err(StatusCode::NOT_FOUND) };
                Ok(json(&self.paper.report(&vault, block.parse().unwrap()).await.unwrap()))
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Serialising behind a reference.
mod erased {
    pub trait Json {
        fn json(&self) -> Vec<u8>;
    }

    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> Vec<u8> {
            serde_json::to_vec(self).unwrap()
        }
    }
}

fn receipt(status: ReceiptStatus) -> Receipt {
    Receipt { status, tx_hash: None, reason: Some("as the test wants".into()), holdings: None }
}

const SERVICE: u16 = 950;

async fn respond(
    State(service): State<Arc<Service>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    assert_eq!(headers["authorization"], format!("Bearer {API_KEY}"));
    assert!(!String::from_utf8_lossy(&body).contains(API_KEY));
    let own = public_key_text(&key(SERVICE));
    let found = Headers::read(|name| Some(headers.get(name)?.to_str().unwrap().to_owned()));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let checked =
        Claim::read(&found, &own, None, now).unwrap().verify(method.as_str(), uri.path(), &body, now).unwrap();
    let verified = service.nonces.lock().unwrap().remember(checked, now).unwrap();
    let (status, reply) = match service.work(&method, uri.path(), &body).await {
        Ok(reply) => (StatusCode::OK, reply),
        Err(status) => (status, b"not now".to_vec()),
    };
    let signed = sign_response(&key(SERVICE), verified.digest, status.as_u16(), &reply, &verified.sender);
    let mut response = (status, reply).into_response();
    for (name, value) in signed.pairs() {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

/// Runs rounds 1 (live) and 2 against a service with a fault.
async fn through_service(name: &str, fault: Fault) -> (World, Job, Arc<Service>, [Miner; 2]) {
    let job = job(name);
    let miners = [mover(1).await, honest(2, holds()).await];
    let mut world = ready(&job, &[&miners[0], &miners[1]]).await;
    let source = source(stepped(&job), &job, 2);
    let paper = PaperExecutor::new(Arc::clone(&source), [job.clone()]);
    let (url, service) = Service::start(paper, fault).await;
    let api_key = ApiKey::new(API_KEY).unwrap();
    let service_key = public_key_text(&key(SERVICE));
    world.executor = Some(Arc::new(HttpExecutor::new(&url, &service_key, key(world.validator), api_key).unwrap()));
    world.run(source).await;
    (world, job, service, miners)
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_reach_a_service_once_however_often_they_are_posted() {
    let (world, job, service, _) = through_service("service", Fault::None).await;
    let plain = world.record("service_live_1").await;
    assert_eq!(replayed(&job, &plain).miners[0].measured, plain.miners[0].measured);
    let orders = service.orders.lock().unwrap().len() as u32;
    assert_eq!((service.posts.load(Ordering::Relaxed), plain.miners[0].measured.executions), (orders, orders));
    assert!(service.seen.lock().unwrap().iter().all(|body| !body.contains(API_KEY)));

    let (world, _, service, _) = through_service("service", Fault::Flaky).await;
    let flaky = world.record("service_live_1").await;
    assert_eq!(flaky.miners[0].measured, plain.miners[0].measured);
    assert_eq!(flaky.hash(), plain.hash());
    let orders = service.orders.lock().unwrap().len() as u32;
    assert_eq!(service.posts.load(Ordering::Relaxed), 2 * orders);
    let rows = world.database.executions("service_live_1").await.unwrap();
    assert!(rows.iter().all(|row| row.tx_status == TransactionStatus::Confirmed) && rows.len() as u32 == orders);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_round_of_which_nothing_was_executed_moves_no_average() {
    for (name, fault) in [("fails", Fault::Fails), ("hangs", Fault::Hangs)] {
        let (world, _, _, miners) = through_service(name, fault).await;
        let record = world.record(&format!("{name}_live_1")).await;
        assert_eq!(record.miners[0].measured.executions, 0);
        assert!(
            record.miners[0].answers.iter().all(|answer| answer.outcome == Outcome::Kept),
            "{:?}",
            record.miners[0].answers
        );
        let scores = world.database.scores(name, RoundMode::Follow).await.unwrap();
        let row = scores.iter().find(|row| row.miner == miners[0].key).unwrap();
        assert_eq!((row.live_rounds, row.live_ema), (0, 0));
        let rows = world.database.executions(&format!("{name}_live_1")).await.unwrap();
        assert!(!rows.is_empty() && rows.iter().all(|row| row.tx_status == TransactionStatus::Failed), "{rows:?}");
    }
}
