# SPDX-License-Identifier: Apache-2.0
"""Free questions of a malicious server: ``retrain`` with everything that it may choose, chosen by it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tailweave.clients.generators.gaussian import Gaussian
from tailweave.clients.generators.gaussian_mixture import Mixture
from tailweave.protocols.arrays import Floats, with_prefix
from tailweave.protocols.config.experiment import ArmSpec
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.config.training import Paradigm, RecursionSpec
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.fit_messages import FitParameters
from tailweave.protocols.kinds.generators.gaussian import GaussianMixtureSpec, GaussianSpec
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.kinds.references.transported import BarycenterReference
from tailweave.protocols.messages import Hello, Message, Retrain, Summarise, TransportSupport
from tailweave.simulation.audit.doors.table import COLUMNS, FAR

POINT = 1e-200
"""Variance of a base generator whose samples are all equal, to the last bit."""
GAUSSIAN = GaussianSpec(kind="gaussian")
SKETCH = SlicedReference(kind="sliced", directions=4, coefficients=3)
CLUSTERS = QuantizedReference(kind="quantized", clusters=4, samples=20)
SUPPORT = BarycenterReference(kind="barycenter", support=20)
_EDGE = 1e100
"""A weight of this over c makes values above c, and no others, too large to be measured."""


@dataclass(frozen=True)
class Retraining:
    """What a server chooses in one question; the defaults ask for generation 0 of a public base.

    Attributes:
        base: The single point that the public base generates, shape (p,), data units.
        weights: Of the feature map, shape (p, d); None for the identity.
        held_out: Public rows to measure against, shape (h, d); None leaves the silo its own.
        generator: Kind, start and ridge.
        arm: Rule and reference.
        span: First and last generation.
        evaluation_samples: How many fresh samples are measured.
        include_real: Whether the silo's rows join the training rows.
        paradigm: What a refit sees.
        evaluation: Weights of a feature map of the measurement's own.
        reference: Arrays of the woven reference.
    """

    base: Floats
    weights: Floats | None = None
    held_out: Floats | None = None
    generator: GaussianSpec | GaussianMixtureSpec = GAUSSIAN
    arm: ArmSpec = ArmSpec(name="asked", rule="random")
    span: tuple[int, int] = (0, 0)
    evaluation_samples: int = 20
    include_real: bool = False
    paradigm: Paradigm = "replace"
    evaluation: Floats | None = None
    reference: dict[str, Floats] = field(default_factory=dict)

    def question(self, number: int) -> Retrain:
        """Return the message; its ``number`` makes it a run of its own, of which nothing is remembered."""
        weights = np.eye(len(self.base)) if self.weights is None else self.weights
        point = _point(self.generator, self.base)
        arrays = with_prefix("features", _map(weights)) | with_prefix("base", point)
        if self.generator.start == "federated":
            arrays |= with_prefix("start", point)
        if self.evaluation is not None:
            arrays |= with_prefix("evaluation", _map(self.evaluation))
        if self.held_out is not None:
            arrays["held-out/features"] = self.held_out
        recursion = RecursionSpec(
            generations=2,
            samples=20,
            candidates_per_sample=2.0,
            paradigm=self.paradigm,
            include_real=self.include_real,
        )
        return Retrain(
            run=f"free-{number}",
            seed=0,
            arm=self.arm,
            generator=self.generator,
            recursion=recursion,
            evaluation_samples=self.evaluation_samples,
            start=self.span[0],
            stop=self.span[1],
            arrays=arrays | with_prefix("reference", self.reference),
        )


def anything(public: Callable[[], Floats], rng: np.random.Generator) -> Retraining:
    """Return a question in which everything that a server may choose is drawn."""
    base = public() * rng.choice([0.0, 1.0, 1e3])
    weights = _any_weights(rng)
    evaluation = _any_weights(rng) if rng.random() < 0.2 else None
    space = weights if evaluation is None else evaluation
    rows = np.stack([public() for _ in range(rng.choice([2, 30]))])
    stop = int(rng.random() < 0.25)
    arm, reference = _any_arm(weights.shape[1], rng)
    return Retraining(
        base=base,
        weights=weights,
        held_out=None if rng.random() < 0.4 else rows @ space,
        generator=_any_generator(rng),
        arm=arm,
        span=(int(rng.integers(stop + 1)), stop),
        include_real=bool(rng.random() < 0.3),
        paradigm=("replace", "accumulate", "accumulate-subsample", "accumulate-select")[rng.integers(4)],
        evaluation=evaluation,
        reference=reference,
    )


def refused(public: Callable[[], Floats]) -> tuple[Message, ...]:
    """Return questions for rows, parameters and sums without noise, which the default policy refuses."""
    rows = np.stack([public() for _ in range(SUPPORT.support)])
    features = with_prefix("features", _map(np.eye(COLUMNS)))
    leaking = PrivacySpec(epsilon=None, allow_raw_row_leakage=True, allow_parameter_release=True)
    federated = GAUSSIAN.model_copy(update={"start": "federated"})
    model = {"mean": rows[0], "second": np.outer(rows[0], rows[0]) + np.eye(COLUMNS)}
    about = {"run": "free", "seed": 0, "privacy": leaking}
    return (
        Hello(run="free", seed=0),
        Summarise(**about, reference=SKETCH, arrays=features),
        TransportSupport(**about, reference=SUPPORT, turn=1, arrays=features | {"support": rows}),
        FitParameters(**about, generator=federated, turn=1, arrays=with_prefix("model", model)),
    )


def _any_generator(rng: np.random.Generator) -> GaussianSpec | GaussianMixtureSpec:
    start = ("shared", "local", "federated")[rng.integers(3)]
    if rng.random() < 0.8:
        return GaussianSpec(kind="gaussian", ridge=float(rng.choice([1e-12, 1e-2])), start=start)
    return GaussianMixtureSpec(kind="gaussian-mixture", components=2, start=start)


def _any_weights(rng: np.random.Generator) -> Floats:
    identity = np.eye(COLUMNS)
    one = identity[:, [rng.integers(COLUMNS)]]
    edge = _EDGE / rng.uniform(3.0, FAR)
    found: Floats = (identity, one, one * 1e6, one * edge, identity)[rng.integers(5)]
    return found


def _any_arm(dimension: int, rng: np.random.Generator) -> tuple[ArmSpec, dict[str, Floats]]:
    """Return an arm, and the reference that the server has made up for it."""
    kind = ("", "local", "public", "sliced", "quantized", "oracle")[rng.integers(6)]
    if not kind:
        return ArmSpec(name="asked", rule=("random", "farthest-point", "k-means")[rng.integers(3)]), {}
    if kind == "sliced":
        sketch = 0.1 * rng.standard_normal(SKETCH.shape)
        return ArmSpec(name="asked", rule="herding", reference=SKETCH), {"sketch": sketch}
    rule = ("herding", "center-matching", "top-potential")[rng.integers(3)]
    if kind == "quantized":
        clusters = {
            "centroids": rng.standard_normal((4, dimension)),
            "counts": np.ones(4),
            "variances": np.full((4, dimension), 1e-6),
        }
        return ArmSpec(name="asked", rule=rule, reference=CLUSTERS), clusters
    return ArmSpec.model_validate({"name": "asked", "rule": rule, "reference": kind}), {}


def _point(spec: GaussianSpec | GaussianMixtureSpec, point: Floats) -> dict[str, Floats]:
    none = POINT * np.eye(len(point))
    if isinstance(spec, GaussianSpec):
        return Gaussian(point, none).arrays()
    return Mixture(np.ones(1), point[None, :], none[None, :, :]).arrays()


def _map(weights: Floats) -> dict[str, Floats]:
    return FeatureMap(np.zeros(len(weights)), weights, np.zeros(weights.shape[1]), 1.0).arrays()
