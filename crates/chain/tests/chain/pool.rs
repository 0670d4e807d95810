//! What contracts say about themselves.

use assay_amm::PoolKind;
use assay_bytecode::{Concentrated, ConcentratedFork, Evm, keccak256};
use assay_chain::{Address, ChainError, creation_block, probe_pool, show_address};
use assay_testkit::Anvil;
use serde_json::json;

use crate::setting::{address, client, market};

#[tokio::test]
async fn a_pool_says_what_it_is_and_other_contracts_are_refused() {
    let anvil = Anvil::start();
    let market = market(&anvil);
    let client = client(&anvil.url());
    assert_eq!(client.chain_id().await.unwrap(), 31_337);
    let facts = probe_pool(&client, address(&market)).await.unwrap();
    assert_eq!((facts.kind, facts.fee_pips, facts.tick_spacing), (PoolKind::UniswapV3, 3000, 60));
    assert_eq!(facts.tokens, market.tokens.map(|token| token.into_array()));
    assert_eq!(facts.factory, market.factory.into_array());
    assert_eq!(facts.sqrt_price_x96, assay_amm::U256::ONE << 96);
    assert_eq!(facts.gauge, None);
    let head = client.block_number().await.unwrap();
    let made = creation_block(&client, address(&market), head).await.unwrap();
    let logs = client.logs(&[address(&market)], 0..=head).await.unwrap();
    assert_eq!(logs[0].place.block, made, "a pool on this chain is made and gets its price in one block");
    assert!(creation_block(&client, address(&market), made - 1).await.is_err());

    for (contract, hint) in [(market.tokens[0].into_array(), "slot0"), ([9; 20], "no contract")] {
        let error = probe_pool(&client, contract).await.unwrap_err();
        assert!(matches!(error, ChainError::NotAPool { .. }) && error.to_string().contains(hint), "{error}");
    }
}

/// A contract that answers each signature with its words and reverts on all others.
fn answering(answers: &[(&str, Vec<[u8; 32]>)]) -> Vec<u8> {
    let mut code = vec![0x5f, 0x35, 0x60, 0xe0, 0x1c]; // the first four bytes of the call data
    let mut bodies: Vec<u8> = Vec::new();
    let start = code.len() + answers.len() * 11 + 3;
    for (signature, words) in answers {
        let place = u16::try_from(start + bodies.len()).unwrap();
        code.extend([0x80, 0x63]); // the same selector: jump
        code.extend(&keccak256(signature)[..4]);
        code.extend([0x14, 0x61]);
        code.extend(place.to_be_bytes());
        code.push(0x57);
        bodies.push(0x5b);
        for (index, word) in words.iter().enumerate() {
            bodies.push(0x7f);
            bodies.extend(word);
            bodies.extend([0x61, 0, u8::try_from(32 * index).unwrap(), 0x52]);
        }
        bodies.extend([0x61, 0, u8::try_from(32 * words.len()).unwrap(), 0x5f, 0xf3]);
    }
    code.extend([0x5f, 0x5f, 0xfd]);
    assert_eq!(code.len(), start);
    [code, bodies].concat()
}

#[tokio::test]
async fn forks_are_told_apart_by_what_they_answer() {
    let anvil = Anvil::start();
    let client = client(&anvil.url());
    let place = |address: Address, code: &[u8]| {
        anvil.rpc("anvil_setCode", json!([show_address(address), format!("0x{}", hex::encode(code))]));
        address
    };
    let mut evm = Evm::new();
    let pancake = Concentrated::deploy(&mut evm, ConcentratedFork::Pancake, 2500, 50);
    let at = place([0x51; 20], &evm.code(pancake.address));
    let facts = probe_pool(&client, at).await.unwrap();
    assert_eq!((facts.kind, facts.fee_pips, facts.tick_spacing), (PoolKind::PancakeV3, 2500, 50));

    let word = |value: u8| {
        let mut word = [0; 32];
        word[31] = value;
        word
    };
    let mut answers: Vec<(&str, Vec<[u8; 32]>)> =
        ["slot0()", "token0()", "token1()", "fee()", "tickSpacing()", "factory()", "gauge()"]
            .iter()
            .zip(1..)
            .map(|(name, value)| (*name, vec![word(value)]))
            .collect();
    answers[0].1 = vec![word(1); 6];
    let facts = probe_pool(&client, place([0x52; 20], &answering(&answers))).await.unwrap();
    assert_eq!((facts.kind, facts.fee_pips, facts.tick_spacing), (PoolKind::Slipstream, 4, 5));
    assert_eq!(facts.gauge.map(|gauge| gauge[19]), Some(7));

    answers[0].1 = vec![word(1); 5];
    let error = probe_pool(&client, place([0x53; 20], &answering(&answers))).await.unwrap_err().to_string();
    assert!(error.contains("slot0() answers 5 words"), "{error}");
}
