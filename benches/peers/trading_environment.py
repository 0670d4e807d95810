"""A lean trading environment for Stable-Baselines3, the peer of the speed rows.

20 standard-normal features and the position make 21 inputs. One of three targets
(short, flat, long) is filled at the close with a fee of 0.1 % per side and three
ticks of slippage; the reward is 100 times the net return to the next close; an
episode is truncated after 4,096 steps. Prices are a random walk, made once.
"""

import gymnasium
import numpy as np

FEATURES = 20
EPISODE_STEPS = 4_096
FEE = 0.001
TICK = 0.01
SLIPPAGE_TICKS = 3


class Market:
    """Prices and features that all environments of a process share."""

    def __init__(self, bars=200_000, seed=1):
        generator = np.random.default_rng(seed)
        self.close = 100.0 * np.exp(np.cumsum(generator.normal(0.0, 0.001, bars)))
        self.features = generator.normal(0.0, 1.0, (bars, FEATURES)).astype(np.float32)
        change = np.zeros(bars)
        change[:-1] = self.close[1:] / self.close[:-1] - 1.0
        # Plain lists: one element of an array costs a boxed numpy scalar per step.
        self.next_return = change.tolist()
        self.side_cost = (FEE + SLIPPAGE_TICKS * TICK / self.close).tolist()


class TradingEnvironment(gymnasium.Env):
    """One account in the market; `continuous` chooses the action space."""

    def __init__(self, market, continuous, seed):
        self.market = market
        self.continuous = continuous
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (FEATURES + 1,), np.float32)
        if continuous:
            self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)
        else:
            self.action_space = gymnasium.spaces.Discrete(3)
        self.generator = np.random.default_rng(seed)
        self.bar = 0
        self.steps = 0
        self.position = 0

    def observation(self):
        row = np.empty(FEATURES + 1, np.float32)
        row[:FEATURES] = self.market.features[self.bar]
        row[FEATURES] = self.position
        return row

    def reset(self, *, seed=None, options=None):
        self.bar = int(self.generator.integers(0, len(self.market.close) - EPISODE_STEPS - 1))
        self.steps = 0
        self.position = 0
        return self.observation(), {}

    def step(self, action):
        if self.continuous:
            value = float(action[0])
            target = 1 if value > 1.0 / 3.0 else -1 if value < -1.0 / 3.0 else 0
        else:
            target = int(action) - 1
        cost = abs(target - self.position) * self.market.side_cost[self.bar]
        reward = 100.0 * (target * self.market.next_return[self.bar] - cost)
        self.position = target
        self.bar += 1
        self.steps += 1
        return self.observation(), reward, False, self.steps >= EPISODE_STEPS, {}
