//! Where compilers keep packed fields and mappings.

use alloy_primitives::{Address, U256, keccak256};

use crate::concentrated::TickState;
use crate::evm::Evm;

/// Where a mapping at `slot` keeps the value of `key`.
pub(crate) fn mapped(key: U256, slot: U256) -> U256 {
    keccak256([key.to_be_bytes::<32>(), slot.to_be_bytes::<32>()].concat()).into()
}

/// Some bits of a word, from the lowest.
pub(crate) fn bits<T: TryFrom<U256> + Default>(word: U256, from: usize, count: usize) -> T {
    let value = (word >> from) & (U256::MAX >> (256 - count));
    T::try_from(value).unwrap_or_default()
}

/// A signed tick in 24 bits of a word.
pub(crate) fn tick_bits(word: U256, from: usize) -> i32 {
    (bits::<u32>(word, from, 24) << 8).cast_signed() >> 8
}

/// The words of a structure.
pub(crate) fn words<const N: usize>(evm: &Evm, of: Address, first: U256) -> [U256; N] {
    std::array::from_fn(|offset| evm.slot(of, first.wrapping_add(U256::from(offset))))
}

/// A tick in the mapping at `slot`: V3 and V4 pack it alike.
pub(crate) fn tick(evm: &Evm, of: Address, slot: U256, tick: i32) -> TickState {
    let key = if tick < 0 {
        U256::ZERO.wrapping_sub(U256::from(tick.unsigned_abs()))
    } else {
        U256::from(tick.unsigned_abs())
    };
    let [liquidity, outside_0, outside_1] = words(evm, of, mapped(key, slot));
    let liquidity_gross = bits(liquidity, 0, 128);
    TickState {
        liquidity_gross,
        liquidity_net: bits::<u128>(liquidity, 128, 128).cast_signed(),
        fee_growth_outside_x128: [outside_0, outside_1],
        initialized: liquidity_gross > 0,
    }
}

/// The place of `owner`'s position between two ticks in the mapping at `slot`; V4 adds a salt.
pub(crate) fn position(owner: Address, lower: i32, upper: i32, salt: &[u8], slot: U256) -> U256 {
    let mut key = owner.to_vec();
    for tick in [lower, upper] {
        key.extend(&tick.to_be_bytes()[1..]);
    }
    key.extend(salt);
    mapped(keccak256(key).into(), slot)
}
