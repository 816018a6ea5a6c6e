# SPDX-License-Identifier: Apache-2.0
"""One course of self-labelling: a classifier labels part of each new batch, and learns from it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tailweave.clients.classifiers import classifier
from tailweave.clients.samples import DataError, Index
from tailweave.protocols.arrays import Ints
from tailweave.protocols.config.classifier import ClassifierOptions
from tailweave.protocols.streams import stream
from tailweave.simulation.run_folder import Row
from tailweave.simulation.studies.labelled_rows import Pool

_NAME = ("studies", "self-labelling")
_TRIED = 10


@dataclass(frozen=True)
class Plan:
    """What a course varies.

    Attributes:
        sizes: Rows learned from in each generation, rising; those of the first are truly labelled.
        rate: Share of each later batch that the model of the generation before labels, in [0, 1].
        redraw: Draw each batch from all rows of ``train``, so that rows can repeat, not from those left.
        classifier: What is trained, from nothing in each generation.
    """

    sizes: Sequence[int]
    rate: float
    redraw: bool
    classifier: ClassifierOptions


def follow(pool: Pool, plan: Plan, seed: int) -> Iterator[Row]:
    """Run one course.

    Which rows come, which of them are labelled by the model and the seeds of classifiers depend on ``seed``
    and the generation, not on the rate: courses of all rates are paired, and what a lower rate labels itself
    a higher one does too.

    Args:
        pool: The rows.
        plan: Sizes and rate.
        seed: Names the streams.

    Yields:
        A row a generation: ``generation``, ``size``, ``accuracy`` on the test rows; ``gained``, that minus
        the accuracy of the first generation; ``above_majority``, that minus the share of their most frequent
        class; ``largest``, the share of the class that is predicted most; ``wrong``, the share of training
        labels that are not true. All are in [0, 1], but for the two differences in [-1, 1].

    Raises:
        DataError: If there are fewer rows than are asked for, or the first are all of one class.
        ValueError: If ``rate`` is not in [0, 1], or the classifier cannot be made or fitted.

    Source:
        LoreviQ, Exploring Model Collapse with Python, public code: the loop of its collapse experiments.
    """
    if not 0.0 <= plan.rate <= 1.0:
        raise ValueError(f"rate must be in [0, 1], got {plan.rate}")
    check_sizes(plan.sizes, len(pool.train), redraw=plan.redraw)
    truth = pool.labels[pool.test]
    majority = float(np.bincount(truth).max()) / len(truth)
    seen, given = np.empty(0, dtype=np.intp), np.empty(0, dtype=np.int64)
    model, begun = None, 0.0
    for generation, size in enumerate(plan.sizes):
        batch = _batch(pool.train, len(seen), size, redraw=plan.redraw, seed=seed)
        labels = pool.labels[batch].copy()
        if model is not None:
            own = _self_labelled(len(batch), plan.rate, seed, generation)
            if len(own):
                labels[own] = model(batch[own])
        seen, given = np.concatenate([seen, batch]), np.concatenate([given, labels])
        if model is None and len(set(given.tolist())) == 1:
            raise DataError(
                f"seed {seed}: the first {size} rows are all of class {pool.classes[given[0]]!r}, needed: "
                f"two classes or more; begin sizes above {size}"
            )
        model = _Fitted(pool, seen, given, plan.classifier, state=_state(seed, generation))
        said = model(pool.test)
        accuracy = float((said == truth).mean())
        begun = begun if generation else accuracy
        yield {
            "generation": generation,
            "size": int(size),
            "accuracy": accuracy,
            "gained": accuracy - begun,
            "above_majority": accuracy - majority,
            "largest": float(np.bincount(said).max()) / len(said),
            "wrong": float((given != pool.labels[seen]).mean()),
        }


def check_sizes(sizes: Sequence[int], rows: int, *, redraw: bool) -> None:
    """Refuse sizes that ask for more training rows than there are.

    Raises:
        DataError: Saying how many rows there are and how many would be needed.
    """
    batches = np.diff(sizes, prepend=0)
    needed, what = (max(batches), "the largest batch") if redraw else (sizes[-1], "the last size")
    if needed > rows:
        raise DataError(
            f"sizes: {what} is {needed} rows, but only {rows} are there to train on (the others are held out "
            "for the test); allowed: at most as many"
        )


def check_classifier(pool: Pool, spec: ClassifierOptions) -> None:
    """Train a classifier on ten rows of each class, to see that it can be.

    Raises:
        ValueError: If there is none of that name or options, or it does not take such inputs.
    """
    labels = pool.labels[pool.train]
    some = [pool.train[labels == name][:_TRIED] for name in np.unique(labels)]
    rows = np.concatenate(some)
    _Fitted(pool, rows, pool.labels[rows], spec, state=0)


class _Fitted:
    """A classifier trained on some rows with the labels they were given."""

    def __init__(self, pool: Pool, rows: Index, labels: Ints, spec: ClassifierOptions, *, state: int) -> None:
        self._inputs, self._columns = pool.inputs, _columns(pool.inputs, rows)
        self._model: Any = classifier(spec, state=state)
        try:
            self._model.fit(self._of(rows), labels)
        except (TypeError, ValueError) as error:
            said = str(error).strip().splitlines()[0]
            raise ValueError(f"classifier {spec.name} cannot be trained here: {said}") from error

    def __call__(self, rows: Index) -> Ints:
        """Return the class of each row."""
        found: Ints = np.asarray(self._model.predict(self._of(rows)), dtype=np.int64)
        return found

    def _of(self, rows: Index) -> Any:  # noqa: ANN401 - dense or sparse
        taken = self._inputs[rows]
        return taken if self._columns is None else taken[:, self._columns]


def _columns(inputs: Any, rows: Index) -> Index | None:  # noqa: ANN401 - dense or sparse
    """Return the words that stand in any of some rows: a vocabulary knows no others; None if dense."""
    if isinstance(inputs, np.ndarray):
        return None
    return np.flatnonzero(inputs[rows].getnnz(axis=0))


def _batch(train: Index, before: int, size: int, *, redraw: bool, seed: int) -> Index:
    """Return the rows that take the training set from ``before`` to ``size``."""
    if redraw:
        return stream(seed, *_NAME, "batch", before).choice(train, size - before, replace=False)
    return stream(seed, *_NAME, "order").permutation(train)[before:size]


def _self_labelled(rows: int, rate: float, seed: int, generation: int) -> Index:
    order = stream(seed, *_NAME, "self-labelled", generation).permutation(rows)
    return order[: round(rate * rows)]


def _state(seed: int, generation: int) -> int:
    return int(stream(seed, *_NAME, "classifier", generation).integers(2**31))
