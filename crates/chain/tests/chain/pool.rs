//! What contracts say about themselves.

use assay_amm::PoolKind;
use assay_chain::{ChainError, probe_pool};
use assay_testkit::Anvil;

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

    for (contract, hint) in [(market.tokens[0].into_array(), "slot0"), ([9; 20], "no contract")] {
        let error = probe_pool(&client, contract).await.unwrap_err();
        assert!(matches!(error, ChainError::NotAPool { .. }) && error.to_string().contains(hint), "{error}");
    }
}
