//! Events to rows and back.

use assay_amm::event::{Event, FeeEvent, FeeEventKind, GaugeEvent, LiquidityEvent, Place, SwapEvent, SwapMode};
use ruint::aliases::U256;

use super::decode::{Stored, What};
use super::text::{get_hex, hex, narrow, optional_narrow, owner, read_owner};
use crate::database::DatabaseError;
use crate::database::statement::{Argument, Row, Statement, signed};

/// The columns that all tables of events begin with.
const COMMON: &str = "chain_id, pool, block, log_index, tx_index, tx_hash";

/// A table of events and its own columns.
struct Table {
    name: &'static str,
    columns: &'static str,
    /// The row's own values; `None` when it belongs to another table.
    values: fn(&Stored) -> Option<Vec<Argument>>,
}

const TABLES: [Table; 7] = [
    Table {
        name: "swaps",
        columns: "zero_for_one, amount_in, amount_out, sqrt_price_x96, liquidity, tick, fee_pips, mode",
        values: |row| if let What::Pool(Event::Swap(swap)) = &row.what { Some(swap_values(swap)) } else { None },
    },
    Table {
        name: "mints",
        columns: "owner, tick_lower, tick_upper, liquidity, amount0, amount1",
        values: |row| if let What::Pool(Event::Mint(event)) = &row.what { Some(liquidity_values(event)) } else { None },
    },
    Table {
        name: "burns",
        columns: "owner, tick_lower, tick_upper, liquidity, amount0, amount1",
        values: |row| if let What::Pool(Event::Burn(event)) = &row.what { Some(liquidity_values(event)) } else { None },
    },
    Table {
        name: "collects",
        columns: "owner, tick_lower, tick_upper, amount0, amount1",
        values: |row| match &row.what {
            What::Pool(Event::Collect { owner: of, tick_lower, tick_upper, amounts }) => Some(vec![
                Argument::Text(owner(*of)),
                i64::from(*tick_lower).into(),
                i64::from(*tick_upper).into(),
                amounts[0].to_string().into(),
                amounts[1].to_string().into(),
            ]),
            _ => None,
        },
    },
    Table {
        name: "gauge_events",
        columns: "contract, kind, account, token_id, liquidity",
        values: |row| match &row.what {
            What::Gauge(event) => Some(vec![
                hex(&row.contract).into(),
                event.name().into(),
                hex(&event.user).into(),
                event.token_id.to_string().into(),
                event.liquidity.to_string().into(),
            ]),
            _ => None,
        },
    },
    Table {
        name: "fee_module_events",
        columns: "contract, kind, for_pool, subject, value",
        values: |row| match &row.what {
            What::Fee(event) => Some(vec![
                hex(&row.contract).into(),
                event.kind.name().into(),
                event.pool.is_some().into(),
                Argument::Text(event.subject.map(|word| word.to_string())),
                Argument::Text(event.value.map(|word| word.to_string())),
            ]),
            _ => None,
        },
    },
    Table {
        name: "other_events",
        columns: "kind, value0, value1, value2, value3",
        values: |row| if let What::Pool(event) = &row.what { other_values(event) } else { None },
    },
];

/// Statements that insert the events.
pub(super) fn inserts(chain_id: i64, pool: &str, events: &[Stored]) -> Result<Vec<Statement>, DatabaseError> {
    let mut statements = Vec::new();
    for table in &TABLES {
        let rows = events
            .iter()
            .filter_map(|event| Some((event.place, event.tx_hash, (table.values)(event)?)))
            .map(|(place, tx_hash, values)| {
                let mut row = Vec::with_capacity(14);
                row.push(chain_id.into());
                row.push(pool.into());
                row.push(signed("block", place.block)?.into());
                row.push(signed("log_index", place.log_index)?.into());
                row.push(signed("tx_index", place.tx_index)?.into());
                row.push(Argument::Text(tx_hash.map(|hash| hex(&hash))));
                row.extend(values);
                Ok(row)
            })
            .collect::<Result<Vec<_>, DatabaseError>>()?;
        let head = format!("INSERT INTO {} ({COMMON}, {})", table.name, table.columns);
        statements.extend(Statement::insert_many("store events", &head, "", rows));
    }
    Ok(statements)
}

/// The statement that reads a table's rows of a pool and range of blocks.
pub(super) fn select(table: &'static str, chain_id: i64, pool: &str, from: i64, to: i64) -> Statement {
    let columns = TABLES.iter().find(|row| row.name == table).map_or("*", |row| row.columns);
    let sql = format!(
        "SELECT {COMMON}, {columns} FROM {table} \
         WHERE chain_id = $1 AND pool = $2 AND block >= $3 AND block <= $4"
    );
    Statement::new("read events", sql).bind(chain_id).bind(pool).bind(from).bind(to)
}

pub(super) fn place(row: &Row) -> Result<Place, DatabaseError> {
    Ok(Place { block: row.count("block")?, tx_index: row.count("tx_index")?, log_index: row.count("log_index")? })
}

fn swap_values(swap: &SwapEvent) -> Vec<Argument> {
    vec![
        swap.zero_for_one.into(),
        swap.amount_in.to_string().into(),
        swap.amount_out.to_string().into(),
        swap.sqrt_price_x96.to_string().into(),
        swap.liquidity.to_string().into(),
        i64::from(swap.tick).into(),
        swap.fee_pips.map(i64::from).into(),
        Argument::Text(swap.mode.map(|mode| mode.name().to_owned())),
    ]
}

fn liquidity_values(event: &LiquidityEvent) -> Vec<Argument> {
    vec![
        Argument::Text(owner(event.owner)),
        i64::from(event.tick_lower).into(),
        i64::from(event.tick_upper).into(),
        event.liquidity.to_string().into(),
        event.amounts[0].to_string().into(),
        event.amounts[1].to_string().into(),
    ]
}

fn other_values(event: &Event) -> Option<Vec<Argument>> {
    let texts: [Option<String>; 4] = match event {
        Event::Initialize { sqrt_price_x96, tick } => {
            [Some(sqrt_price_x96.to_string()), tick.map(|tick| tick.to_string()), None, None]
        }
        Event::Flash { amounts, paid } => [amounts[0], amounts[1], paid[0], paid[1]].map(|word| Some(word.to_string())),
        Event::SetFeeProtocol { parts } => [Some(parts[0].to_string()), Some(parts[1].to_string()), None, None],
        Event::CollectGauge { amounts } | Event::CollectProtocol { amounts } => {
            [Some(amounts[0].to_string()), Some(amounts[1].to_string()), None, None]
        }
        Event::Mint(_) | Event::Burn(_) | Event::Collect { .. } | Event::Swap(_) => return None,
    };
    let mut values = vec![event.name().into()];
    values.extend(texts.into_iter().map(Argument::Text));
    Some(values)
}

/// The event of a row of a table of pool events.
pub(super) fn pool_event(table: &str, row: &Row) -> Result<Event, DatabaseError> {
    match table {
        "swaps" => swap(row).map(Event::Swap),
        "mints" => liquidity(row).map(Event::Mint),
        "burns" => liquidity(row).map(Event::Burn),
        "collects" => Ok(Event::Collect {
            owner: read_owner(row)?,
            tick_lower: narrow(row, "tick_lower")?,
            tick_upper: narrow(row, "tick_upper")?,
            amounts: [row.parse("amount0")?, row.parse("amount1")?],
        }),
        _ => other(row),
    }
}

fn swap(row: &Row) -> Result<SwapEvent, DatabaseError> {
    let mode: Option<String> = row.get("mode")?;
    let read = |word: String| {
        [SwapMode::ExactIn, SwapMode::ExactOut, SwapMode::PriceLimit]
            .into_iter()
            .find(|mode| mode.name() == word)
            .ok_or(DatabaseError::Damaged { column: "mode", value: word })
    };
    Ok(SwapEvent {
        zero_for_one: row.get("zero_for_one")?,
        amount_in: row.parse("amount_in")?,
        amount_out: row.parse("amount_out")?,
        sqrt_price_x96: row.parse("sqrt_price_x96")?,
        liquidity: row.parse("liquidity")?,
        tick: narrow(row, "tick")?,
        fee_pips: optional_narrow(row, "fee_pips")?,
        mode: mode.map(read).transpose()?,
    })
}

fn liquidity(row: &Row) -> Result<LiquidityEvent, DatabaseError> {
    Ok(LiquidityEvent {
        owner: read_owner(row)?,
        tick_lower: narrow(row, "tick_lower")?,
        tick_upper: narrow(row, "tick_upper")?,
        liquidity: row.parse("liquidity")?,
        amounts: [row.parse("amount0")?, row.parse("amount1")?],
    })
}

fn other(row: &Row) -> Result<Event, DatabaseError> {
    let kind: String = row.get("kind")?;
    match kind.as_str() {
        "initialize" => {
            let tick: Option<String> = row.get("value1")?;
            let read =
                |text: String| text.parse().map_err(|_| DatabaseError::Damaged { column: "value1", value: text });
            Ok(Event::Initialize { sqrt_price_x96: row.parse("value0")?, tick: tick.map(read).transpose()? })
        }
        "flash" => Ok(Event::Flash {
            amounts: [row.parse("value0")?, row.parse("value1")?],
            paid: [row.parse("value2")?, row.parse("value3")?],
        }),
        "set_fee_protocol" => Ok(Event::SetFeeProtocol { parts: [row.parse("value0")?, row.parse("value1")?] }),
        "collect_gauge" => Ok(Event::CollectGauge { amounts: [row.parse("value0")?, row.parse("value1")?] }),
        "collect_protocol" => Ok(Event::CollectProtocol { amounts: [row.parse("value0")?, row.parse("value1")?] }),
        _ => Err(DatabaseError::Damaged { column: "kind", value: kind }),
    }
}

pub(super) fn gauge_event(row: &Row) -> Result<GaugeEvent, DatabaseError> {
    let kind: String = row.get("kind")?;
    Ok(GaugeEvent {
        deposit: kind == "deposit",
        user: get_hex(row, "account")?,
        token_id: row.parse("token_id")?,
        liquidity: row.parse("liquidity")?,
    })
}

pub(super) fn fee_event(row: &Row, pool: [u8; 20]) -> Result<FeeEvent, DatabaseError> {
    let kind: String = row.get("kind")?;
    let word = |column: &'static str| -> Result<Option<U256>, DatabaseError> {
        let text: Option<String> = row.get(column)?;
        text.map(|text| text.parse().map_err(|_| DatabaseError::Damaged { column, value: text })).transpose()
    };
    Ok(FeeEvent {
        kind: FeeEventKind::from_name(&kind).ok_or(DatabaseError::Damaged { column: "kind", value: kind })?,
        pool: row.get::<bool>("for_pool")?.then_some(pool),
        subject: word("subject")?,
        value: word("value")?,
    })
}
