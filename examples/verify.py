#!/usr/bin/env python3
"""Recomputes data_hash and equity_hash of a report from its CSV files alone (docs/book/ledger.md).

usage: verify.py FOLDER [long | short | flat | sma-cross:FAST:SLOW]     without a rule: FOLDER/targets.csv"""
import csv, decimal, hashlib, json, pathlib, struct, sys
PERIOD_MS = {"1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000, "4h": 14_400_000, "1d": 86_400_000}
decimal.getcontext().prec = 100
fixed = lambda text, places: int(decimal.Decimal(text).scaleb(places).to_integral_value(decimal.ROUND_HALF_EVEN))
i128 = lambda value: value.to_bytes(16, "little", signed=True)
up = lambda value, unit: -(-value // unit)

def rule_targets(rule, closes):
    if rule in ("long", "short", "flat"):
        return [rule] * len(closes)
    fast, slow = map(int, rule.removeprefix("sma-cross:").split(":"))
    above = lambda n: sum(closes[n - fast:n]) * slow > sum(closes[n - slow:n]) * fast
    return ["flat" if n < slow else "long" if above(n) else "short" for n in range(1, len(closes) + 1)]

def equity_rows(rules, times, opens, closes, targets):
    tick, step, period = fixed(rules["tick"], 12), fixed(rules["step"], 12), PERIOD_MS[rules["timeframe"]]
    ppm, ticks, bps = (int(rules.get(key, 0)) for key in ("fee_ppm", "slippage_ticks", "slippage_bps"))
    assert not rules.get("borrow_bps_per_day") and not rules.get("funding"), "holding costs: use `assay audit`"
    cash, held, target = fixed(rules["cash"], 8), 0, "flat"
    fee = lambda q, price: up(q * price * ppm, 10**22)
    yield times[0], cash
    for n, close in enumerate(closes):
        equity = cash + held * close // 10**16  # floor: rounds a long down and a short's debt up
        yield times[n] + period, equity
        if equity <= 0 or n + 1 == len(closes):
            return
        if targets[n] in (None, target):
            continue
        target, price = targets[n], close if rules["fill_rule"] == "close" else opens[n + 1]
        slip = ticks * tick + up(price * bps, 10**4)
        buy, sell = price + slip, max(price - slip, tick)
        if held:
            fill = sell if held > 0 else buy
            cash, held = cash + held * fill // 10**16 - fee(abs(held), fill), 0
        if target != "flat" and cash > 0:
            fill = buy if target == "long" else sell
            low, high = 0, cash * 10**16 // (fill * step) + 1  # steps that fit, steps that do not
            while high - low > 1:
                n_steps, q = (low + high) // 2, (low + high) // 2 * step
                low, high = (n_steps, high) if up(q * fill, 10**16) + fee(q, fill) <= cash else (low, n_steps)
            held = low * step if target == "long" else -low * step
            cash -= up(held * fill, 10**16) + fee(abs(held), fill)

def read(folder, name):
    return list(csv.DictReader((pathlib.Path(folder) / name).open(newline="")))

def candles(folder):
    rules, rows = json.loads((pathlib.Path(folder) / "rules.json").read_text()), read(folder, "candles.csv")
    columns = [[fixed(row[name], 12) for row in rows] for name in ("open", "high", "low", "close", "volume")]
    return rules, [int(row["open_time_ms"]) for row in rows], columns

def data_hash(rules, times, columns):
    data = hashlib.sha256("assay/candles/1\n{exchange}\n{symbol}\n{timeframe}\n".format(**rules).encode())
    data.update(b"".join(struct.pack("<q", t) + b"".join(map(i128, row)) for t, *row in zip(times, *columns)))
    return data.hexdigest()

def equity_hash(equity):
    return hashlib.sha256(b"assay/equity/1\n" + b"".join(struct.pack("<q", t) + i128(e) for t, e in equity)).hexdigest()

def main(folder, rule=None):
    rules, times, columns = candles(folder)
    data = data_hash(rules, times, columns)
    chosen = {} if rule else {int(row["close_time_ms"]): row["target"] for row in read(folder, "targets.csv")}
    targets = rule_targets(rule, columns[3]) if rule else [chosen.get(t + PERIOD_MS[rules["timeframe"]]) for t in times]
    equity = list(equity_rows(rules, times, columns[0], columns[3], targets))
    print(json.dumps({"data_hash": data, "equity_hash": equity_hash(equity), "last_equity": equity[-1][1]}))
if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) in (2, 3) else sys.exit(__doc__)
