//! The routes on the sample's job.

use assay_jobs::sample::pool::sample_pool;
use assay_store::database::{CompletedRound, MinerRow, MinerScore, Participation, Round, RoundStatus};
use assay_types::time::format_utc;
use serde_json::json;

use super::*;
use crate::access::Role;
use crate::clock::now_ms;
use crate::testing::{Routes, caller};

const DAY_MS: i64 = 86_400_000;

/// The sample's job with three rounds, one of them completed, and a miner that answered on
/// five of the last seven days.
async fn played() -> (Routes, String) {
    let routes = Routes::start().await;
    let job = sample_pool(1).unwrap().job;
    let job_id = job.job_id.clone();
    let row = JobRow {
        job_id: job_id.clone(),
        config: serde_json::to_string(&job).unwrap(),
        is_active: true,
        created_at: 1,
        updated_at: 1,
    };
    let database = &routes.state.liquidity;
    database.put_job(&row).await.unwrap();
    let miner = MinerRow {
        miner: "ab".repeat(32),
        url: "http://miner.example/secret-path".to_owned(),
        wire: "native".to_owned(),
        registered_at: 1,
        active: true,
    };
    database.put_miner(&miner).await.unwrap();
    for number in 0..3 {
        let is_over = number == 0;
        let round = Round {
            round_id: format!("{job_id}_evaluation_{number}"),
            mode: RoundMode::Follow,
            job_id: job_id.clone(),
            round_type: "evaluation".to_owned(),
            number,
            start_block: Some(100),
            start_time: Some(1_700_000_000),
            end_block: is_over.then_some(200),
            end_time: is_over.then_some(1_700_000_900),
            status: if is_over { RoundStatus::Completed } else { RoundStatus::Active },
            reason: None,
            winner: is_over.then(|| miner.miner.clone()),
            record: is_over.then(|| r#"{"scores":[]}"#.to_owned()),
            record_hash: is_over.then(|| "ff".repeat(32)),
            updated_at: 5,
        };
        if !is_over {
            database.put_round(&round, None).await.unwrap();
            continue;
        }
        let days = (1..=5).map(|back| Participation {
            job_id: job_id.clone(),
            miner: miner.miner.clone(),
            date: format_utc(now_ms() - back * DAY_MS)[..10].to_owned(),
            offered: 10,
            answered: 5,
            refused: 0,
        });
        let score = MinerScore {
            job_id: job_id.clone(),
            miner: miner.miner.clone(),
            mode: RoundMode::Follow,
            version: 0,
            evaluation_ema: 7,
            live_ema: 0,
            combined: 4,
            scored_rounds: 1,
            live_rounds: 0,
            refusals: 0,
            missed: 0,
            score_sum: 7,
            score_square_sum: assay_amm::U256::from(49),
            first_seen: 1,
            last_active: 1,
            last_round: Some(round.round_id.clone()),
        };
        let (scores, participation) = ([score], days.collect::<Vec<_>>());
        let completed =
            CompletedRound { round: &round, predictions: &[], scores: &scores, participation: &participation };
        database.complete_round(completed, None).await.unwrap();
    }
    (routes, job_id)
}

#[tokio::test]
async fn jobs_rounds_and_standings_are_shown() {
    let (routes, job_id) = played().await;
    let viewer = caller("eve", Role::Viewer);
    let (_, jobs) = routes.get(&viewer, "/v1/liquidity/jobs").await;
    assert_eq!((&jobs["items"][0]["job_id"], &jobs["next"]), (&json!(job_id), &Value::Null));
    let (_, job) = routes.get(&viewer, &format!("/v1/liquidity/jobs/{job_id}")).await;
    assert_eq!(job["config"]["job_id"], json!(job_id));
    let (_, first) = routes.get(&viewer, &format!("/v1/liquidity/jobs/{job_id}/rounds?limit=2")).await;
    let numbers = |page: &Value| -> Vec<u64> {
        page["items"].as_array().unwrap().iter().map(|round| round["number"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(&first), [2, 1]);
    let next = format!("/v1/liquidity/jobs/{job_id}/rounds?limit=2&cursor={}", first["next"].as_str().unwrap());
    assert_eq!(numbers(&routes.get(&viewer, &next).await.1), [0]);
    let (_, round) = routes.get(&viewer, &format!("/v1/liquidity/rounds/{job_id}_evaluation_0")).await;
    assert_eq!((&round["record"], &round["round"]["status"]), (&json!({ "scores": [] }), &json!("completed")));
    assert_eq!(round["round"]["ended_at"], "2023-11-14T22:28:20Z");
    let (_, scores) = routes.get(&viewer, &format!("/v1/liquidity/jobs/{job_id}/scores")).await;
    assert_eq!((&scores["items"][0]["days"], &scores["items"][0]["combined"]), (&json!("5 of 7 days"), &json!("4")));
    assert_eq!(scores["items"][0]["eligible"], false);
    let (_, miners) = routes.get(&viewer, "/v1/liquidity/miners").await;
    assert_eq!(miners["items"].as_array().unwrap().len(), 1);
    assert!(!miners.to_string().contains("secret-path"), "where a miner is asked is the validator's business");
    for path in ["jobs/none", "jobs/a%00b", "jobs/none/rounds", "jobs/none/scores", "rounds/none", "rounds/%00"] {
        assert_eq!(routes.get(&viewer, &format!("/v1/liquidity/{path}")).await.0, 404, "{path}");
    }
    for query in ["?mode=other", "?round_type=x", "?limit=0", "?cursor=x", "?more=1"] {
        let path = format!("/v1/liquidity/jobs/{job_id}/rounds{query}");
        assert_eq!(routes.get(&viewer, &path).await.0, 400, "{query}");
    }
}

#[tokio::test]
async fn rounds_and_miners_are_found_by_their_ids() {
    let (routes, job_id) = played().await;
    let viewer = caller("eve", Role::Viewer);
    for (id, kind) in [
        (format!("{job_id}_evaluation_0"), "round"),
        (job_id.clone(), "liquidity_job"),
        ("ab".repeat(32), "miner"),
        (format!("0x{}", "AB".repeat(32)), "miner"),
    ] {
        let (status, found) = routes.get(&viewer, &format!("/v1/show/{id}")).await;
        assert_eq!((status.as_u16(), &found["kind"]), (200, &json!(kind)), "{id}: {found}");
    }
    let (_, round) = routes.get(&viewer, &format!("/v1/show/{job_id}_evaluation_0")).await;
    assert_eq!(round["lineage"], json!([{ "kind": "liquidity_job", "id": job_id }]));
    let question = json!({ "query": format!("{{ rounds(jobId: \"{job_id}\", first: 2) {{ pageInfo {{ hasNextPage endCursor }} edges {{ node {{ number status }} }} }} }}") });
    let (_, answer) = routes.post(&viewer, "/graphql", &question).await;
    let rounds = &answer["data"]["rounds"];
    assert_eq!((&rounds["edges"][0]["node"]["number"], &rounds["pageInfo"]["hasNextPage"]), (&json!(2), &json!(true)));
}
