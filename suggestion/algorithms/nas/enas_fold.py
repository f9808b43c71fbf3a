"""The fold of enas: each trial that ends teaches the controller."""

from collections.abc import Mapping

import numpy as np

from ....api.problem import Problem
from ...seeds import derive
from ...settings import SettingValue
from .controller import Controller, ControllerSettings
from .fold import ArchitectureFold
from .genotype import Genotype

_BATCH = 10  # architectures of one step


class EnasFold(ArchitectureFold):
    """The controller at a position of the log.

    After each trial it learns from `controller_train_steps` architectures, drawn among
    all that ended, by how much they were better than the moving baseline, in
    standard deviations. Katib gives every architecture the mean of all rewards.
    """

    def __init__(self, problem: Problem, values: Mapping[str, SettingValue]) -> None:
        super().__init__(problem)

        def number(name: str) -> float | None:
            value = values[f"controller_{name}"]
            return None if isinstance(value, str) else float(value)

        self._steps = max(1, round((number("train_steps") or 50) / _BATCH))
        self._decay = number("baseline_decay") or 0.999
        self._settings = ControllerSettings(
            hidden_size=int(number("hidden_size") or 64),
            temperature=number("temperature"),
            tanh_const=number("tanh_const"),
            entropy_weight=number("entropy_weight"),
            learning_rate=number("learning_rate") or 5e-5,
            skip_target=min(number("skip_target") or 0.4, 1 - 1e-6),
            skip_weight=number("skip_weight"),
        )
        self._told: dict[int, tuple[int, Genotype, float]] = {}
        self._is_stale = False
        self._restart()

    def observed(self, index: int, position: int, genotype: Genotype, loss: float) -> None:
        if not np.isfinite(loss):
            return
        self._told[index] = (position, genotype, -loss)
        if not self._is_stale:
            self._tell(index)

    def forgotten(self, index: int) -> None:
        # What it taught cannot be taken back: all is learnt again, once for many that went.
        self._is_stale |= self._told.pop(index, None) is not None

    def _learn_again(self) -> None:
        self._restart()
        for index in self._told:
            self._tell(index)
        self._is_stale = False

    def _restart(self) -> None:
        self._weight, self._sum = 0.0, 0.0
        self._came: list[tuple[Genotype, float]] = []
        self._controller = Controller(self.genotypes, self._settings, derive(self.seed))

    def _tell(self, index: int) -> None:
        position, genotype, reward = self._told[index]
        self._came.append((genotype, reward))
        self._sum = self._decay * self._sum + (1 - self._decay) * reward
        self._weight = self._decay * self._weight + (1 - self._decay)
        rewards = np.array([each for _, each in self._came])
        spread = float(rewards.std())
        if spread == 0:
            return
        genotypes = [each for each, _ in self._came]
        advantages = np.clip((rewards - self._sum / self._weight) / spread, -2.0, 2.0)
        chance = np.random.default_rng(derive(self.seed, position))
        for _ in range(self._steps):
            drawn = chance.integers(len(genotypes), size=_BATCH)
            self._controller.learn([genotypes[n] for n in drawn], advantages[drawn])

    def draw(self, index: int, retry: int) -> Genotype:
        if self._is_stale:
            self._learn_again()
        return self._controller.sample(derive(self.seed, index, retry))
