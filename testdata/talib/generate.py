"""Writes candles.csv and expected.csv: candles made by a formula and TA-Lib's answers.
With `--real FOLDER`, a folder that holds the KuCoin hourly file, also writes
expected_kucoin.csv: every thousandth row of TA-Lib's answers on real candles.

Run once with `pip install TA-Lib numpy`; the versions used stand in the first
line of each answer. The candles hold what trips indicators up: flat prices, candles without
volume, both at once, jumps, a steady rise, typical prices equal but for rounding.
"""

import sys
from pathlib import Path

import numpy as np
import talib

ROWS = 900
HERE = Path(__file__).parent


def draws(state=20240131):
    """A 64-bit linear congruential generator; the upper 31 bits of each state."""
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        yield state >> 33


def candles():
    """Rows of open, high, low, close in cents and volume in ten-thousandths."""
    draw = draws()
    close = 3_000_000
    for index in range(ROWS):
        open_ = close
        wide = 1 + 9 * (index % 180 > 120)
        close = max(open_ + wide * (next(draw) % 2001 - 1000), 100_000)
        high = max(open_, close) + next(draw) % 500
        low = min(open_, close) - next(draw) % 500
        volume = next(draw) % 1_000_000
        if 150 <= index < 230:  # flat: every price the last close
            high = low = close = open_
        if 190 <= index < 270:  # no trades
            volume = 0
        if 330 <= index < 400:  # closes flat within a range
            close = open_
            high, low = close + 250, close - 250
        if index in (420, 600):  # jumps
            close = open_ * 13 // 10
            high = close
        if 450 <= index < 520:  # a steady rise, no pull-back
            close = open_ + 700
            high, low = close, open_
        if 540 <= index < 590:  # constant volume
            volume = 123_456
        if 700 <= index < 780:  # typical prices that differ by rounding alone
            close = open_ - (3 if index % 10 == 0 else 0)
            high, low = close + 300 + index * 7 % 90, close - 300 - index * 7 % 90
        yield open_, high, low, close, volume


def main():
    rows = list(candles())
    text = "open,high,low,close,volume\n" + "".join(
        "%d.%02d,%d.%02d,%d.%02d,%d.%02d,%d.%04d\n"
        % (*divmod(o, 100), *divmod(h, 100), *divmod(l, 100), *divmod(c, 100), *divmod(v, 10_000))
        for o, h, l, c, v in rows
    )
    (HERE / "candles.csv").write_text(text)
    table = np.loadtxt(HERE / "candles.csv", delimiter=",", skiprows=1)
    write("expected.csv", table, range(len(table)))
    if len(sys.argv) == 3 and sys.argv[1] == "--real":
        real = Path(sys.argv[2]) / "kucoin_BTCUSDT_1h_2023-2026.csv"
        table = np.loadtxt(real, delimiter=",", skiprows=1, usecols=range(1, 6))
        write("expected_kucoin.csv", table, range(999, len(table), 1000))


def write(name, table, rows):
    """TA-Lib's answers on a table of open, high, low, close and volume, at some rows."""
    _, high, low, close, volume = (np.ascontiguousarray(column) for column in table.T)
    columns = talib_columns(high, low, close, volume)
    lines = [f"# TA-Lib {talib.__version__}, C library {talib.__ta_version__.decode()}"]
    lines.append(",".join(columns))
    for row in rows:
        values = (column[row] for column in columns.values())
        lines.append(",".join("" if np.isnan(value) else repr(float(value)) for value in values))
    (HERE / name).write_text("\n".join(lines) + "\n")


def talib_columns(high, low, close, volume):
    """The 22 calls and 27 columns compared, by our column names."""
    macd = talib.MACD(close, 12, 26, 9)
    bands = talib.BBANDS(close, 20, 2, 2)
    slow = talib.STOCH(high, low, close, 5, 3, 0, 3, 0)
    return {
        "sma_20": talib.SMA(close, 20),
        "sma_50": talib.SMA(close, 50),
        "ema_9": talib.EMA(close, 9),
        "ema_21": talib.EMA(close, 21),
        "ema_50": talib.EMA(close, 50),
        "rsi_14": talib.RSI(close, 14),
        "macd_12_26_9_line": macd[0],
        "macd_12_26_9_signal": macd[1],
        "macd_12_26_9_histogram": macd[2],
        "bollinger_20_2_upper": bands[0],
        "bollinger_20_2_middle": bands[1],
        "bollinger_20_2_lower": bands[2],
        "atr_14": talib.ATR(high, low, close, 14),
        "natr_14": talib.NATR(high, low, close, 14),
        "true_range": talib.TRANGE(high, low, close),
        "adx_14": talib.ADX(high, low, close, 14),
        "stochastic_5_3_3_k": slow[0],
        "stochastic_5_3_3_d": slow[1],
        "cci_14": talib.CCI(high, low, close, 14),
        "mfi_14": talib.MFI(high, low, close, volume, 14),
        "obv": talib.OBV(close, volume),
        "standard_deviation_20": talib.STDDEV(close, 20),
        "roc_1": talib.ROC(close, 1),
        "roc_4": talib.ROC(close, 4),
        "roc_16": talib.ROC(close, 16),
        "momentum_10": talib.MOM(close, 10),
        "williams_r_14": talib.WILLR(high, low, close, 14),
    }


if __name__ == "__main__":
    sys.exit(main())
