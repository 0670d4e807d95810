//! Raw logs of V3 pools and their forks: topics and data words to events.
//!
//! Source: the event signatures of `IUniswapV3PoolEvents`, Pancake V3's own `Swap` (with two
//! words of protocol fees behind the tick) and Slipstream, which shares V3's.

use ruint::aliases::U256;

use super::fields::{Row, swap_of};
use super::{Event, LiquidityEvent};

/// First topics: the keccak-256 of the event signatures.
mod signature {
    use super::topic;

    pub const INITIALIZE: [u64; 4] = topic("98636036cb66a9c19a37435efc1e90142190214e8abeb821bdba3f2990dd4c95");
    pub const MINT: [u64; 4] = topic("7a53080ba414158be7ec69b987b5fb7d07dee101fe85488f0853ae16239d0bde");
    pub const BURN: [u64; 4] = topic("0c396cd989a39f4459b5fa1aed6a9a8dcdbc45908acfd67e028cd568da98982c");
    pub const COLLECT: [u64; 4] = topic("70935338e69775456a85ddef226c395fb668b63fa0115f5f20610b388e6ca9c0");
    pub const SWAP: [u64; 4] = topic("c42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67");
    pub const PANCAKE_SWAP: [u64; 4] = topic("19b47279256b2a23a1665c810c8d55a1758940ee09377d4f8d26497a3577dc83");
    pub const FLASH: [u64; 4] = topic("bdbdb71d7860376ba52b25a5028beea23581364a40522f6bcfb86bb1f2dca633");
    pub const SET_FEE_PROTOCOL: [u64; 4] = topic("973d8d92bb299f4af6ce49b52a8adb85ae46b9f214c4c4fc06ac77401237b133");
    pub const PANCAKE_SET_FEE_PROTOCOL: [u64; 4] =
        topic("b3159fed3ddfba67bae294599eafe2d0ec98c08bb38e0e5fb87d33154b6e05aa");
    pub const SLIPSTREAM_COLLECT_FEES: [u64; 4] =
        topic("205860e66845f2bbc0966bfab80db9bf93fca93862ea2b9fcf6945748352b4a3");
    pub const COLLECT_PROTOCOL: [u64; 4] = topic("596b573906218d3411850b26a6b437d6c4522fdb43d2d2386263f86d50b8b151");
}

/// Reads `topics` (a list of 0x words, quoted or not) and `data` of a row.
pub(super) fn event(row: &impl Row) -> Result<Event, String> {
    let list = row.get("topics").ok_or("no topics")?;
    let list = list.trim().strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(list);
    let topics: Vec<&str> =
        list.split(',').map(|word| word.trim().trim_matches(['\'', '"'])).filter(|word| !word.is_empty()).collect();
    decode_log(&topics, row.get("data").unwrap_or("0x"))
}

/// Decodes one log from its topics and data, in hexadecimal.
///
/// # Errors
/// Words that are no hexadecimal of the right length, an unknown first topic, or values
/// that the pool cannot log.
pub fn decode_log(topics: &[&str], data: &str) -> Result<Event, String> {
    let topics = topics.iter().map(|topic| word(topic)).collect::<Result<Vec<U256>, String>>()?;
    let data = words(data)?;
    let first = topics.first().ok_or("a log without topics")?;
    decode_words(&topics, &data)?.ok_or_else(|| format!("topic 0x{first:064x} is no event of a V3 pool or its forks"))
}

/// Decodes one log from its words; `None` when the first topic is none of a pool's.
pub(super) fn decode_words(topics: &[U256], data: &[U256]) -> Result<Option<Event>, String> {
    let Some((first, indexed)) = topics.split_first() else { return Err("a log without topics".into()) };
    let log = Words { indexed, data };
    let event = match *first.as_limbs() {
        signature::INITIALIZE => {
            log.shape(0, 2)?;
            Ok(Event::Initialize { sqrt_price_x96: log.data[0], tick: Some(tick(log.data[1])?) })
        }
        signature::MINT => {
            log.shape(3, 4)?;
            Ok(Event::Mint(log.liquidity(&log.data[1..])?))
        }
        signature::BURN => {
            log.shape(3, 3)?;
            Ok(Event::Burn(log.liquidity(log.data)?))
        }
        signature::COLLECT => {
            log.shape(3, 3)?;
            Ok(Event::Collect {
                owner: Some(log.indexed[0]),
                tick_lower: tick(log.indexed[1])?,
                tick_upper: tick(log.indexed[2])?,
                amounts: [log.data[1], log.data[2]],
            })
        }
        signature::SWAP | signature::PANCAKE_SWAP => {
            log.shape(2, if *first.as_limbs() == signature::SWAP { 5 } else { 7 })?;
            let amounts = [signed(log.data[0]), signed(log.data[1])];
            Ok(Event::Swap(swap_of(amounts, log.data[2], narrow(log.data[3], "liquidity")?, tick(log.data[4])?)?))
        }
        signature::FLASH => {
            log.shape(2, 4)?;
            Ok(Event::Flash { amounts: [log.data[0], log.data[1]], paid: [log.data[2], log.data[3]] })
        }
        signature::SET_FEE_PROTOCOL | signature::PANCAKE_SET_FEE_PROTOCOL => {
            log.shape(0, 4)?;
            Ok(Event::SetFeeProtocol {
                parts: [narrow(log.data[2], "feeProtocol0")?, narrow(log.data[3], "feeProtocol1")?],
            })
        }
        signature::COLLECT_PROTOCOL => {
            log.shape(2, 2)?;
            Ok(Event::CollectProtocol { amounts: [log.data[0], log.data[1]] })
        }
        signature::SLIPSTREAM_COLLECT_FEES => {
            log.shape(1, 2)?;
            Ok(Event::CollectGauge { amounts: [log.data[0], log.data[1]] })
        }
        _ => return Ok(None),
    };
    event.map(Some)
}

/// The limbs of a first topic from its hexadecimal digits.
pub(super) const fn topic(digits: &str) -> [u64; 4] {
    let digits = digits.as_bytes();
    assert!(digits.len() == 64, "a topic has 64 digits");
    let mut limbs = [0_u64; 4];
    let mut index = 0;
    while index < 64 {
        let digit = match digits[index] {
            digit @ b'0'..=b'9' => digit - b'0',
            digit @ b'a'..=b'f' => digit - b'a' + 10,
            _ => panic!("a topic is lower-case hexadecimal"),
        };
        let limb = 3 - index / 16;
        limbs[limb] = limbs[limb] << 4 | digit as u64;
        index += 1;
    }
    limbs
}

/// The words of a log behind its first topic.
pub(super) struct Words<'a> {
    pub indexed: &'a [U256],
    pub data: &'a [U256],
}

impl Words<'_> {
    pub fn shape(&self, indexed: usize, data: usize) -> Result<(), String> {
        if self.indexed.len() != indexed || self.data.len() != data {
            return Err(format!(
                "{} indexed topics and {} words of data where the event has {indexed} and {data}",
                self.indexed.len(),
                self.data.len()
            ));
        }
        Ok(())
    }

    fn liquidity(&self, data: &[U256]) -> Result<LiquidityEvent, String> {
        Ok(LiquidityEvent {
            owner: Some(self.indexed[0]),
            tick_lower: tick(self.indexed[1])?,
            tick_upper: tick(self.indexed[2])?,
            liquidity: narrow(data[0], "liquidity")?,
            amounts: [data[1], data[2]],
        })
    }
}

fn hex(text: &str) -> Result<&str, String> {
    text.strip_prefix("0x").ok_or_else(|| format!("`{text}` does not begin with 0x"))
}

fn word(text: &str) -> Result<U256, String> {
    let digits = hex(text)?;
    if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(format!("`{text}` is no word of 32 bytes"));
    }
    U256::from_str_radix(digits, 16).map_err(|_| format!("`{text}` is no word of 32 bytes"))
}

fn words(data: &str) -> Result<Vec<U256>, String> {
    let digits = hex(data)?;
    if !digits.len().is_multiple_of(64) || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("data is no sequence of hexadecimal 32-byte words".into());
    }
    digits
        .as_bytes()
        .chunks(64)
        .map(|chunk| {
            let text = std::str::from_utf8(chunk).map_err(|_| "data is not ASCII".to_owned())?;
            U256::from_str_radix(text, 16).map_err(|_| "data is not hexadecimal".to_owned())
        })
        .collect()
}

fn signed(word: U256) -> (bool, U256) {
    if word.bit(255) { (true, word.wrapping_neg()) } else { (false, word) }
}

fn tick(word: U256) -> Result<i32, String> {
    let (negative, magnitude) = signed(word);
    let magnitude: i32 = narrow(magnitude, "tick")?;
    Ok(if negative { -magnitude } else { magnitude })
}

pub(super) fn narrow<T: TryFrom<U256>>(value: U256, name: &str) -> Result<T, String> {
    T::try_from(value).map_err(|_| format!("{name} {value} is out of range"))
}
