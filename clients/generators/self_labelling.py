# SPDX-License-Identifier: Apache-2.0
"""Generator ``self-labelling``: a classifier that labels real inputs and is retrained on what it labelled."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.classifiers import classifier
from tailweave.clients.generators import Around
from tailweave.clients.samples import UNLABELLED, DataError, Labels, Numbers, Samples, Sort
from tailweave.protocols.arrays import Floats, part_of
from tailweave.protocols.kinds.generators.self_labelling import SelfLabelling
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.texts import packed, unpacked

_PARTS = ("known", "labels", "state")


@dataclass(frozen=True, eq=False)
class SelfLabeller:
    """A classifier, known by what it is fitted on, and the inputs that it labels.

    Attributes:
        spec: Options.
        known: What it is fitted on: m inputs with labels.
        state: Seed of what is random in the fit.
        inputs: What it labels; None for those that it is fitted on.
        shares: Share of each class in the population, for ``prior``; None to believe the training labels.
    """

    spec: SelfLabelling
    known: Samples
    state: int
    inputs: Samples | None = None
    shares: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        """Refuse what no classifier can be fitted on.

        Raises:
            DataError: If there are no labels, or all are of one class.
        """
        labels = self.known.labels
        if labels is None:
            raise DataError("generator self-labelling needs labels, but the data has none")
        if len(self.classes) < 2:
            raise DataError(
                f"generator self-labelling needs labels of two or more classes to learn from, got "
                f"{len(labels)} of {', '.join(self.classes)} alone"
            )

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The C classes that it can name, in alphabetical order: scikit-learn's."""
        return tuple(np.unique(np.asarray(self.known.labels)).tolist())

    @cached_property
    def _fitted(self) -> Any:  # noqa: ANN401 - scikit-learn has no types
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        reads = CountVectorizer() if self.known.sort.name == "text" else StandardScaler()
        model = make_pipeline(reads, classifier(self.spec.classifier, state=self.state, probabilities=True))
        return model.fit(_values(self.known), self.known.labels)

    def probabilities(self, inputs: Samples) -> Floats:
        r"""Return the probability of each class that it can name, shape (n, C).

        With shares :math:`\pi` of the population, and :math:`q` among the labels that it is fitted on,

        .. math:: p(c \mid x) \propto \hat p(c \mid x) \, \pi_c / q_c

        Where that leaves no class any probability it is what the model says by itself.

        Source:
            Saerens, Latinne & Decaestecker (2002), eq. 4.
        """
        found: Floats = np.asarray(self._fitted.predict_proba(_values(inputs)), dtype=np.float64)
        if self.shares is None:
            return found
        _, counts = np.unique(np.asarray(self.known.labels), return_counts=True)
        wanted = np.array([self.shares.get(name, 0.0) for name in self.classes])
        scaled = found * (wanted / (counts / counts.sum()))
        total = scaled.sum(axis=1, keepdims=True)
        likely: Floats = np.where(total > 0.0, scaled / np.where(total > 0.0, total, 1.0), found)
        return likely

    def judged(self, inputs: Samples) -> tuple[Labels, Floats]:
        """Return the likeliest class of each input, and its probability, both (n,)."""
        likely = self.probabilities(inputs)
        found: Labels = np.array(self.classes)[likely.argmax(axis=1)]
        return found, likely.max(axis=1)

    def confidence(self, samples: Samples) -> Floats:
        """Return the probability of the label that each sample has, shape (n,); 0 of one it cannot name."""
        likely = self.probabilities(samples)
        given = np.asarray(samples.labels)[:, None] == np.array(self.classes)  # (n, C)
        found: Floats = (likely * given).sum(axis=1)
        return found

    def primed(self, around: Around) -> "SelfLabeller":
        """Return the same with the inputs that it labels, and the shares that it corrects by.

        Raises:
            DataError: If the silo has no rows without a label, and these are to be labelled.
            ValueError: If the arm's reference says no shares of classes, or the public base is not there and
                its rows are wanted.
        """
        public = None
        if self.spec.looks_at_base:
            if not isinstance(around.base, SelfLabeller):
                raise ValueError("generator self-labelling needs the public base, for its rows are public")
            public = around.base.known
        inputs = public if self.spec.inputs == "public" else _unlabelled(around.own)
        return replace(self, inputs=inputs, shares=self._shares(around, public))

    def _shares(self, around: Around, public: Samples | None) -> Mapping[str, float] | None:
        if self.spec.prior == "none":
            return None
        if self.spec.prior == "public":
            names, counts = np.unique(np.asarray(public.labels if public else []), return_counts=True)
            return dict(zip(names.tolist(), (counts / counts.sum()).tolist(), strict=True))
        if around.shares is None:
            raise ValueError(
                "generator.prior: reference needs an arm with a reference, and features.label-weight"
            )
        return around.shares

    def sample(self, count: int, *, rng: np.random.Generator) -> Samples:
        """Draw inputs and label them; no input twice while there are enough."""
        inputs = self.known if self.inputs is None else self.inputs
        rounds = [rng.permutation(len(inputs)) for _ in range(-(-count // len(inputs)))]
        drawn = inputs.take(np.concatenate(rounds)[:count])
        return drawn if self.spec.labeller == "truth" else replace(drawn, labels=self.judged(drawn)[0])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what it is fitted on and the seed of the fit: a classifier is made of these again."""
        known = self.known.sort.stored(self.known.values)
        return {f"known/{name}": part for name, part in known.items()} | {
            "labels": packed(np.asarray(self.known.labels).tolist()),
            "state": np.array([float(self.state)]),
        }


def _values(samples: Samples) -> Any:  # noqa: ANN401 - what scikit-learn takes: a matrix, or strings
    return samples.values.tolist() if samples.sort.name == "text" else samples.values


def _unlabelled(own: Samples | None) -> Samples:
    """Return a silo's rows without a label."""
    if own is None or own.labels is None or not (own.labels == UNLABELLED).any():
        raise DataError(
            "generator.inputs: own needs rows without a label, but the silo has none (silos.labelled says "
            "how many have one)"
        )
    return own.take(np.flatnonzero(own.labels == UNLABELLED))


@implements(SelfLabelling)
class SelfLabellingKind:
    """Fits classifiers, and reads them back."""

    @staticmethod
    def fit(
        spec: SelfLabelling,
        samples: Samples,
        *,
        rng: np.random.Generator,
        previous: SelfLabeller | None = None,
        **_: object,
    ) -> SelfLabeller:
        """Fit on samples with a label, from scratch; inputs and shares are those of the model before."""
        state, known = int(rng.integers(2**31)), samples.labelled
        if previous is None:
            return SelfLabeller(spec, known, state)
        return replace(previous, known=known, state=state)

    @staticmethod
    def read(
        spec: SelfLabelling, arrays: Mapping[str, NDArray[np.generic]], sort: Sort | None = None
    ) -> SelfLabeller:
        """Rebuild from ``arrays()``; raises ``ValueError`` when a part is missing."""
        known = part_of(dict(arrays), "known")
        if not known or not set(_PARTS[1:]) <= set(arrays):
            raise ValueError(f"a self-labelling model needs arrays {', '.join(_PARTS)}, got {sorted(arrays)}")
        named = sort or Numbers.unnamed(known["values"].shape[1])
        labels = np.array(unpacked(np.asarray(arrays["labels"])))
        samples = Samples.of(named.restored(known), labels, named)
        return SelfLabeller(spec, samples, int(np.asarray(arrays["state"])[0]))
