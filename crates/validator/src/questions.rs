//! Asking miners, in two phases: sealed answers until the deadline, then their reveals.

use std::collections::BTreeMap;

use assay_lp::protocol::RevealRequest;
use assay_lp::{Checkpoint, RebalanceAnswer, RebalanceQuery, Reply};
use assay_miner::{Ask, Asked, Fault, MinerClient, MinerEndpoint, Outcome, Reveal, Revealed};
use assay_store::database::{Prediction, RoundMode};

use crate::clock::Hold;

/// What came of one miner's question: the reply that the round takes, and the row that
/// stores it, whose outcome is filled in when the round has taken it.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    pub(crate) reply: Reply,
    pub(crate) row: Prediction,
}

/// An answer that was sealed and not opened is invalid (R6). The words go into the record and
/// are the same for every validator: what exactly came over the wire is no part of it.
fn not_opened(fault: &Fault) -> Reply {
    let reason = match fault {
        Fault::FalseReveal(_) => "the reveal does not open the commitment",
        Fault::Answer(_) => "the revealed answer says nothing usable",
        _ => "the answer was sealed and not revealed",
    };
    Reply::Invalid(reason.to_owned())
}

/// Asks all miners at once and comes back when every reveal is in or its time is over; what
/// one miner does costs no other anything.
pub(crate) async fn ask(
    client: &MinerClient,
    checkpoint: &Checkpoint,
    reveal_seconds: u64,
    questions: Vec<(MinerEndpoint, RebalanceQuery)>,
    hold: &mut Hold,
) -> Vec<Answered> {
    let closes_ms = checkpoint.closes_at.saturating_mul(1_000);
    let asked_at = hold.clock().now_ms();
    let places: Vec<_> = questions.iter().map(|(endpoint, query)| (endpoint.clone(), query.clone())).collect();
    let asks = questions.into_iter().map(|(endpoint, query)| Ask { endpoint, query }).collect();
    let deadline = hold.clock().instant_at(closes_ms);
    let asked = client.ask_all(asks, deadline).await;
    // Nobody opens an answer while another may still seal one.
    hold.sleep_until(closes_ms).await;
    let deadline = hold.clock().instant_at(closes_ms.saturating_add(reveal_seconds.saturating_mul(1_000)));
    let reveals = asked.iter().zip(&places).enumerate().filter_map(|(index, (asked, (endpoint, query)))| {
        let Outcome::Committed(commitment) = asked.outcome else { return None };
        let request = RevealRequest {
            job_id: query.job_id.clone(),
            round_id: query.round_id.clone(),
            checkpoint: query.block_number,
            commitment,
        };
        Some((index, Reveal { endpoint: endpoint.clone(), request }))
    });
    let (indices, reveals): (Vec<usize>, Vec<Reveal>) = reveals.unzip();
    let revealed = client.reveal_all(reveals, deadline).await;
    let mut revealed: BTreeMap<usize, Revealed> = indices.into_iter().zip(revealed).collect();
    let answered = asked.into_iter().zip(places).enumerate().map(|(index, (asked, (_, query)))| {
        let row = empty_row(&query.round_id, &asked.miner, checkpoint.index);
        answered(asked, revealed.remove(&index), row, asked_at)
    });
    answered.collect()
}

/// One miner's two phases, put together.
fn answered(asked: Asked, revealed: Option<Revealed>, mut row: Prediction, asked_at: u64) -> Answered {
    row.authenticated = asked.authenticated;
    row.response_ms = Some(asked.response_ms);
    let received = i64::try_from(asked_at.saturating_add(asked.response_ms)).ok();
    let told = asked.reply();
    let reply = match asked.outcome {
        Outcome::Failed(fault) => told.unwrap_or_else(|| Reply::Missed(fault.to_string())),
        Outcome::Open(answer) => {
            row.received_at = received;
            row.answer = serde_json::to_string(&answer).ok();
            Reply::Answer(answer)
        }
        Outcome::Committed(commitment) => {
            row.received_at = received;
            row.commitment = Some(commitment.to_string());
            match revealed.map(|revealed| revealed.outcome) {
                Some(Ok(opened)) => {
                    row.answer = Some(opened.text);
                    row.salt = Some(opened.salt);
                    Reply::Answer(opened.answer)
                }
                Some(Err(fault)) => not_opened(&fault),
                None => not_opened(&Fault::Late),
            }
        }
    };
    if let Reply::Missed(reason) | Reply::Invalid(reason) = &reply {
        row.refusal_reason = Some(reason.clone());
    }
    Answered { reply, row }
}

pub(crate) fn empty_row(round_id: &str, miner: &str, checkpoint: u32) -> Prediction {
    Prediction {
        round_id: round_id.to_owned(),
        mode: RoundMode::Follow,
        miner: miner.to_owned(),
        checkpoint: checkpoint.into(),
        outcome: String::new(),
        accepted: false,
        refusal_reason: None,
        answer: None,
        commitment: None,
        salt: None,
        authenticated: false,
        response_ms: None,
        received_at: None,
    }
}

/// The reply that a stored row was made from.
pub(crate) fn stored_reply(row: &Prediction) -> Reply {
    let reason = || row.refusal_reason.clone().unwrap_or_default();
    match &row.answer {
        Some(text) => match RebalanceAnswer::read(text.as_bytes()) {
            Ok(answer) => Reply::Answer(answer),
            Err(_) => Reply::Invalid(reason()),
        },
        None if row.outcome == assay_lp::record::Outcome::Invalid.name() => Reply::Invalid(reason()),
        None => Reply::Missed(reason()),
    }
}
