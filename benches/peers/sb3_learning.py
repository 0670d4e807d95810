"""What Stable-Baselines3 learns on the planted-signal task, for later comparison.

Five seeds per algorithm: PPO and A2C 300,000 steps with 8 environments; SAC, TD3 and
DDPG 20,000 steps with one. Networks are [64, 64], everything else is the library's
default. Each run is judged at ten points by the sum of test returns of its
deterministic policy. Finished runs are kept in `sb3_learning.json` beside this file,
so an interrupted script continues; returns do not depend on the machine's speed.
"""

import argparse
import json
import pathlib
import platform

import gymnasium
import numpy
import stable_baselines3
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import DummyVecEnv

from planted_signal import PlantedSignal, Task, oracle_return, walk

RESULT = pathlib.Path(__file__).with_name("sb3_learning.json")
STEPS = {"ppo": 300_000, "a2c": 300_000, "sac": 20_000, "td3": 20_000, "ddpg": 20_000}
OFF_POLICY = ("sac", "td3", "ddpg")
SEEDS = (1, 2, 3, 4, 5)
POINTS = 10


class Curve(BaseCallback):
    """Test returns along the way."""

    def __init__(self, task, continuous, every):
        super().__init__()
        self.task, self.continuous, self.every = task, continuous, every
        self.points = []

    def judge(self):
        def decide(observation, _):
            action, _ = self.model.predict(observation, deterministic=True)
            if self.continuous:
                value = float(action[0])
                return 1 if value > 1.0 / 3.0 else -1 if value < -1.0 / 3.0 else 0
            return int(action) - 1

        self.points.append([self.num_timesteps, round(walk(self.task, decide), 6)])

    def _on_rollout_start(self):
        if self.num_timesteps >= (len(self.points) + 1) * self.every:
            self.judge()

    def _on_training_end(self):
        self.judge()

    def _on_step(self):
        return True


def learn(task, algorithm, seed):
    continuous = algorithm in OFF_POLICY
    count = 1 if continuous else 8

    def environment(index):
        return lambda: PlantedSignal(task, continuous, 1_000 * seed + index)

    environments = DummyVecEnv([environment(index) for index in range(count)])
    build = getattr(stable_baselines3, algorithm.upper())
    model = build("MlpPolicy", environments, policy_kwargs={"net_arch": [64, 64]}, seed=seed, device="cpu")
    curve = Curve(task, continuous, STEPS[algorithm] // POINTS)
    model.learn(STEPS[algorithm], callback=curve)
    return curve.points


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--algorithms", default=",".join(STEPS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    task = Task()
    result = {
        "task": task.checksum(),
        "oracle": round(oracle_return(task), 6),
        "versions": {
            "python": platform.python_version(),
            "stable_baselines3": stable_baselines3.__version__,
            "torch": torch.__version__,
            "gymnasium": gymnasium.__version__,
            "numpy": numpy.__version__,
        },
        "runs": {},
    }
    if RESULT.exists():
        kept = json.loads(RESULT.read_text())
        if kept["task"] == result["task"] and kept["versions"] == result["versions"]:
            result = kept
    for algorithm in arguments.algorithms.split(","):
        runs = result["runs"].setdefault(algorithm, {"steps": STEPS[algorithm], "curves": {}})
        for seed in SEEDS:
            if str(seed) in runs["curves"]:
                continue
            points = learn(task, algorithm, seed)
            runs["curves"][str(seed)] = points
            RESULT.write_text(json.dumps(result, indent=1) + "\n")
            print(algorithm, "seed", seed, "final test return", points[-1][1], flush=True)


if __name__ == "__main__":
    main()
