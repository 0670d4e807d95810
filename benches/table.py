"""Prints our speed beside the peers', each pair measured one after the other in one run.

usage: table.py [ROW ...]   rows: ppo, offpolicy, backtest, indicators, import, memory, rounds, serving, latency,
                            learning, hop, quote, ticks, replay, pool-memory, curve, balancer, alone (the AMM
                            engine, or `amm` for all of these)

`make bench` runs it in the virtual environment that holds the peers. Ratios are in
CPU seconds unless a row says otherwise: machines are shared, so a lone second proves
nothing. `learning` takes minutes; the peer's curves are cached in
benches/peers/sb3_learning.json, made by benches/peers/sb3_learning.py. Rows of the AMM
engine give the minimum and the median of batches of wall time; the ratio is the median
over batches that were timed right after each other.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / "benches" / "peers"
ROWS = ["ppo", "offpolicy", "backtest", "indicators", "import", "memory", "rounds", "serving", "latency", "learning"]
AMM_ROWS = ["hop", "quote", "ticks", "replay", "pool-memory", "curve", "balancer", "alone"]
table = []


def run(command, **options):
    """The JSON lines that a command prints, and all of its output."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"')]
    try:
        return [json.loads(line) for line in lines], done.stdout
    except json.JSONDecodeError as error:
        sys.exit(f"{' '.join(map(str, command))} printed what is no JSON ({error}):\n{done.stdout[-2000:]}")


def ours(package, bench, *arguments):
    return run(["cargo", "bench", "--quiet", "--locked", "-p", package, "--bench", bench, "--", *map(str, arguments)])[0]


def peer(script, *arguments):
    return run([sys.executable, PEERS / script, *map(str, arguments)])[0][-1]


def row(work, our_value, peer_name, peer_value, ratio, target, met):
    table.append((work, our_value, f"{peer_name} {peer_value}", f"{ratio:.1f} ×", target, "yes" if met else "no"))
    print(f"  {work}: {our_value} against {peer_name} {peer_value}: {ratio:.1f} × (target {target})", file=sys.stderr)


def ppo():
    for n_steps, batch, targets in [(2048, 64, {1: 50}), (256, 512, {1: 15, 2: 22})]:
        measured = peer("sb3_speed.py", "--algorithm", "ppo", "--steps", n_steps, "--batch", batch)
        for threads in (1, 2):
            mine = ours("assay-train", "ppo", n_steps, batch, threads, 10)[-1]
            # One core: CPU seconds, which other programs do not disturb; two: the clock.
            speed = mine["steps_per_cpu_second"] if threads == 1 else mine["steps_per_second_best"]
            theirs = measured["steps_per_cpu_second"] if threads == 1 else measured["steps_per_second"]
            target = targets.get(threads)
            words = f"≥ {target} ×" if target else "faster than one core"
            met = speed / theirs >= target if target else speed > one_core
            one_core = speed
            name = f"PPO, minibatch {batch}, {threads} core(s), steps/s"
            row(name, f"{speed:,.0f}", "Stable-Baselines3", f"{theirs:,.0f}", speed / theirs, words, met)


def offpolicy():
    mine = {(r["algorithm"], tuple(r["net"])): r for r in ours("assay-train", "offpolicy") if r["threads"] == 1}
    for algorithm, net, target in [("sac", (256, 256), 3), ("sac", (64, 64), 12), ("td3", (400, 300), 3), ("ddpg", (64, 64), 12)]:
        arguments = ["--algorithm", algorithm, "--net", ",".join(map(str, net))]
        theirs = peer("sb3_speed.py", *arguments)["steps_per_cpu_second"]
        speed = mine[algorithm, net]["steps_per_cpu_second"]
        name = f"{algorithm.upper()} {list(net)}, steps per CPU second"
        row(name, f"{speed:,.0f}", "Stable-Baselines3", f"{theirs:,.0f}", speed / theirs, f"≥ {target} ×", speed / theirs >= target)


def backtest():
    mine = ours("assay-sim", "backtest")[-1]
    theirs = peer("vectorbt_backtest.py")
    seconds, peer_seconds = mine["cpu_s"], theirs["with_metrics_cpu_seconds"]
    met = seconds <= 0.02 and peer_seconds / seconds >= 15
    name = "back-test of 1 M candles, integer ledger, all point metrics, CPU seconds"
    row(name, f"{seconds:.4f}", "vectorbt with 5 metrics", f"{peer_seconds:.3f}", peer_seconds / seconds, "≤ 0.02 s, ≥ 15 ×", met)


def indicators():
    mine = ours("assay-features", "indicators")[-1]["cpu_s"]
    theirs = peer("talib_columns.py")["cpu_s"]
    row("27 indicator columns over 1 M candles, CPU seconds", f"{mine:.4f}", "TA-Lib", f"{theirs:.4f}", theirs / mine, "≤ 0.05 s", mine <= 0.05)


def binary():
    run(["cargo", "build", "--quiet", "--release", "--locked", "-p", "assay-cli"])
    folder = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    return pathlib.Path(folder) / "release" / "assay"


def candles_csv(path, count, step_ms):
    """A random walk from a linear congruential generator, in cents."""
    state, price = 1, 2_000_000
    with path.open("w") as file:
        file.write("timestamp,open,high,low,close,volume\n")
        for index in range(count):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            move = (state >> 33) % 2001 - 1000
            close = max(price + move, 100_000)
            high, low = max(price, close) + 50, min(price, close) - 50
            cells = ",".join(f"{value // 100}.{value % 100:02d}" for value in (price, high, low, close))
            file.write(f"{1577836800000 + index * step_ms},{cells},{1 + (state >> 50) % 100}\n")
            price = close


def import_file():
    assay = binary()
    with tempfile.TemporaryDirectory() as folder:
        real = pathlib.Path(os.environ.get("ASSAY_TEST_DATA", "")) / "candles" / "binance_BTCUSDT_1h_2017-2024.feather"
        file = real if real.exists() else pathlib.Path(folder) / "candles.csv"
        if file != real:
            candles_csv(file, 58_419, 3_600_000)
        seconds = []
        for attempt in range(5):
            home = pathlib.Path(folder) / f"home{attempt}"
            start = time.perf_counter()
            run([assay, "data", "import", file, "--exchange", "binance", "--symbol", "BTC-USDT", "--timeframe", "1h", "--home", home, "--json", "--quiet"])
            seconds.append(time.perf_counter() - start)
    best = min(seconds)
    table.append((f"import of 58,419 rows ({file.suffix[1:]}), seconds", f"{best:.3f}", "—", "—", "< 0.3 s", "yes" if best < 0.3 else "no"))


def memory():
    assay = binary()
    with tempfile.TemporaryDirectory() as folder:
        file, home = pathlib.Path(folder) / "candles.csv", pathlib.Path(folder) / "home"
        candles_csv(file, 1_000_000, 60_000)
        common = ["--home", home, "--json", "--quiet"]
        run([assay, "data", "import", file, "--exchange", "binance", "--symbol", "BTC-USDT", "--timeframe", "1m", *common])
        keys = ["dataset=binance/BTC-USDT/1m", "algorithm=ppo", "total_timesteps=50000", "n_steps=512",
                "train_start=2020-01-02", "test_start=2021-10-01"]
        sets = [word for key in keys for word in ("--set", key)]
        # The peak of a child is known only as the largest of all, so this one comes alone.
        script = "import resource,subprocess,sys;subprocess.run(sys.argv[1:],check=True,stdout=subprocess.DEVNULL);print('{\"kib\":%d}'%resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        lines, _ = run([sys.executable, "-c", script, assay, "train", *sets, *common])
    gib = lines[-1]["kib"] / 1024**2
    table.append(("training on 1 M candles, peak memory in GiB", f"{gib:.2f}", "—", "—", "< 1", "yes" if gib < 1 else "no"))


def amm(name):
    """The cases of one row of the AMM engine, from the project that links the peers."""
    folder = ROOT / "benches" / "amm"
    defaults = {"ASSAY_TEST_DATA": ROOT.parent / "shared" / "data", "ASSAY_CONTRACTS": ROOT / ".contracts", "CARGO_TARGET_DIR": ROOT / "target"}
    environment = {**{name: str(path) for name, path in defaults.items()}, **os.environ}
    command = ["cargo", "run", "--quiet", "--release", "--locked", "--manifest-path", folder / "Cargo.toml", "--", name]
    return run(command, env=environment)[0]


def duration(nanoseconds):
    return f"{nanoseconds:.1f} ns" if nanoseconds < 1000 else f"{nanoseconds / 1000:.2f} µs"


def races(name, label, limits, needs_faster=False):
    """One line per case and peer; `limits` are in nanoseconds per case, on the minimum."""
    for case in amm(name):
        mine, *others = case["contenders"]
        limit = limits.get(case["case"])
        value = f"{duration(mine['min_ns'])} (median {duration(mine['median_ns'])})"
        if not others:
            table.append((f"{label}{case['case']}", value, "—", "—", "—", "—"))
        for other in others:
            words = f"≤ {duration(limit)}" if limit else "faster" if needs_faster else "—"
            met = mine["min_ns"] <= limit if limit else other["ratio"] > 1
            theirs = f"{duration(other['min_ns'])} (median {duration(other['median_ns'])})"
            row(f"{label}{case['case']}", value, other["name"], theirs, other["ratio"], words, met)


def hop():
    races("hop", "constant-product hop, ", {"USDC to WETH": 20, "WETH to an 18-decimal token": 20})


def quote():
    limits = {"1 WETH in": 200, "1 WBTC in": 400, "100 WBTC in": 5000}
    races("quote", "V3 quote, WBTC/WETH with 458 ticks, ", limits)


def ticks():
    races("ticks", "", {}, needs_faster=True)


def curve():
    races("curve", "", {}, needs_faster=True)


def balancer():
    races("balancer", "", {}, needs_faster=True)


def alone():
    races("alone", "", {})


def replay():
    mine = amm("replay")[-1]
    script = pathlib.Path(os.environ.get("ASSAY_V3_SIMULATOR", ROOT / ".v3-simulator")) / "replay.js"
    theirs = run(["node", script, mine["path"], mine["sqrt_price_x96"], str(mine["tick_spacing"])])[0][-1]
    if theirs["wrong"] or theirs["events"] != mine["events"]:
        sys.exit(f"the peers' replays differ: {theirs} against {mine}")
    speed, peer_speed = mine["events_per_second_best"], theirs["events_per_second_best"]
    values = [f"{r['events_per_second_best']:,.0f} (median {r['events_per_second_median']:,.0f})" for r in (mine, theirs)]
    name = f"replay of {mine['events']:,} Slipstream events, fee growth and comparison with the record, events/s, one core"
    row(name, values[0], "uniswap-v3-simulator (fee set at its change)", values[1], speed / peer_speed, "≥ 1,000,000", speed >= 1e6)


def pool_memory():
    mine = amm("memory")[-1]
    name = f"V3 pool with {mine['ticks']} ticks, bytes"
    ratio = mine["amms_bytes"] / mine["bytes"]
    row(name, f"{mine['bytes']:,}", "amms-rs (no fee growth)", f"{mine['amms_bytes']:,}", ratio, "< 64,000", mine["bytes"] < 64_000)


def rounds():
    for case, limit in zip(ours("assay-lp", "rounds"), (1, 30)):
        name = f"evaluation round, {case['miners']} miners re-executed, {case['case']} ({case['requests']:,} requests), s on one core"
        value = f"{case['seconds']:.3f} (median {case['median']:.3f}), {case['peak_kb'] / 1024:.0f} MiB"
        met = case["seconds"] < limit and case["peak_kb"] < 200_000
        table.append((name, value, "none", "–", f"< {limit} s, < 200 MB", "yes" if met else "no"))


def serving():
    idle, reads = ours("assay-cli", "serving")
    value = f"{idle['health_seconds']:.2f} s, {idle['cpu_percent']:.2f} %, {idle['peak_kb'] / 1000:.0f} MB"
    met = idle["health_seconds"] < 2 and idle["cpu_percent"] < 1 and idle["peak_kb"] < 200_000
    table.append(("assay up: start to health, idle CPU, peak memory", value, "none", "–", "< 2 s, < 1 %, < 200 MB", "yes" if met else "no"))
    name = f"API reads at {reads['per_second']} requests/s, {reads['requests']:,} requests, ms"
    value = f"p50 {reads['p50_ms']:.1f}, p99 {reads['p99_ms']:.1f}, worst {reads['worst_ms']:.1f}"
    table.append((name, value, "none", "–", "p99 ≤ 20 ms", "yes" if reads["p99_ms"] <= 20 else "no"))


def latency():
    case = ours("assay-server", "live_latency")[-1]
    name = f"candle bytes in to the last WebSocket byte out, {case['models']:,} policies and sockets, {case['closes']} closes, ms"
    value = f"p50 {case['p50_ms']:.1f}, p99 {case['p99_ms']:.1f}"
    table.append((name, value, "none", "–", "p99 ≤ 50 ms", "yes" if case["p99_ms"] <= 50 else "no"))


def learning():
    lines = ours("assay-train", "learning")
    result = lines[-1]
    for line in result["rows"]:
        low, high = line["interval"]
        mean = sum(line["ours"]) / len(line["ours"])
        theirs = sum(line["sb3"]) / len(line["sb3"])
        words = "interval of (ours − SB3) reaches 0, ours above half the oracle"
        name = f"learning, {line['algorithm'].upper()}, {line['steps']:,} steps, 5 seeds, test return (oracle {result['oracle']:.2f})"
        table.append((name, f"{mean:.3f}", f"Stable-Baselines3 {theirs:.3f}", f"[{low:+.3f}, {high:+.3f}]", words, "yes" if line["holds"] else "no"))


def main():
    wanted = sys.argv[1:] or ROWS + AMM_ROWS
    wanted = [row for name in wanted for row in (AMM_ROWS if name == "amm" else [name])]
    unknown = set(wanted) - set(ROWS + AMM_ROWS)
    if unknown:
        sys.exit(f"unknown rows {sorted(unknown)}; there are {', '.join(ROWS + AMM_ROWS)} and amm")
    for name in wanted:
        print(f"{name} …", file=sys.stderr)
        {"ppo": ppo, "offpolicy": offpolicy, "backtest": backtest, "indicators": indicators,
         "import": import_file, "memory": memory, "rounds": rounds, "serving": serving, "latency": latency, "learning": learning, "hop": hop, "quote": quote,
         "ticks": ticks, "replay": replay, "pool-memory": pool_memory, "curve": curve,
         "balancer": balancer, "alone": alone}[name]()
    head = ("work", "ours", "peer", "ratio", "target", "met")
    widths = [max(len(str(line[column])) for line in [head, *table]) for column in range(len(head))]
    for line in [head, *table]:
        print("  ".join(str(cell).ljust(width) for cell, width in zip(line, widths)).rstrip())


if __name__ == "__main__":
    main()
