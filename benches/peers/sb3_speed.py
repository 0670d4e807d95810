"""Speed of Stable-Baselines3: environment steps per second, learning included.

One torch thread (more are slower at these sizes). The first stretch warms up and is
not counted; the best and the median of the others are printed as one JSON line.

    python sb3_speed.py --algorithm ppo --environments 8 --steps 2048 --batch 64
    python sb3_speed.py --algorithm sac --net 256,256
"""

import argparse
import json
import platform
import statistics
import time

import gymnasium
import numpy
import stable_baselines3
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv

from trading_environment import Market, TradingEnvironment

DEFAULT_NET = {"ppo": "64,64", "a2c": "64,64", "sac": "256,256", "td3": "400,300", "ddpg": "400,300"}


class Stopwatch(BaseCallback):
    """Notes wall and processor time each time `stretch` more steps are done."""

    def __init__(self, stretch):
        super().__init__()
        self.stretch = stretch
        self.marks = []

    def note(self):
        if not self.marks or self.num_timesteps >= self.marks[-1][0] + self.stretch:
            self.marks.append((self.num_timesteps, time.perf_counter(), time.process_time()))

    def _on_rollout_start(self):
        self.note()

    def _on_training_end(self):
        self.note()

    def _on_step(self):
        return True


def build(arguments, sizes):
    off_policy = arguments.algorithm in ("sac", "td3", "ddpg")
    market = Market()
    count = 1 if off_policy else arguments.environments

    def environment(index):
        return lambda: TradingEnvironment(market, off_policy, arguments.seed + index)

    environments = DummyVecEnv([environment(index) for index in range(count)])
    options = {"policy_kwargs": {"net_arch": sizes}, "seed": arguments.seed, "device": "cpu"}
    if arguments.algorithm == "ppo":
        options |= {"n_steps": arguments.steps, "batch_size": arguments.batch, "n_epochs": arguments.epochs}
    if off_policy:
        # The table of targets measures the update, not the allocation of 1e6 rows.
        options |= {"buffer_size": 100_000}
    algorithm = getattr(stable_baselines3, arguments.algorithm.upper())
    return algorithm("MlpPolicy", environments, **options), off_policy, count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--algorithm", choices=sorted(DEFAULT_NET), required=True)
    parser.add_argument("--net", help="hidden layer sizes, such as 64,64; default: the library's own")
    parser.add_argument("--environments", type=int, default=8, help="PPO and A2C only")
    parser.add_argument("--steps", type=int, default=2048, help="PPO: steps per environment and roll-out")
    parser.add_argument("--batch", type=int, default=64, help="PPO: minibatch")
    parser.add_argument("--epochs", type=int, default=10, help="PPO: epochs")
    parser.add_argument("--stretches", type=int, default=3, help="measured stretches")
    parser.add_argument("--stretch", type=int, help="steps per stretch (default by algorithm)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sizes = [int(size) for size in (arguments.net or DEFAULT_NET[arguments.algorithm]).split(",")]
    model, off_policy, environments = build(arguments, sizes)
    if arguments.algorithm == "ppo":
        stretch = arguments.stretch or environments * arguments.steps
    elif arguments.algorithm == "a2c":
        stretch = arguments.stretch or 8_000
    else:
        stretch = arguments.stretch or (400 if sum(sizes) >= 512 else 1_000)
    stopwatch = Stopwatch(stretch)
    model.learn(stretch * (arguments.stretches + 1), callback=stopwatch)
    marks = stopwatch.marks[1:]
    wall, cpu = [], []
    for (steps_0, wall_0, cpu_0), (steps_1, wall_1, cpu_1) in zip(marks, marks[1:]):
        wall.append((steps_1 - steps_0) / (wall_1 - wall_0))
        cpu.append((steps_1 - steps_0) / (cpu_1 - cpu_0))
    row = {
        "peer": "stable-baselines3",
        "algorithm": arguments.algorithm,
        "net": sizes,
        "n_envs": environments,
        "steps_per_second": round(max(wall), 1),
        "steps_per_cpu_second": round(max(cpu), 1),
        "median_steps_per_second": round(statistics.median(wall), 1),
        "median_steps_per_cpu_second": round(statistics.median(cpu), 1),
        "stretches": len(wall),
        "steps_per_stretch": stretch,
        "torch_threads": torch.get_num_threads(),
        "versions": {
            "python": platform.python_version(),
            "stable_baselines3": stable_baselines3.__version__,
            "torch": torch.__version__,
            "gymnasium": gymnasium.__version__,
            "numpy": numpy.__version__,
        },
    }
    if arguments.algorithm == "ppo":
        row |= {"n_steps": arguments.steps, "batch_size": arguments.batch, "n_epochs": arguments.epochs}
    if off_policy:
        row |= {"batch_size": model.batch_size}
    print(json.dumps(row))


if __name__ == "__main__":
    main()
