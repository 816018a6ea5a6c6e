# SPDX-License-Identifier: Apache-2.0
"""Study ``label-shift``: both losses on one target and one seed a task, and the batch worked by hand."""

import math
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tailweave.clients.neural.adaptation import adapted, predicted, trained
from tailweave.clients.neural.entropy import BalancedEntropy, entropies
from tailweave.clients.neural.extra import neural
from tailweave.clients.samples import DataError, Index
from tailweave.protocols.arrays import Floats, Ints
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.studies.label_shift import LabelShiftSpec
from tailweave.protocols.streams import stream
from tailweave.simulation.run_folder import Row
from tailweave.simulation.studies.base import Study
from tailweave.simulation.studies.labelled_rows import Pool, pool_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

Target = Literal["hand", "ordered", "long-tailed"]
Task = tuple[Target, int]
"""A target and a seed."""
Scene = tuple[Floats, Ints, Any]
"""Rows of a target as they come, their classes, and the network before adaptation."""
_NAME = ("studies", "label-shift")
_LEAST = 1e-12
"""Entropy that is divided by, where a network names one class before it is adapted."""


@implements(LabelShiftSpec)
class LabelShiftStudy(Study[LabelShiftSpec, Task]):
    """Runs it."""

    def tasks(self) -> list[Task]:
        """Return the batch worked by hand, and every target and seed, once the data are known to be there.

        Raises:
            DataError: If the data cannot be read, are documents, or have no two classes.
            ValueError: If torch is not installed.
        """
        neural("torch", "study label-shift")
        if self.spec.data.gives == "text":
            raise DataError(f"data: {self.spec.data.source} gives documents, needed: numbers or images")
        self._pool(self.spec.seeds[0])
        targets: tuple[Target, ...] = ("ordered", "long-tailed")
        return [("hand", 0), *((target, seed) for target in targets for seed in self.spec.seeds)]

    def rows(self, task: Task) -> list[Row]:
        """Return a row for each loss and pass; pass 0 is before adaptation."""
        target, seed = task
        if target == "hand":
            return [hand_row()]
        rows, labels, network = self._scene(target, seed)
        return [
            {"target": target, "method": method, "seed": seed} | row
            for method in ("tent", "dsbr")
            for row in self._course(method, (rows, labels, deepcopy(network)))
        ]

    def figures(self, rows: Sequence[Row]) -> dict[str, "tuple[str, Figure]"]:
        """Draw entropy of predicted shares and accuracy against passes, on both targets."""
        from tailweave.simulation.studies.shift_figure import draw_shift

        return {
            "label-shift": (
                "On the whole target after each pass over it: entropy of the shares of predicted classes, "
                "and accuracy; mean over seeds with its 95 % interval. Dotted: entropy of the true shares.",
                draw_shift(rows),
            )
        }

    def _pool(self, seed: int) -> Pool:
        return pool_of(self.spec.data, seed, data_seed=self.spec.seeds[0])

    def _scene(self, target: Target, seed: int) -> Scene:
        spec, pool = self.spec, self._pool(seed)
        network = trained(
            pool.inputs[pool.train],
            pool.labels[pool.train],
            classes=len(pool.classes),
            hidden=spec.hidden,
            rng=stream(seed, *_NAME, "network"),
        )
        rows, labels = pool.inputs[pool.test].astype(np.float64), pool.labels[pool.test]
        rows += spec.noise * stream(seed, *_NAME, "noise").standard_normal(rows.shape)
        rng = stream(seed, *_NAME, "target")
        order = (
            np.argsort(labels, kind="stable")
            if target == "ordered"
            else long_tail(labels, spec.tail, rng=rng)
        )
        return rows[order], labels[order], network

    def _course(self, method: str, scene: Scene) -> Iterator[Row]:
        """Yield a row before adaptation and one after each pass."""
        (rows, labels, network), spec = scene, self.spec
        classes: int = network[-1].out_features
        loss: Callable[[Tensor], Tensor] = _mean_entropy
        if method == "dsbr":
            loss = BalancedEntropy(classes, momentum=spec.momentum)
        passes = adapted(network, rows, loss, batch=spec.batch, rate=spec.learning_rate)
        begun = judged(predicted(network, rows), labels, classes)
        yield {"generation": 0, "last": False} | begun | {"entropy_kept": 1.0, "gained": 0.0}
        for number, coming in enumerate(islice(passes, spec.passes), start=1):
            now = judged(predicted(network, rows), labels, classes)
            yield {
                "generation": number,
                "last": number == spec.passes,
                **now,
                "entropy_kept": now["entropy"] / max(begun["entropy"], _LEAST),
                "gained": now["accuracy"] - begun["accuracy"],
                "online": float((coming == labels).mean()),
            }


def hand_row() -> Row:
    """Return loss and shares after the batch that is worked by hand on the page.

    C = 2, logits (ln 3, 0) three times and (0, ln 3) once, shares of one half before. They become .525 and
    .475, and the loss is h (3 / (2 x .525) + 1 / (2 x .475)) / 4, h the entropy of (3/4, 1/4).
    """
    torch, loss = neural("torch", "study label-shift"), BalancedEntropy(2)
    logits = torch.tensor([[math.log(3), 0.0]] * 3 + [[0.0, math.log(3)]], dtype=torch.float64)
    found = float(loss(logits))
    return {
        "target": "hand",
        "method": "dsbr",
        "seed": 0,
        "generation": 0,
        "loss": found,
        "share": loss.shares[0],
    }


def long_tail(labels: Ints, ratio: float, *, rng: np.random.Generator) -> Index:
    r"""Choose rows whose classes become rarer and rarer, and shuffle them.

    .. math:: n_c = \max(1, [n_c^0 \rho^{-c / (C - 1)}])

    Args:
        labels: Class of each row, C >= 2 of them, shape (n,).
        ratio: rho, at least 1: how many times rarer the last class becomes than the first.
        rng: Which rows stay, and their order.

    Returns:
        Their numbers.
    """
    classes = np.unique(labels)
    kept = []
    for place, name in enumerate(classes):
        here = rng.permutation(np.flatnonzero(labels == name))
        kept.append(here[: max(1, round(len(here) * ratio ** (-place / (len(classes) - 1))))])
    return rng.permutation(np.concatenate(kept))


def judged(said: Ints, labels: Ints, classes: int) -> dict[str, float]:
    r"""Judge predictions.

    Args:
        said: Predicted class of each row, 0 to C - 1, shape (n,).
        labels: True ones.
        classes: C.

    Returns:
        ``accuracy``; ``recall``, the mean over the true classes of the share that is recognised; ``entropy``
        of the shares of predicted classes, -\sum_c p_c \log p_c in nats, 0 to log C; ``true_entropy``.
    """
    there = np.unique(labels)
    return {
        "accuracy": float((said == labels).mean()),
        "recall": float(np.mean([(said[labels == name] == name).mean() for name in there])),
        "entropy": _entropy(np.bincount(said, minlength=classes)),
        "true_entropy": _entropy(np.bincount(labels, minlength=classes)),
    }


def _entropy(counts: Ints) -> float:
    shares = counts[counts > 0] / counts.sum()
    return max(0.0, float(-(shares * np.log(shares)).sum()))


def _mean_entropy(logits: "Tensor") -> "Tensor":
    return entropies(logits).mean()
