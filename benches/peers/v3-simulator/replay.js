// Replays a pool's history in the npm package uniswap-v3-simulator and prints one JSON line.
//
// usage: node replay.js EVENTS.csv.gz SQRT_PRICE_X96 TICK_SPACING [RUNS]
//
// The package knows one fee per pool, so its property is set where the record says a new
// fee. Every event's amounts and every swap's price, tick and liquidity are compared with
// the record, as our own replay does. Reading the file is not timed; seconds are the thread's
// own on a processor.
"use strict";
const fs = require("fs");
const zlib = require("zlib");
const JSBI = require("jsbi");
const { CorePool } = require("@bella-defintech/uniswap-v3-simulator/dist/core/CorePool");

const [file, price, spacing, runs = "3"] = process.argv.slice(2);
const OWNER = "0x0000000000000000000000000000000000000001";
const MOST = JSBI.subtract(JSBI.exponentiate(JSBI.BigInt(2), JSBI.BigInt(255)), JSBI.BigInt(1));

function read(path) {
  const [head, ...lines] = zlib.gunzipSync(fs.readFileSync(path)).toString().trim().split("\n");
  const names = head.split(",");
  return lines.map((line) => {
    const cells = line.split(",");
    const row = Object.fromEntries(names.map((name, index) => [name, cells[index]]));
    for (const name of ["liquidity", "amount0", "amount1", "sqrt_price_x96"]) {
      row[name] = row[name] === "" ? undefined : JSBI.BigInt(row[name]);
    }
    for (const name of ["tick_lower", "tick_upper", "tick", "fee_pips"]) row[name] = Number(row[name]);
    return row;
  });
}

/** What the swap asked for; the record names its mode. */
function swap(pool, event) {
  const zero = JSBI.BigInt(0);
  const zeroForOne = JSBI.greaterThan(event.amount0, zero) || JSBI.lessThan(event.amount1, zero);
  const [paid, received] = zeroForOne ? [event.amount0, event.amount1] : [event.amount1, event.amount0];
  if (event.swap_mode === "lim") return pool.swap(zeroForOne, MOST, event.sqrt_price_x96);
  return pool.swap(zeroForOne, event.swap_mode === "ein" ? paid : received);
}

function replay(events) {
  const pool = new CorePool("0", "1", events[0].fee_pips, Number(spacing));
  pool.initialize(JSBI.BigInt(price));
  let wrong = 0;
  for (const event of events) {
    pool.fee = event.fee_pips;
    let exact;
    if (event.kind === "swap") {
      const ours = swap(pool, event);
      exact =
        JSBI.equal(ours.amount0, event.amount0) &&
        JSBI.equal(ours.amount1, event.amount1) &&
        JSBI.equal(pool.sqrtPriceX96, event.sqrt_price_x96) &&
        JSBI.equal(pool.liquidity, event.liquidity) &&
        pool.tickCurrent === event.tick;
    } else {
      const ours = pool[event.kind](OWNER, event.tick_lower, event.tick_upper, event.liquidity);
      exact = JSBI.equal(ours.amount0, event.amount0) && JSBI.equal(ours.amount1, event.amount1);
    }
    if (!exact) wrong += 1;
  }
  return { wrong, price: pool.sqrtPriceX96.toString() };
}

/** Of this thread: compilation and garbage collection beside it are not counted. */
function processorSeconds() {
  return Number(fs.readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[0]) / 1e9;
}

const events = read(file);
const seconds = [];
let last;
for (let run = 0; run < Number(runs); run += 1) {
  const start = processorSeconds();
  last = replay(events);
  seconds.push(processorSeconds() - start);
}
seconds.sort((a, b) => a - b);
const rate = (time) => events.length / time;
console.log(
  JSON.stringify({
    name: "uniswap-v3-simulator",
    events: events.length,
    wrong: last.wrong,
    sqrt_price_x96: last.price,
    events_per_second_best: rate(seconds[0]),
    events_per_second_median: rate(seconds[Math.floor(seconds.length / 2)]),
  }),
);
