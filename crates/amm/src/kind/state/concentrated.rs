//! Uniswap V3, Pancake V3, Uniswap V4 and Slipstream: `tick_spacing`, `sqrt_price_x96`,
//! `tick`, `liquidity`, the fee, and the ticks; at the top level or under `scalars`.
//!
//! Ticks are a list `ticks` of `{tick, liquidity_gross, liquidity_net}` in ascending order,
//! or the object `tick_data` of recorded files, whose keys are the tick numbers in any
//! order and whose values are such objects or lists `[gross, net, …]`. `known_ticks` says
//! between which ticks they are all there; without it the file claims to have all.

use std::fmt;

use ruint::aliases::U256;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::SnapshotError;
use crate::concentrated::{Core, Tick};
use crate::integer::json;
use crate::kind::Pool;
use crate::kind::PoolKind;
use crate::kind::uniswap_v3::ProtocolFee;
use crate::kind::{Slipstream, UniswapV3, UniswapV4};

#[derive(Deserialize)]
struct Fields {
    tick_spacing: i32,
    #[serde(with = "json")]
    sqrt_price_x96: U256,
    tick: i32,
    #[serde(with = "json::native")]
    liquidity: u128,
    #[serde(alias = "fee_pips")]
    fee: Option<u32>,
    lp_fee: Option<u32>,
    protocol_fee_zero_for_one: Option<u32>,
    protocol_fee_one_for_zero: Option<u32>,
    fee_protocol: Option<[u16; 2]>,
    unstaked_fee_pips: Option<u32>,
    #[serde(alias = "hooks")]
    hook_address: Option<String>,
}

#[derive(Deserialize)]
struct Outer {
    scalars: Option<Box<RawValue>>,
    tick_data: Option<TickData>,
    ticks: Option<Vec<ListedTick>>,
    known_ticks: Option<[i32; 2]>,
}

#[derive(Deserialize)]
struct ListedTick {
    tick: i32,
    #[serde(with = "json::native")]
    liquidity_gross: u128,
    #[serde(with = "json::native")]
    liquidity_net: i128,
}

/// The ticks of an object keyed by tick, in ascending order.
struct TickData(Vec<Tick>);

impl<'de> Deserialize<'de> for TickData {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = TickData;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tick numbers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TickData, A::Error> {
                let mut ticks = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    let index =
                        key.parse().map_err(|_| A::Error::custom(format!("tick_data: `{key}` is no tick number")))?;
                    let tick = tick_of(index, &value).map_err(|e| A::Error::custom(format!("tick {key}: {e}")))?;
                    ticks.push(tick);
                }
                // Objects have no order; the same key twice stays beside itself and is refused later.
                ticks.sort_by_key(|tick| tick.index);
                Ok(TickData(ticks))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

fn tick_of(index: i32, value: &RawValue) -> Result<Tick, serde_json::Error> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(with = "json::native")]
        liquidity_gross: u128,
        #[serde(with = "json::native")]
        liquidity_net: i128,
    }
    #[derive(Deserialize)]
    struct Gross(#[serde(with = "json::native")] u128);
    #[derive(Deserialize)]
    struct Net(#[serde(with = "json::native")] i128);
    let (liquidity_gross, liquidity_net) = if value.get().starts_with('[') {
        let parts: Vec<Box<RawValue>> = serde_json::from_str(value.get())?;
        let [gross, net, ..] = &parts[..] else {
            return Err(Error::custom("a tick is [liquidity_gross, liquidity_net]"));
        };
        (serde_json::from_str::<Gross>(gross.get())?.0, serde_json::from_str::<Net>(net.get())?.0)
    } else {
        let named: Named = serde_json::from_str(value.get())?;
        (named.liquidity_gross, named.liquidity_net)
    };
    Ok(Tick { index, liquidity_gross, liquidity_net, fee_growth_outside_x128: [U256::ZERO; 2] })
}

pub(in crate::kind) fn decode(text: &str, kind: PoolKind) -> Result<Pool, SnapshotError> {
    let outer: Outer = serde_json::from_str(text)?;
    let fields: Fields = match &outer.scalars {
        Some(scalars) => serde_json::from_str(scalars.get())?,
        None => serde_json::from_str(text)?,
    };
    let ticks = match (outer.ticks, outer.tick_data) {
        (Some(listed), None) => listed
            .into_iter()
            .map(|tick| Tick {
                index: tick.tick,
                liquidity_gross: tick.liquidity_gross,
                liquidity_net: tick.liquidity_net,
                fee_growth_outside_x128: [U256::ZERO; 2],
            })
            .collect(),
        (None, Some(TickData(ticks))) => ticks,
        _ => return Err(SnapshotError::State("say either ticks or tick_data".into())),
    };
    let mut core = Core::recorded(fields.tick_spacing, fields.sqrt_price_x96, fields.tick, fields.liquidity, &ticks)?;
    if let Some([low, high]) = outer.known_ticks {
        core.limit_known(low, high)?;
    }
    pool_of(kind, core, &fields)
}

fn pool_of(kind: PoolKind, core: Core, fields: &Fields) -> Result<Pool, SnapshotError> {
    let fee = || fields.fee.ok_or_else(|| SnapshotError::State("fee is missing (millionths of the input)".into()));
    match kind {
        PoolKind::UniswapV3 | PoolKind::PancakeV3 => {
            let pancake = kind == PoolKind::PancakeV3;
            let mut pool = UniswapV3::new(core, fee()?, pancake)?;
            if let Some(parts) = fields.fee_protocol {
                pool.set_protocol_fee(if pancake {
                    ProtocolFee::PerTenThousand(parts)
                } else {
                    let narrow = |part| {
                        u8::try_from(part).map_err(|_| SnapshotError::State(format!("fee_protocol {part} is above 10")))
                    };
                    ProtocolFee::Divisor([narrow(parts[0])?, narrow(parts[1])?])
                })?;
            }
            Ok(Pool::UniswapV3(pool))
        }
        PoolKind::UniswapV4 => {
            if let Some(hooks) = &fields.hook_address
                && hooks.trim_start_matches("0x").bytes().any(|digit| digit != b'0')
            {
                return Err(SnapshotError::State(format!(
                    "the pool has hooks at {hooks}: only pools without are exact"
                )));
            }
            let lp_fee = fields.lp_fee.map_or_else(fee, Ok)?;
            let (Some(down), Some(up)) = (fields.protocol_fee_zero_for_one, fields.protocol_fee_one_for_zero) else {
                let reason =
                    "protocol_fee_zero_for_one and protocol_fee_one_for_zero are missing (millionths, 0 for none)";
                return Err(SnapshotError::State(reason.into()));
            };
            let protocol = [down, up];
            Ok(Pool::UniswapV4(UniswapV4::new(core, lp_fee, protocol)?))
        }
        PoolKind::Slipstream => Ok(Pool::Slipstream(Slipstream::new(core, fields.fee, fields.unstaked_fee_pips)?)),
        other => Err(SnapshotError::State(format!("{other} has no ticks"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(more: &str) -> Result<Pool, SnapshotError> {
        let text = format!(
            r#"{{"tick_spacing": 60, "sqrt_price_x96": "79228162514264337593543950336", "tick": 0, "liquidity": 5,
                "lp_fee": 3000, "ticks": [{{"tick": -60, "liquidity_gross": 5, "liquidity_net": 5}},
                {{"tick": 60, "liquidity_gross": 5, "liquidity_net": -5}}]{more}}}"#
        );
        decode(&text, PoolKind::UniswapV4)
    }

    #[test]
    fn a_file_can_say_which_ticks_it_knows() {
        let fees = r#", "protocol_fee_zero_for_one": 0, "protocol_fee_one_for_zero": 0"#;
        let quote = |more: &str| {
            let pool = v4(&format!("{fees}{more}")).unwrap();
            pool.quote_exact_in(0, 1, U256::from(1000), &crate::Context::default()).unwrap_err()
        };
        // Beyond the position nothing is there, or nobody knows.
        assert!(matches!(quote(""), crate::AmmError::LiquidityExhausted { .. }));
        let unknown = quote(r#", "known_ticks": [-120, 120]"#);
        assert!(matches!(unknown, crate::AmmError::UnknownTicks { low: -120, high: 120 }), "{unknown}");
        assert!(v4(&format!(r#"{fees}, "known_ticks": [60, 120]"#)).is_err(), "the price is outside");
    }

    #[test]
    fn hooks_by_either_name_and_unknown_fees_are_refused() {
        let fees = r#", "protocol_fee_zero_for_one": 0, "protocol_fee_one_for_zero": 1"#;
        let hooks = |name: &str, address: &str| v4(&format!(r#"{fees}, "{name}": "{address}""#));
        assert!(v4(fees).is_ok());
        assert!(hooks("hooks", "0x0000000000000000000000000000000000000000").is_ok());
        for name in ["hooks", "hook_address"] {
            let error = hooks(name, "0x00000000000000000000000000000000000000c0").unwrap_err();
            assert!(error.to_string().contains("has hooks"), "{error}");
        }
        let error = v4(r#", "protocol_fee_zero_for_one": 0"#).unwrap_err();
        assert!(error.to_string().contains("protocol_fee_one_for_zero"), "{error}");
    }
}
