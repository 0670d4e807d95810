//! The integer ledger: amounts, sizes, fills and the account they change.

mod account;
mod amount;
mod fill;
mod holding_cost;
mod size;

pub use account::Account;
pub use fill::{Fill, Fills, Side};

pub(crate) use account::{Quote, money_f64};
