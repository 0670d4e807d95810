//! Any text is a pool state or an error; what is a state answers every quote or refuses it.

#![no_main]

use assay_amm::{Context, U256, snapshot};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(state) = snapshot::decode(text) else { return };
    let context = state.context();
    let count = state.pool.token_count();
    for token_in in 0..count {
        for token_out in 0..count {
            for bits in [0, 20, 64, 111, 128, 255] {
                let amount = U256::ONE << bits;
                let _ = state.pool.quote_exact_in(token_in, token_out, amount, &context);
                let _ = state.pool.quote_exact_out(token_in, token_out, amount, &Context::default());
                let _ = state.pool.clone().swap_exact_in(token_in, token_out, amount, &context);
            }
            let _ = state.pool.marginal_price(token_in, token_out, &context);
            let _ = state.pool.max_in(token_in, token_out, &context);
        }
    }
});
