//! What contract lives at an address: asked of the contract itself, since the pools of
//! several protocols log the same events.

use assay_amm::{PoolKind, U256};

use crate::client::RpcClient;
use crate::error::ChainError;
use crate::hexadecimal::show_address;
use crate::{Address, Hash};

/// First four bytes of the keccak-256 of the signatures.
mod selector {
    pub const TOKEN_0: [u8; 4] = [0x0d, 0xfe, 0x16, 0x81];
    pub const TOKEN_1: [u8; 4] = [0xd2, 0x12, 0x20, 0xa7];
    pub const FEE: [u8; 4] = [0xdd, 0xca, 0x3f, 0x43];
    pub const TICK_SPACING: [u8; 4] = [0xd0, 0xc9, 0x3a, 0x7c];
    pub const SLOT_0: [u8; 4] = [0x38, 0x50, 0xc7, 0xbd];
    pub const FACTORY: [u8; 4] = [0xc4, 0x5a, 0x01, 0x55];
    pub const GAUGE: [u8; 4] = [0xa6, 0xf1, 0x9c, 0x84];
    pub const LM_POOL: [u8; 4] = [0x54, 0x0d, 0x49, 0x18];
}

/// Words of `slot0` where it ends with the protocol's fee and the lock.
const SLOT_0_WORDS: usize = 7;
/// Words of Slipstream's, which has no protocol fee.
const SLIPSTREAM_SLOT_0_WORDS: usize = 6;

/// What a pool says about itself, as of the newest block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolFacts {
    /// Uniswap V3, Pancake V3 or Slipstream.
    pub kind: PoolKind,
    /// Token 0 and token 1.
    pub tokens: [Address; 2],
    /// The fee in millionths; on Slipstream that of the next swap.
    pub fee_pips: u32,
    /// Distance of usable ticks.
    pub tick_spacing: i32,
    /// Square root of the price, as 64.96 bits; zero before the first price.
    pub sqrt_price_x96: U256,
    /// Who made the pool.
    pub factory: Address,
    /// The gauge that a Slipstream pool pays; `None` where there is none.
    pub gauge: Option<Address>,
}

/// Asks the contract at `address` what pool it is.
///
/// # Errors
/// [`ChainError::NotAPool`] with the answer that gave it away, else as [`RpcClient::call`].
pub async fn probe_pool(client: &RpcClient, address: Address) -> Result<PoolFacts, ChainError> {
    let not_a_pool = |detail: String| ChainError::NotAPool { address: show_address(address), detail };
    if client.code(address).await?.is_empty() {
        return Err(not_a_pool("there is no contract on this chain".into()));
    }
    let words = async |name: &str, selector: [u8; 4]| match client.eth_call(address, &selector).await? {
        Some(answer) if !answer.is_empty() && answer.len().is_multiple_of(32) => Ok(words_of(&answer)),
        Some(answer) => Err(not_a_pool(format!("{name}() answers {} bytes", answer.len()))),
        None => Err(not_a_pool(format!("{name}() reverts"))),
    };
    let slot_0 = words("slot0", selector::SLOT_0).await?;
    let tokens = [words("token0", selector::TOKEN_0).await?[0], words("token1", selector::TOKEN_1).await?[0]];
    let [fee, spacing] =
        [words("fee", selector::FEE).await?[0], words("tickSpacing", selector::TICK_SPACING).await?[0]];
    let factory = words("factory", selector::FACTORY).await?[0];
    let optional = async |selector: [u8; 4]| -> Result<Option<Hash>, ChainError> {
        let answer = client.eth_call(address, &selector).await?;
        Ok(answer.filter(|answer| answer.len() == 32).map(|answer| words_of(&answer)[0]))
    };
    let kind = match slot_0.len() {
        SLIPSTREAM_SLOT_0_WORDS => PoolKind::Slipstream,
        SLOT_0_WORDS if optional(selector::LM_POOL).await?.is_some() => PoolKind::PancakeV3,
        SLOT_0_WORDS => PoolKind::UniswapV3,
        count => return Err(not_a_pool(format!("slot0() answers {count} words, V3 pools 7 and Slipstream's 6"))),
    };
    let gauge = if kind == PoolKind::Slipstream { optional(selector::GAUGE).await? } else { None };
    let number = |name: &str, word: Hash| {
        let number = U256::from_be_bytes(word);
        u32::try_from(number).map_err(|_| not_a_pool(format!("{name}() answers {number}")))
    };
    let spacing = number("tickSpacing", spacing)?;
    Ok(PoolFacts {
        kind,
        tokens: tokens.map(address_in),
        fee_pips: number("fee", fee)?,
        tick_spacing: i32::try_from(spacing).map_err(|_| not_a_pool(format!("tickSpacing() answers {spacing}")))?,
        sqrt_price_x96: U256::from_be_bytes(slot_0[0]),
        factory: address_in(factory),
        gauge: gauge.map(address_in).filter(|gauge| *gauge != [0; 20]),
    })
}

/// The block in which the contract at `address` was made, found by halving.
///
/// # Errors
/// [`ChainError::NotAPool`] when there is none after block `head`; [`ChainError::Refused`] by
/// nodes that keep no old states.
pub async fn creation_block(client: &RpcClient, address: Address, head: u64) -> Result<u64, ChainError> {
    if !client.has_code_at(address, head).await? {
        let detail = format!("there is no contract after block {head}");
        return Err(ChainError::NotAPool { address: show_address(address), detail });
    }
    let (mut low, mut high) = (0, head);
    while low < high {
        let middle = low + (high - low) / 2;
        if client.has_code_at(address, middle).await? {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}

fn words_of(answer: &[u8]) -> Vec<Hash> {
    answer.as_chunks::<32>().0.to_vec()
}

fn address_in(word: Hash) -> Address {
    let mut address = [0; 20];
    address.copy_from_slice(&word[12..]);
    address
}

#[cfg(test)]
mod tests {
    use assay_bytecode::keccak256;

    use super::selector;

    #[test]
    fn selectors_are_those_of_the_signatures() {
        let known = [
            ("token0()", selector::TOKEN_0),
            ("token1()", selector::TOKEN_1),
            ("fee()", selector::FEE),
            ("tickSpacing()", selector::TICK_SPACING),
            ("slot0()", selector::SLOT_0),
            ("factory()", selector::FACTORY),
            ("gauge()", selector::GAUGE),
            ("lmPool()", selector::LM_POOL),
        ];
        for (signature, selector) in known {
            assert_eq!(hex::encode(&keccak256(signature)[..4]), hex::encode(selector), "{signature}");
        }
    }
}
