//! Rows and logs to store.

use assay_amm::event::{BlockHeader, Place, RawLog};
use assay_store::database::{
    Execution, MinerScore, Participation, Prediction, Round, RoundMode, RoundStatus, TransactionStatus,
};
use ruint::aliases::U256;

pub const JOB: &str = "eth-usdc";

pub fn round(number: u64, status: RoundStatus) -> Round {
    Round {
        round_id: format!("{JOB}_evaluation_{number}"),
        mode: RoundMode::Follow,
        job_id: JOB.into(),
        round_type: "evaluation".into(),
        number,
        start_block: Some(100 + number),
        start_time: Some(1_700_000_000),
        end_block: None,
        end_time: None,
        status,
        reason: None,
        winner: None,
        record: None,
        record_hash: None,
        updated_at: 5,
    }
}

pub fn completed(number: u64) -> Round {
    Round {
        end_block: Some(200),
        end_time: Some(1_700_000_900),
        winner: Some("aa".into()),
        record: Some(r#"{"scores":[]}"#.into()),
        record_hash: Some("ff".repeat(32)),
        ..round(number, RoundStatus::Completed)
    }
}

pub fn prediction(round: &Round, miner: &str, checkpoint: u64) -> Prediction {
    Prediction {
        round_id: round.round_id.clone(),
        mode: round.mode,
        miner: miner.into(),
        checkpoint,
        outcome: "answered".into(),
        accepted: true,
        refusal_reason: None,
        answer: Some(r#"{"desired_positions":[]}"#.into()),
        commitment: Some("cc".into()),
        salt: Some("dd".into()),
        authenticated: true,
        response_ms: Some(120),
        received_at: Some(1_700_000_000_120),
    }
}

pub fn score(miner: &str, combined: i128) -> MinerScore {
    MinerScore {
        job_id: JOB.into(),
        miner: miner.into(),
        mode: RoundMode::Follow,
        version: 0,
        evaluation_ema: combined,
        live_ema: combined.wrapping_neg(),
        combined,
        scored_rounds: 1,
        live_rounds: 2,
        refusals: 3,
        missed: 4,
        score_sum: i128::MIN,
        score_square_sum: U256::MAX,
        first_seen: 6,
        last_active: 7,
        last_round: Some("r".into()),
    }
}

pub fn day(miner: &str, date: &str, offered: u64, answered: u64, refused: u64) -> Participation {
    Participation { job_id: JOB.into(), miner: miner.into(), date: date.into(), offered, answered, refused }
}

pub fn execution(id: &str, step: u64) -> Execution {
    Execution {
        execution_id: id.into(),
        round_id: format!("{JOB}_live_0"),
        job_id: JOB.into(),
        miner: "aa".into(),
        step,
        strategy: "{}".into(),
        tx_hash: None,
        tx_status: TransactionStatus::Pending,
        actual: None,
        executed_at: 10 + i64::try_from(step).unwrap(),
        confirmed_at: None,
    }
}

pub const CHAIN: u64 = 8453;
pub const POOL: [u8; 20] = [0xaa; 20];
pub const GAUGE: [u8; 20] = [0xbb; 20];
pub const MODULE: [u8; 20] = [0xcc; 20];

pub const SWAP: &str = "c42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67";
pub const MINT: &str = "7a53080ba414158be7ec69b987b5fb7d07dee101fe85488f0853ae16239d0bde";
pub const BURN: &str = "0c396cd989a39f4459b5fa1aed6a9a8dcdbc45908acfd67e028cd568da98982c";
pub const COLLECT: &str = "70935338e69775456a85ddef226c395fb668b63fa0115f5f20610b388e6ca9c0";
pub const INITIALIZE: &str = "98636036cb66a9c19a37435efc1e90142190214e8abeb821bdba3f2990dd4c95";
pub const FLASH: &str = "bdbdb71d7860376ba52b25a5028beea23581364a40522f6bcfb86bb1f2dca633";
pub const SET_FEE_PROTOCOL: &str = "973d8d92bb299f4af6ce49b52a8adb85ae46b9f214c4c4fc06ac77401237b133";
pub const COLLECT_FEES: &str = "205860e66845f2bbc0966bfab80db9bf93fca93862ea2b9fcf6945748352b4a3";
pub const COLLECT_PROTOCOL: &str = "596b573906218d3411850b26a6b437d6c4522fdb43d2d2386263f86d50b8b151";
pub const DEPOSIT: &str = "1c8ab8c7f45390d58f58f1d655213a82cca5d12179761a87c16f098813b8f211";
pub const WITHDRAW: &str = "8903a5b5d08a841e7f68438387f1da20c84dea756379ed37e633ff3854b99b84";
pub const CLAIM_FEES: &str = "bc567d6cbad26368064baa0ab5a757be46aae4d70f707f9203d9d9b6c8ccbfa3";
pub const CUSTOM_FEE_SET: &str = "e2150e4054ad34f299189d809c507f52c0c572bfef0504af03f43be0870cd354";
pub const SECONDS_AGO_SET: &str = "7a30af0ec8d2cdbaa589a5d6743a47a62b12f68a8d8df30747c7fcc9c69436ad";

/// The hash of a block of one of several branches.
pub fn hash(branch: u8, block: u64) -> [u8; 32] {
    let mut hash = [branch; 32];
    hash[..8].copy_from_slice(&block.to_be_bytes());
    hash
}

pub fn header(branch: u8, number: u64) -> BlockHeader {
    BlockHeader { number, hash: hash(branch, number), timestamp: 1_700_000_000 + 2 * number }
}

pub fn headers(branch: u8, blocks: std::ops::RangeInclusive<u64>) -> Vec<BlockHeader> {
    blocks.map(|number| header(branch, number)).collect()
}

/// A log of branch 0 with small words; a negative one is in two's complement.
pub fn log(block: u64, log_index: u64, address: [u8; 20], first: &str, indexed: &[i64], data: &[i64]) -> RawLog {
    let word = |number: &i64| {
        let magnitude = U256::from(number.unsigned_abs());
        if *number < 0 { magnitude.wrapping_neg() } else { magnitude }
    };
    let first = U256::from_str_radix(first, 16).unwrap();
    RawLog {
        place: Place { block, tx_index: log_index / 2, log_index },
        block_hash: hash(0, block),
        tx_hash: [7; 32],
        address,
        topics: std::iter::once(first).chain(indexed.iter().map(word)).collect(),
        data: data.iter().flat_map(|number| word(number).to_be_bytes::<32>()).collect(),
    }
}

pub fn swap(block: u64, log_index: u64) -> RawLog {
    let amount = i64::try_from(block * 100 + log_index).unwrap() + 1;
    log(block, log_index, POOL, SWAP, &[1, 2], &[amount, -2 * amount, 1 << 60, 5_000, -7])
}
