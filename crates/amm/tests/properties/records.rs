//! A small history of a pool as records, made with the engine itself.

use assay_amm::concentrated::{Amount, Core, PositionKey, sqrt_price_at_tick};
use assay_amm::kind::{Slipstream, UniswapV3};
use assay_amm::replay::{Replay, ReplayPool};
use assay_amm::{Context, Fee, U256};

pub const HEADER: [&str; 13] = [
    "block",
    "tx_index",
    "log_index",
    "kind",
    "tick_lower",
    "tick_upper",
    "liquidity",
    "amount0",
    "amount1",
    "sqrt_price_x96",
    "tick",
    "owner",
    "fee_pips",
];
const SPACING: i32 = 60;
pub const RANGE: (i32, i32) = (-600, 600);
pub const LIQUIDITY: u128 = 1_000_000_000_000_000_000_000_000;

pub fn first_price() -> U256 {
    sqrt_price_at_tick(5).unwrap()
}

pub fn v3() -> UniswapV3 {
    UniswapV3::new(Core::new(SPACING, first_price()).unwrap(), 3000, false).unwrap()
}

pub fn replay() -> Replay {
    Replay::new(ReplayPool::V3(v3()))
}

pub fn slipstream() -> Replay {
    let pool = Slipstream::new(Core::new(SPACING, first_price()).unwrap(), Some(3000), Some(0)).unwrap();
    Replay::new(ReplayPool::Slipstream(pool))
}

pub type Row = Vec<String>;

/// A row with its place and kind.
pub fn row(block: usize, kind: &str, fields: &[(&str, String)]) -> Row {
    let of = |name: &str| fields.iter().find(|field| field.0 == name).map_or(String::new(), |field| field.1.clone());
    let mut row: Row = HEADER.iter().map(|name| of(name)).collect();
    (row[0], row[1], row[2], row[3]) = (block.to_string(), "0".into(), "0".into(), kind.into());
    row
}

pub fn change(block: usize, kind: &str, range: (i32, i32), liquidity: u128, amounts: [U256; 2]) -> Row {
    let fields = [
        ("tick_lower", range.0.to_string()),
        ("tick_upper", range.1.to_string()),
        ("liquidity", liquidity.to_string()),
        ("amount0", amounts[0].to_string()),
        ("amount1", amounts[1].to_string()),
        ("owner", "0x1".into()),
    ];
    row(block, kind, &fields)
}

/// A pool's life: a mint, swaps in both directions that pay `fee_pips`, a burn. Lines 2 … 6.
pub fn history(fee_pips: [u32; 3]) -> Vec<Row> {
    let key = PositionKey { owner: U256::ONE, tick_lower: RANGE.0, tick_upper: RANGE.1 };
    let mut pool = Slipstream::new(Core::new(SPACING, first_price()).unwrap(), None, Some(0)).unwrap();
    let mut rows = vec![change(10, "mint", RANGE, LIQUIDITY, pool.mint(key, LIQUIDITY).unwrap())];
    for (place, fee_pips) in fee_pips.into_iter().enumerate() {
        let token_in = place % 2;
        let amount = Amount::In(U256::from(9_007_199_254_740_993_u64 + place as u64));
        let context = Context { timestamp: 0, fee: Fee::Pips(fee_pips) };
        let limit = Core::furthest_limit(token_in == 0);
        let swapped = pool.swap_limited(token_in, 1 - token_in, amount, limit, &context).unwrap();
        let (paid, received) = (swapped.amount_in.to_string(), format!("-{}", swapped.amount_out));
        let amounts = if token_in == 0 { [paid, received] } else { [received, paid] };
        let [amount0, amount1] = amounts;
        let fields = [
            ("amount0", amount0),
            ("amount1", amount1),
            ("sqrt_price_x96", swapped.sqrt_price_x96.to_string()),
            ("liquidity", swapped.liquidity.to_string()),
            ("tick", swapped.tick().to_string()),
        ];
        rows.push(row(11 + place, "swap", &fields));
    }
    rows.push(change(20, "burn", RANGE, LIQUIDITY / 2, pool.burn(key, LIQUIDITY / 2).unwrap()));
    rows
}

pub fn usual() -> Vec<Row> {
    history([3000; 3])
}

pub fn csv(rows: &[Row]) -> String {
    let lines: Vec<String> = rows.iter().map(|row| row.join(",")).collect();
    format!("{}\n{}\n", HEADER.join(","), lines.join("\n"))
}

pub fn json(rows: &[Row], quoted: bool) -> String {
    let value = |text: &str| {
        let plain = !quoted && text.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
        if plain { text.to_owned() } else { format!("\"{text}\"") }
    };
    let line = |row: &Row| {
        let fields = HEADER.iter().zip(row).filter(|(_, text)| !text.is_empty());
        let fields: Vec<String> = fields.map(|(name, text)| format!("\"{name}\": {}", value(text))).collect();
        format!("{{{}}}\n", fields.join(", "))
    };
    rows.iter().map(line).collect()
}
