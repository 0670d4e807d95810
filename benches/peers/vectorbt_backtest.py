"""Speed of vectorbt: 1,000,000 one-minute candles, SMA 60/240 always in the market,
long or short, fee 0.1 % per side; the simulation alone, and with five metrics (total
return, Sharpe, Sortino, maximum drawdown, trade count).

The index carries no time zone: with one, vectorbt is twenty times slower.
Everything is compiled in a first pass that is not counted; the best of `--repeats`
is printed as one JSON line, in seconds of wall and of processor time.
"""

import argparse
import json
import platform
import time

import numba
import numpy
import pandas
import vectorbt


def signals(close):
    fast = close.rolling(60).mean()
    slow = close.rolling(240).mean()
    return fast > slow, fast < slow


def simulate(close, entries, exits):
    return vectorbt.Portfolio.from_signals(
        close, entries=entries, short_entries=exits, fees=0.001, init_cash=10_000.0, freq="1min",
    )


def measure(portfolio):
    return {
        "total_return": float(portfolio.total_return()),
        "sharpe": float(portfolio.sharpe_ratio()),
        "sortino": float(portfolio.sortino_ratio()),
        "max_drawdown": float(portfolio.max_drawdown()),
        "trades": int(portfolio.trades.count()),
    }


def best(repeats, work):
    walls, cpus, result = [], [], None
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return min(walls), min(cpus), result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candles", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    generator = numpy.random.default_rng(1)
    index = pandas.date_range("2020-01-01", periods=arguments.candles, freq="1min")
    close = pandas.Series(100.0 * numpy.exp(numpy.cumsum(generator.normal(0.0, 0.0005, arguments.candles))), index)
    entries, exits = signals(close)
    measure(simulate(close, entries, exits))

    signal_wall, signal_cpu, _ = best(arguments.repeats, lambda: signals(close))
    wall, cpu, _ = best(arguments.repeats, lambda: simulate(close, entries, exits))
    full_wall, full_cpu, metrics = best(arguments.repeats, lambda: measure(simulate(close, entries, exits)))
    print(json.dumps({
        "peer": "vectorbt",
        "candles": arguments.candles,
        "signals_seconds": round(signal_wall, 5),
        "signals_cpu_seconds": round(signal_cpu, 5),
        "simulation_seconds": round(wall, 5),
        "simulation_cpu_seconds": round(cpu, 5),
        "with_metrics_seconds": round(full_wall, 5),
        "with_metrics_cpu_seconds": round(full_cpu, 5),
        "metrics": metrics,
        "versions": {
            "python": platform.python_version(),
            "vectorbt": vectorbt.__version__,
            "numba": numba.__version__,
            "numpy": numpy.__version__,
            "pandas": pandas.__version__,
        },
    }))


if __name__ == "__main__":
    main()
