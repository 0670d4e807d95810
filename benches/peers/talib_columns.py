"""Times TA-Lib on the 22 calls and 27 columns of `cargo bench --bench indicators`.

Needs `pip install TA-Lib numpy`. Makes the same one million candles and prints one
JSON line. With `--compare FILE` it reads the columns which the bench dumped and adds
the largest difference, relative to the larger of the value and its scale: the close
for prices, 100 for oscillators.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import talib

sys.path.insert(0, str(Path(__file__).parents[2] / "testdata" / "talib"))
from generate import talib_columns  # noqa: E402

CANDLES = 1_000_000


def candles():
    """The shared formula: a random walk in cents, volume in ten-thousandths."""
    state, close = 1, 3_000_000
    rows = np.empty((4, CANDLES), dtype=np.int64)
    multiplier, increment, mask = 6364136223846793005, 1442695040888963407, 2**64 - 1
    for index in range(CANDLES):
        state = (state * multiplier + increment) & mask
        open_, close = close, max(close + (state >> 33) % 2001 - 1000, 100_000)
        state = (state * multiplier + increment) & mask
        high = max(open_, close) + (state >> 33) % 500
        state = (state * multiplier + increment) & mask
        low = min(open_, close) - (state >> 33) % 500
        state = (state * multiplier + increment) & mask
        rows[:, index] = high, low, close, (state >> 33) % 1_000_000
    high, low, close, volume = rows
    return high / 100, low / 100, close / 100, volume / 10_000


def difference(columns, close, path):
    """The largest relative difference, and the column it is in."""
    ours = np.fromfile(path, dtype="<f8").reshape(len(columns), CANDLES)
    worst = (0.0, None)
    for (name, theirs), own in zip(columns.items(), ours):
        if not np.array_equal(np.isnan(own), np.isnan(theirs)):
            return {"column": name, "warm_up_differs": True}
        prices = ("sma", "ema", "macd", "bollinger", "atr", "true", "standard", "momentum")
        floor = close if name.split("_")[0] in prices else 100.0
        relative = np.nanmax(np.abs(own - theirs) / np.maximum(np.abs(theirs), floor))
        worst = max(worst, (float(relative), name), key=lambda pair: pair[0])
    return {"column": worst[1], "relative": worst[0]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--compare")
    options = parser.parse_args()
    high, low, close, volume = candles()
    wall = cpu = float("inf")
    for _ in range(options.repeat):
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        columns = talib_columns(high, low, close, volume)
        cpu = min(cpu, time.process_time() - cpu_start)
        wall = min(wall, time.perf_counter() - wall_start)
    result = {
        "peer": "TA-Lib",
        "version": f"{talib.__version__} (C {talib.__ta_version__.decode().split()[0]})",
        "candles": CANDLES,
        "columns": len(columns),
        "repeat": options.repeat,
        "wall_s": wall,
        "cpu_s": cpu,
        "last_close": float(close[-1]),
    }
    if options.compare:
        result["difference"] = difference(columns, close, options.compare)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
