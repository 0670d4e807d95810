//! Balancer's weighted maths on the real BAL/WETH pool, against the deployed Vault.

use std::hint::black_box;

use assay_amm::U256;
use assay_bytecode::{Bytes, Evm, OWNER, VaultPool, VaultPoolKind, VaultPoolSettings, call_data};

use crate::data;
use crate::measure::{Contender, race};

const STATE: &str = "arbitrage/quotes/states/chain_data/1/balancer_weighted_weth_bal.json";
const BALANCES: [u128; 2] = [29_401_141_523_139_759_968_410_400, 605_007_002_163_317_945_954];
const ETHER: u64 = 1_000_000_000_000_000_000;

pub fn run() {
    let snapshot = data::state(STATE);
    let (ours, context) = (&snapshot.pool, snapshot.context());
    let amount = U256::from(ETHER);
    let out = ours.quote_exact_in(1, 0, amount, &context).expect("the pool has this much").amount_out;

    let mut evm = Evm::new();
    let settings = VaultPoolSettings {
        decimals: vec![18, 18],
        weights: vec![U256::from(ETHER / 5 * 4), U256::from(ETHER / 5)],
        amplification: 0,
        rates: Vec::new(),
        exempt: Vec::new(),
        fee: U256::from(ETHER / 100),
    };
    let theirs = VaultPool::deploy(&mut evm, VaultPoolKind::FirstWeighted, &settings, [U256::ZERO; 2])
        .expect("settings in range");
    theirs.initialize(&mut evm, &BALANCES.map(U256::from)).expect("a first deposit");
    assert_eq!(theirs.balances(&mut evm), BALANCES);
    let swap = (theirs.id, U256::ONE, U256::ZERO, amount, Bytes::new());
    let funds = (OWNER, false, OWNER, false);
    let question = call_data(
        "queryBatchSwap(uint8,(bytes32,uint256,uint256,uint256,bytes)[],address[],(address,bool,address,bool))",
        &(U256::ZERO, vec![swap], theirs.tokens.clone(), funds),
    );
    // The answer is a list: where it begins, its length, then what the Vault takes of each token.
    let answer = evm.view_raw(theirs.vault, question.clone()).expect("the Vault answers").signed(2);
    assert_eq!((-answer).into_raw(), out, "the deployed Vault");

    race(
        "Balancer 80/20, 1 WETH to BAL",
        vec![
            Contender::new("assay", 1, || ours.quote_exact_in(1, 0, black_box(amount), &context)),
            Contender::new("the Vault in revm", 1, || evm.view_raw(theirs.vault, question.clone())),
        ],
    );
}
