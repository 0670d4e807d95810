//! The account: cash and one position, changed by fills and marks (R2).

use assay_types::{Money, Price, Qty, Target};
use serde::{Deserialize, Serialize};

use crate::ledger::amount::{Amount, fee};
use crate::ledger::fill::{Fill, Fills, Side};
use crate::ledger::holding_cost::holding_cost;
use crate::ledger::size::largest_quantity;
use crate::rules::Rules;

/// A price at a time, before slippage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quote {
    pub time_ms: i64,
    pub price: Price,
}

/// Cash and at most one position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Cash; above the equity while short, since the sale's proceeds are in it.
    cash: Money,
    /// Signed quantity: above zero long, below zero short.
    quantity: Qty,
    /// What was decided last; the position follows it, except that an account
    /// without the money for one quantity step holds nothing.
    target: Target,
    /// Cash just before the open position was opened.
    basis: Money,
    /// Until when holding costs are settled.
    settled_ms: i64,
}

impl Account {
    /// An account with the initial cash of `rules` and no position.
    #[must_use]
    pub const fn new(rules: &Rules) -> Self {
        Self { cash: rules.cash, quantity: Qty::ZERO, target: Target::Flat, basis: rules.cash, settled_ms: i64::MIN }
    }

    /// Cash; while short, the proceeds of the sale are part of it.
    #[must_use]
    pub const fn cash(&self) -> Money {
        self.cash
    }

    /// Signed quantity held: above zero long, below zero short.
    #[must_use]
    pub const fn quantity(&self) -> Qty {
        self.quantity
    }

    /// What was decided last.
    #[must_use]
    pub const fn target(&self) -> Target {
        self.target
    }

    /// Equity just before the open position was opened; `None` when flat.
    #[must_use]
    pub fn basis(&self) -> Option<Money> {
        (self.quantity != Qty::ZERO).then_some(self.basis)
    }

    /// Equity at `price`: cash + floor(value) of a long, cash − ceil(value) of a
    /// short. `None` beyond 128 bits.
    #[inline]
    #[must_use]
    pub fn equity(&self, price: Price) -> Option<Money> {
        let quantity = self.quantity.0;
        if quantity == 0 {
            return Some(self.cash);
        }
        let amount = Amount::new(quantity.abs(), price.0)?;
        let value = if quantity > 0 { amount.floor } else { -amount.ceil() };
        self.cash.0.checked_add(value).map(Money)
    }

    /// What a strategy may see of the account: the position's sign (−1, 0 or 1) and
    /// the open position's return at `equity`, relative to the equity just before it
    /// was opened (0 when flat). Costs of opening are included.
    #[inline]
    #[must_use]
    pub fn inputs(&self, equity: Money) -> [f32; 2] {
        let quantity = self.quantity.0;
        if quantity == 0 {
            return [0.0, 0.0];
        }
        let sign = if quantity > 0 { 1.0 } else { -1.0 };
        let gain = money_f64(equity.0 - self.basis.0) / money_f64(self.basis.0);
        [sign, gain as f32]
    }

    /// What closing the open position at `price` would cost: its fee and slippage,
    /// rounded as its fill would be. Zero when flat; `None` beyond 128 bits.
    #[must_use]
    pub fn closing_cost(&self, price: Price, rules: &Rules) -> Option<Money> {
        let mut closed = *self;
        closed.close(Quote { time_ms: 0, price }, rules)?;
        Some(Money(self.equity(price)?.0.checked_sub(closed.cash.0)?))
    }

    /// Takes the holding costs up to `quote` from the cash. `None` beyond 128 bits.
    #[inline]
    pub(crate) fn settle(&mut self, quote: Quote, rules: &Rules) -> Option<()> {
        if self.quantity != Qty::ZERO && rules.has_holding_cost() {
            let cost = holding_cost(rules, self.quantity.0, quote.price.0, self.settled_ms, quote.time_ms)?;
            self.cash.0 = self.cash.0.checked_sub(cost)?;
            self.settled_ms = quote.time_ms;
        }
        Some(())
    }

    /// Changes the target at `quote`: flattens, then opens with all that is left.
    /// The same target again trades nothing. `None` beyond 128 bits.
    pub(crate) fn change(&mut self, target: Target, quote: Quote, rules: &Rules) -> Option<Fills> {
        if target == self.target {
            return Some(Fills::NONE);
        }
        self.settle(quote, rules)?;
        let closing = self.close(quote, rules)?;
        self.target = target;
        let opening = self.open(quote, rules)?;
        Some(Fills { closing, opening })
    }

    /// Sells a long or buys a short back.
    fn close(&mut self, quote: Quote, rules: &Rules) -> Option<Option<Fill>> {
        let quantity = self.quantity.0;
        if quantity == 0 {
            return Some(None);
        }
        let side = if quantity > 0 { Side::Sell } else { Side::Buy };
        let price = fill_price(side, quote.price, rules)?;
        let amount = Amount::new(quantity.abs(), price.0)?;
        let fee = fee(amount, rules.fee_ppm)?;
        let value = if quantity > 0 { amount.floor } else { -amount.ceil() };
        self.cash.0 = self.cash.0.checked_add(value)?.checked_sub(fee)?;
        self.quantity = Qty::ZERO;
        let profit = Some(Money(self.cash.0.checked_sub(self.basis.0)?));
        Some(Some(self.fill(side, price, quote, Qty(quantity.abs()), fee, profit)))
    }

    /// Opens the target with all cash, when there is enough for one quantity step.
    fn open(&mut self, quote: Quote, rules: &Rules) -> Option<Option<Fill>> {
        let side = match self.target {
            Target::Flat => return Some(None),
            Target::Long => Side::Buy,
            Target::Short => Side::Sell,
        };
        let price = fill_price(side, quote.price, rules)?;
        let quantity = largest_quantity(self.cash.0, price.0, rules.step.0, rules.fee_ppm)?;
        if quantity == 0 {
            return Some(None);
        }
        let amount = Amount::new(quantity, price.0)?;
        let fee = fee(amount, rules.fee_ppm)?;
        self.basis = self.cash;
        self.settled_ms = quote.time_ms;
        match side {
            Side::Buy => {
                self.cash.0 -= amount.ceil() + fee;
                self.quantity = Qty(quantity);
            }
            Side::Sell => {
                self.cash.0 = self.cash.0.checked_add(amount.floor - fee)?;
                self.quantity = Qty(-quantity);
            }
        }
        Some(Some(self.fill(side, price, quote, Qty(quantity), fee, None)))
    }

    fn fill(&self, side: Side, price: Price, quote: Quote, quantity: Qty, fee: i128, profit: Option<Money>) -> Fill {
        Fill {
            time_ms: quote.time_ms,
            side,
            price,
            reference: quote.price,
            quantity,
            fee: Money(fee),
            cash_after: self.cash,
            profit,
        }
    }
}

/// The price after slippage: above the quote for a buy, below it for a sale, but
/// never below one tick. `None` beyond 128 bits.
fn fill_price(side: Side, quote: Price, rules: &Rules) -> Option<Price> {
    let mut slippage = rules.tick.0.checked_mul(i128::from(rules.slippage_ticks))?;
    if rules.slippage_bps > 0 {
        let share = quote.0.checked_mul(i128::from(rules.slippage_bps))?;
        slippage = slippage.checked_add(share / 10_000 + i128::from(share % 10_000 != 0))?;
    }
    match side {
        Side::Buy => quote.0.checked_add(slippage).map(Price),
        Side::Sell => Some(Price((quote.0 - slippage).max(rules.tick.0))),
    }
}

/// An amount as a binary float, rounded to nearest. Most amounts fit in 64 bits,
/// which the processor converts itself; the other path is kept out of line, or the
/// compiler would merge both into the slow conversion.
#[inline]
pub(crate) fn money_f64(amount: i128) -> f64 {
    #[cold]
    #[inline(never)]
    fn wide(amount: i128) -> f64 {
        amount as f64
    }
    match i64::try_from(amount) {
        Ok(amount) => amount as f64,
        Err(_) => wide(amount),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules::new("0.01".parse().unwrap())
    }

    fn quote(price: &str) -> Quote {
        Quote { time_ms: 0, price: price.parse().unwrap() }
    }

    #[test]
    fn slippage_is_against_the_trader_and_stops_at_one_tick() {
        let rules = rules();
        let price = |text: &str| text.parse::<Price>().unwrap();
        assert_eq!(fill_price(Side::Buy, price("100"), &rules), Some(price("100.03")));
        assert_eq!(fill_price(Side::Sell, price("100"), &rules), Some(price("99.97")));
        assert_eq!(fill_price(Side::Sell, price("0.03"), &rules), Some(price("0.01")));
        let wide = Rules { slippage_bps: 10, slippage_ticks: 0, ..rules };
        assert_eq!(fill_price(Side::Buy, price("0.000000000001"), &wide), Some(price("0.000000000002")));
        assert_eq!(fill_price(Side::Buy, price("100"), &wide), Some(price("100.1")));
    }

    #[test]
    fn the_same_target_again_trades_nothing() {
        let rules = rules();
        let mut account = Account::new(&rules);
        let fills = account.change(Target::Long, quote("100"), &rules).unwrap();
        assert_eq!(fills.count(), 1);
        let before = account;
        assert_eq!(account.change(Target::Long, quote("50"), &rules), Some(Fills::NONE));
        assert_eq!(account, before);
    }

    #[test]
    fn long_to_short_is_two_fills_that_conserve_cash() {
        let rules = rules();
        let mut account = Account::new(&rules);
        account.change(Target::Long, quote("100"), &rules).unwrap();
        let fills = account.change(Target::Short, quote("110"), &rules).unwrap();
        let (closing, opening) = (fills.closing.unwrap(), fills.opening.unwrap());
        assert_eq!((closing.side, opening.side), (Side::Sell, Side::Sell));
        assert_eq!(closing.profit, Some(Money(closing.cash_after.0 - rules.cash.0)));
        assert_eq!(opening.cash_after.0, closing.cash_after.0 + opening.value().0 - opening.fee.0);
        assert_eq!(account.basis(), Some(closing.cash_after));
        assert_eq!(account.inputs(account.equity("110".parse().unwrap()).unwrap())[0], -1.0);
    }

    #[test]
    fn an_account_without_money_for_a_step_stays_flat_but_keeps_its_target() {
        let rules = Rules { step: "1000".parse().unwrap(), ..rules() };
        let mut account = Account::new(&rules);
        assert_eq!(account.change(Target::Long, quote("100"), &rules), Some(Fills::NONE));
        assert_eq!((account.quantity(), account.target(), account.basis()), (Qty::ZERO, Target::Long, None));
        assert_eq!(account.change(Target::Long, quote("1"), &rules), Some(Fills::NONE));
    }

    #[test]
    fn the_closing_cost_is_what_a_close_would_take() {
        let rules = rules();
        for target in [Target::Long, Target::Short] {
            let mut account = Account::new(&rules);
            account.change(target, quote("100"), &rules).unwrap();
            let price = "97".parse().unwrap();
            let cost = account.closing_cost(price, &rules).unwrap();
            let equity = account.equity(price).unwrap();
            account.change(Target::Flat, quote("97"), &rules).unwrap();
            assert_eq!(account.cash().0, equity.0 - cost.0);
            assert!(cost > Money::ZERO);
        }
    }
}
