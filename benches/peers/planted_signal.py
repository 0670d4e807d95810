"""A trading task with a planted signal, for comparing what learners learn.

The same task is defined in `crates/train/benches/learning.rs`; both make the same
candles and features, number for number, from integers:

- `word(i) = mix(SEED + (i + 1) * 0x9E3779B97F4A7C15 mod 2^64)`, the splitmix64
  generator with its usual finaliser `mix`; bar t owns the words 16 t … 16 t + 15.
- `noise(w)` = the sum of the four 16-bit parts of w, less 131,070: an integer with
  mean 0 and standard deviation 37,837.
- The hidden state s of bar 0 is +1. It changes sign at bar t > 0 when the upper five
  bits of the bar's word 0 are all zero, so once in 32 bars.
- Closes count units of 1e-6; the close of bar 0 is 1e9 units, and
  `close[t+1] = close[t] + floor(close[t] * change / 10^6)` with
  `change = 500 s[t] + floor(noise(word 1 of bar t) * 1732 / 65536)` parts per million:
  500 ppm with the state against a standard deviation of 1,000 ppm. Each open is the
  close before; high and low are the greater and lesser of the two; volume is 1.
- Feature 0 is `s + noise(word 2) / 65536`; features 1 to 7 are
  `noise(word 2 + i) / 32768`, without meaning.

The ledger is the product's (R2): all equity in at the fill, a fixed quantity until
the next change, 0.01 % fee per side, no slippage. A learner observes the features,
the position's sign and the open position's return; its reward is 100 times the
return of equity. It trains on the first 20,000 bars in episodes of 4,096 steps from
anywhere, which are truncated, not terminated, and is judged by the sum of the returns
of equity over the last 5,000 bars. The oracle holds s.
"""

import gymnasium
import numpy as np

SEED = 20_240_601
BARS = 25_000
TRAIN_BARS = 20_000
FEATURES = 8
EPISODE_STEPS = 4_096
FEE = 0.0001
REWARD_SCALE = 100.0
CASH = 10_000.0


def words():
    """Sixteen 64-bit words per bar: bars × 16."""
    index = np.arange(1, BARS * 16 + 1, dtype=np.uint64)
    z = np.uint64(SEED) + index * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (z ^ (z >> np.uint64(31))).reshape(BARS, 16)


def noise(word):
    """An integer of mean 0 and standard deviation 37,837 from each word."""
    parts = [(word >> np.uint64(shift)) & np.uint64(0xFFFF) for shift in (0, 16, 32, 48)]
    return sum(part.astype(np.int64) for part in parts) - 131_070


class Task:
    """Hidden states, closes (units of 1e-6) and features of all bars."""

    def __init__(self):
        word = words()
        flips = np.where(word[:, 0] >> np.uint64(59) == 0, -1, 1)
        flips[0] = 1
        self.state = np.cumprod(flips)
        change = 500 * self.state + (noise(word[:, 1]) * 1732) // 65_536
        close = [1_000_000_000]
        for ppm in change[:-1].tolist():
            close.append(close[-1] + (close[-1] * ppm) // 1_000_000)
        self.close_units = close
        self.close = [unit / 1e6 for unit in close]
        features = noise(word[:, 2 : 2 + FEATURES]) / 32_768.0
        features[:, 0] = self.state + features[:, 0] / 2.0
        self.features = features.astype(np.float32)

    def checksum(self):
        """A number that both definitions of the task print."""
        total = sum((bar + 1) * unit for bar, unit in enumerate(self.close_units)) % 2**64
        bits = self.features.view(np.uint32).reshape(-1).astype(np.uint64)
        weights = np.arange(1, len(bits) + 1, dtype=np.uint64)
        return f"{(total + int((bits * weights).sum(dtype=np.uint64))) % 2**64:016x}"


class Account:
    """The product's ledger in floating point."""

    def __init__(self):
        self.cash = CASH
        self.quantity = 0.0
        self.basis = 0.0
        self.target = 0

    def equity(self, close):
        return self.cash + self.quantity * close

    def change(self, target, close):
        if target == self.target:
            return
        self.target = target
        if self.quantity != 0.0:
            value = self.quantity * close
            self.cash += value - abs(value) * FEE
            self.quantity = 0.0
        if target != 0 and self.cash > 0.0:
            self.basis = self.cash
            quantity = self.cash / (close * (1.0 + FEE))
            self.cash -= target * quantity * close + quantity * close * FEE
            self.quantity = target * quantity

    def inputs(self, close):
        if self.quantity == 0.0:
            return 0.0, 0.0
        return float(self.target), self.equity(close) / self.basis - 1.0


class PlantedSignal(gymnasium.Env):
    """Episodes in the training bars, or one walk over the test bars."""

    def __init__(self, task, continuous, seed, test=False):
        self.task = task
        self.continuous = continuous
        self.test = test
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (FEATURES + 2,), np.float32)
        if continuous:
            self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)
        else:
            self.action_space = gymnasium.spaces.Discrete(3)
        self.generator = np.random.default_rng(seed)

    def observation(self):
        row = np.empty(FEATURES + 2, np.float32)
        row[:FEATURES] = self.task.features[self.bar]
        row[FEATURES:] = self.account.inputs(self.task.close[self.bar])
        return row

    def reset(self, *, seed=None, options=None):
        self.account = Account()
        if self.test:
            self.bar, self.last = TRAIN_BARS, BARS - 1
        else:
            self.bar = int(self.generator.integers(0, TRAIN_BARS - EPISODE_STEPS))
            self.last = self.bar + EPISODE_STEPS
        return self.observation(), {}

    def step(self, action):
        if self.continuous:
            value = float(action[0])
            target = 1 if value > 1.0 / 3.0 else -1 if value < -1.0 / 3.0 else 0
        else:
            target = int(action) - 1
        before = self.account.equity(self.task.close[self.bar])
        self.account.change(target, self.task.close[self.bar])
        self.bar += 1
        change = self.account.equity(self.task.close[self.bar]) / before - 1.0
        return self.observation(), REWARD_SCALE * change, False, self.bar == self.last, {}


def walk(task, decide):
    """The sum of returns over the test bars of `decide(observation, bar)` → target."""
    environment = PlantedSignal(task, False, 0, test=True)
    observation, _ = environment.reset()
    total, over = 0.0, False
    while not over:
        observation, reward, _, over, _ = environment.step(decide(observation, environment.bar) + 1)
        total += reward / REWARD_SCALE
    return total


def oracle_return(task):
    """What holding the hidden state earns over the test bars."""
    return walk(task, lambda _, bar: int(task.state[bar]))


if __name__ == "__main__":
    made = Task()
    print("checksum", made.checksum())
    print("oracle", oracle_return(made))
    print("sign of feature 0", walk(made, lambda row, _: 1 if row[0] > 0 else -1))
    print("last closes", made.close[-1], min(made.close), max(made.close))
