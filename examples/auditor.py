#!/usr/bin/env python3
"""An independent auditor: from signed signals and the canonical candles alone to the equity hash (docs/book/signals.md).

usage: auditor.py SIGNALS.jsonl FOLDER [PUBLIC_KEY]     FOLDER holds candles.csv and rules.json (exchange, timeframe)

Whatever is wrong is named and means HOLD. Needs the package `cryptography` for Ed25519; the ledger is verify.py's."""
import bisect, datetime, hashlib, json, pathlib, sys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from verify import PERIOD_MS, candles, data_hash, equity_hash, equity_rows, fixed

STALE_MS, CLOCK_MS = 5_000, 2_000
TARGET = {"LONG_100": "long", "FLAT_0": "flat", "SHORT_100": "short", "HOLD": None}

def milliseconds(text):
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)

def is_signed(message, key):
    # Texts and whole numbers alone: sorted keys without spaces are the canonical JSON of RFC 8785.
    unsigned = {name: value for name, value in message.items() if name != "signature"}
    text = json.dumps(unsigned, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(message["signature"]), text)
        return True
    except (InvalidSignature, ValueError):
        return False

def fault(signal, received_at, header, symbol, closes, first):
    """What is wrong with a signal, or None; `closes` are (time, price) of each candle close."""
    if not is_signed(signal, header["public_key"]):
        return "signature"
    if hashlib.sha256("{ts}|{symbol}|{action}|{price_ref}".format(**signal).encode()).hexdigest() != signal["sig_hash"]:
        return "sig_hash"
    if signal["model_id"] != header["model_id"] or signal["symbol"] != symbol or signal["action"] not in TARGET:
        return "model, symbol or action"
    if not 0 <= signal["seq"] - first < len(closes):
        return "beyond_end"
    time, price = closes[signal["seq"] - first]
    if milliseconds(signal["ts"]) != time or fixed(signal["price_ref"], 12) != price:
        return "time or price_ref"
    if header["mode"] == "live":
        late = None if received_at is None else milliseconds(received_at) - time
        if late is None or late < -CLOCK_MS:
            return "arrival_time"
        if late > STALE_MS:
            return "stale"
    return None

def in_order(valid):
    """The longest part of (seq, line, target) whose numbers ascend: the fewest lines are blamed for the order."""
    tails, ends, before = [], [], {}
    for n, (seq, *_) in enumerate(valid):
        place = bisect.bisect_left(tails, seq)
        before[n] = ends[place - 1] if place else None
        if tails[place:place + 1] != [seq]:  # of equal numbers the first stays
            tails[place:place + 1], ends[place:place + 1] = [seq], [n]
    n = ends[-1] if ends else None
    while n is not None:
        yield valid[n]
        n = before[n]

def main(path, folder, pinned=None):
    lines = [json.loads(line) for line in pathlib.Path(path).read_text().splitlines() if line.strip()]
    header, rules = lines[0], candles(folder)[0]
    assert is_signed(header, header["public_key"]) and pinned in (None, header["public_key"]), "the header does not hold"
    start, end = milliseconds(header["start"]), milliseconds(header["end"])
    _, times, columns = candles(folder)
    chosen = [n for n, time in enumerate(times) if start <= time < end]
    times, columns = [times[n] for n in chosen], [[column[n] for n in chosen] for column in columns]
    assert data_hash(rules, times, columns) == header["data_hash"], "these are not the candles that were signed for"
    closes = [(time + PERIOD_MS[rules["timeframe"]], close) for time, close in zip(times, columns[3])]
    first, targets, valid, faults = header.get("first_seq", 0), [None] * len(closes), [], []
    for number, line in enumerate(lines[1:], 2):
        signal = line.get("signal", line)
        wrong = fault(signal, line.get("received_at"), header, rules["symbol"], closes, first)
        if wrong:
            faults.append({"line": number, "fault": wrong})
        else:
            valid.append((signal["seq"], number, TARGET[signal["action"]]))
    kept = sorted(in_order(valid))
    for seq, _, target in kept:
        targets[seq - first] = target
    faults += [{"line": line, "fault": "doubled or out of order"} for _, line, _ in sorted(set(valid) - set(kept))]
    equity = list(equity_rows({**header, "timeframe": rules["timeframe"]}, times, columns[0], columns[3], targets))
    answer = {"equity_hash": equity_hash(equity), "accepted": len(kept), "faults": faults, "last_equity": equity[-1][1]}
    print(json.dumps(answer))

if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) in (3, 4) else sys.exit(__doc__)
