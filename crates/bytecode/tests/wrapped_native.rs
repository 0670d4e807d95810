//! The wrapped native coin beside its contract: random deposits and withdrawals.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use assay_amm::kind::WrappedNative;
use assay_amm::{Context, snapshot};
use assay_bytecode::{Address, Bytes, Evm, U256, call_data, creation_code};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const OPERATIONS: usize = 10_000;
const TRADER: Address = Address::repeat_byte(0x11);

#[test]
fn deposits_and_withdrawals_are_the_contract_s() {
    let mut evm = Evm::new();
    let contract = evm.deploy_raw(creation_code("canonical-weth/build/contracts/WETH9.json")).unwrap();
    let mut ours = WrappedNative { supply: U256::ZERO };
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let (mut done, mut refused) = (0, 0);
    for operation in 0..OPERATIONS {
        let amount = U256::from(random.next_u64() >> (random.next_u32() % 64));
        let wraps = random.next_u32() % 2 == 0;
        // Now and then all there is, or a unit more than that.
        let amount = match random.next_u32() % 16 {
            0 if !wraps => ours.supply,
            1 | 2 if !wraps => ours.supply + U256::ONE,
            _ => amount,
        };
        let theirs = if wraps {
            evm.transact_paying(TRADER, contract, amount, call_data("deposit()", &()))
        } else {
            evm.transact(TRADER, contract, "withdraw(uint256)", &(amount,))
        };
        let (token_in, token_out) = if wraps { (0, 1) } else { (1, 0) };
        let ours_now = ours.swap_exact_in(token_in, token_out, amount, &Context::default());
        assert_eq!(theirs.is_ok(), ours_now.is_ok(), "operation {operation}: {amount}, {theirs:?}, {ours_now:?}");
        if theirs.is_ok() {
            done += 1
        } else {
            refused += 1
        }
        let supply = evm.view(contract, "totalSupply()", &()).unwrap().unsigned(0);
        assert_eq!((supply, evm.coins(contract)), (ours.supply, ours.supply), "operation {operation}");
        let balance = evm.view(contract, "balanceOf(address)", &(TRADER,)).unwrap().unsigned(0);
        assert_eq!(balance, ours.supply);
    }
    assert!(done > OPERATIONS / 2 && refused > OPERATIONS / 100, "{done} done, {refused} refused");
    // A payment without call data wraps too.
    evm.transact_paying(TRADER, contract, U256::from(3), Bytes::new()).unwrap();
    ours.swap_exact_in(0, 1, U256::from(3), &Context::default()).unwrap();
    assert_eq!(evm.coins(contract), ours.supply);
}

#[test]
fn a_state_file_is_read() {
    let text = r#"{"kind": "wrapped-native", "supply": 9007199254740993}"#;
    let snapshot = snapshot::decode(text).unwrap();
    assert_eq!(snapshot.pool.kind().name(), "wrapped-native");
    assert_eq!(snapshot.pool.max_in(1, 0, &Context::default()).unwrap(), U256::from(9_007_199_254_740_993_u64));
    for wrong in [r#"{"kind": "wrapped-native"}"#, r#"{"kind": "wrapped-native", "supply": -1}"#] {
        assert!(snapshot::decode(wrong).is_err(), "{wrong}");
    }
}
