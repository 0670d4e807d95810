"""Golden files for resampling, made by pandas.

    python generate.py                 writes the small generated files of this folder
    python generate.py --real FOLDER   writes real_hashes.json from the recordings

The generated minutes have holes, and their last bucket of each length is partial.
Amounts are whole numbers of 1e-8 inside pandas, so that sums are exact.
A last bucket that the data do not reach the end of is left out: its close is unknown.
"""

import argparse
import gzip
import hashlib
import json
from decimal import Decimal
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
UNIT = Decimal("1e-8")
TIMEFRAMES = {"5m": "5min", "15m": "15min", "1h": "1h", "4h": "4h", "1d": "1D"}
RULES = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
COLUMNS = list(RULES)


def whole(value):
    """A decimal text or float as a whole number of 1e-8."""
    scaled = Decimal(str(value)) / UNIT
    assert scaled == int(scaled), f"{value} has more than 8 places"
    return int(scaled)


def text(value):
    return format((Decimal(int(value)) * UNIT).normalize(), "f")


def resample(minutes, rule, end):
    """Buckets that hold rows and end by `end`."""
    buckets = minutes.resample(rule).agg(RULES)
    buckets = buckets[minutes["close"].resample(rule).count() > 0].astype("int64")
    return buckets[buckets.index + pd.Timedelta(rule) <= end]


def ticks_to_bars(trades, rule, end):
    grouped = trades["price"].resample(rule)
    bars = grouped.ohlc()
    bars["volume"] = trades["quantity"].resample(rule).sum()
    bars = bars[grouped.count() > 0].astype("int64")
    return bars[bars.index + pd.Timedelta(rule) <= end]


def milliseconds(index):
    return [int(stamp.value // 1_000_000) for stamp in index]


def write(name, frame):
    lines = ["timestamp," + ",".join(COLUMNS)]
    for time, row in zip(milliseconds(frame.index), frame[COLUMNS].itertuples(index=False)):
        lines.append(",".join([str(time), *map(text, row)]))
    (HERE / name).write_text("\n".join(lines) + "\n")


def data_hash(market, timeframe, frame):
    """`data_hash` of the candles, from its definition."""
    exchange, symbol = market.split("/")
    digest = hashlib.sha256(f"assay/candles/1\n{exchange}\n{symbol}\n{timeframe}\n".encode())
    for time, row in zip(milliseconds(frame.index), frame[COLUMNS].itertuples(index=False)):
        digest.update(time.to_bytes(8, "little", signed=True))
        for value in row:
            digest.update((int(value) * 10**4).to_bytes(16, "little", signed=True))
    return digest.hexdigest()


def numbers(seed):
    """A linear congruential generator, so that the files depend on no library."""
    while True:
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        yield seed >> 33


def generated():
    random = numbers(11)
    first = pd.Timestamp("2024-02-27 21:07", tz="UTC")
    rows, close = [], 5_000_000_000_000
    for minute in range(3 * 1440):
        if next(random) % 19 == 0 or 400 <= minute < 700:
            continue
        opened = close
        close = max(10**8, opened + (next(random) % 2001 - 1000) * 10**6)
        high = max(opened, close) + next(random) % 300 * 10**6
        low = min(opened, close) - next(random) % 300 * 10**6
        rows.append((first + pd.Timedelta(minutes=minute), opened, high, low, close, next(random) % 10**10))
    minutes = pd.DataFrame(rows, columns=["time", *COLUMNS]).set_index("time")
    write("minutes.csv", minutes)
    end = minutes.index[-1] + pd.Timedelta("1min")
    for name, rule in TIMEFRAMES.items():
        write(f"minutes_to_{name}.csv", resample(minutes, rule, end))

    time, price, rows = 1_709_067_000_123, 5_000_000_000_000, []
    for number in range(3_000):
        time += next(random) % 20_000
        price = max(10**8, price + (next(random) % 2001 - 1000) * 10**5)
        rows.append((7_000_001 + number, time, price, 1 + next(random) % 10**9, next(random) % 2))
    lines = ["id,timestamp,price,quantity,buyer_maker"]
    lines += [f"{a},{t},{text(p)},{text(q)},{'true' if m else 'false'}" for a, t, p, q, m in rows]
    (HERE / "trades.csv").write_text("\n".join(lines) + "\n")
    trades = pd.DataFrame(rows, columns=["id", "time", "price", "quantity", "maker"])
    trades = trades.set_index(pd.to_datetime(trades["time"], unit="ms", utc=True))
    for name, rule in {"1m": "1min", **TIMEFRAMES}.items():
        write(f"trades_to_{name}.csv", ticks_to_bars(trades, rule, trades.index[-1]))


def real(folder):
    hashes = {}
    for file, market in [("BTCUSDT", "binance/BTC-USDT"), ("ETHUSDT", "binance/ETH-USDT")]:
        minutes = pd.read_feather(folder / f"candles/binance_{file}_1m.feather").set_index("date")
        minutes = minutes[COLUMNS].map(whole)
        hashes[f"{market}/1m"] = data_hash(market, "1m", minutes)
        end = minutes.index[-1] + pd.Timedelta("1min")
        for name, rule in TIMEFRAMES.items():
            hashes[f"{market}/{name}"] = data_hash(market, name, resample(minutes, rule, end))
    payload = json.loads(gzip.decompress((folder / "ticks/ft_XRP_OLD_trades.json.gz").read_bytes()))
    trades = pd.DataFrame([(t["info"]["T"], whole(t["info"]["p"]), whole(t["info"]["q"])) for t in payload],
                          columns=["time", "price", "quantity"])
    trades = trades.set_index(pd.to_datetime(trades["time"], unit="ms", utc=True))
    for name, rule in {"1m": "1min", **TIMEFRAMES}.items():
        market = "binance/XRP-ETH"
        hashes[f"{market}/{name}"] = data_hash(market, name, ticks_to_bars(trades, rule, trades.index[-1]))
    (HERE / "real_hashes.json").write_text(json.dumps({"pandas": pd.__version__, "hashes": hashes}, indent=2) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--real", type=Path)
    folder = parser.parse_args().real
    if folder:
        real(folder)
    else:
        generated()
