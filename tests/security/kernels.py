# SPDX-License-Identifier: Apache-2.0
"""A program that adds one row to a silo and looks what else moves; started under one BLAS kernel a time.

It prints, as JSON, for every kind of release and 1 and 2 threads: whether the sums changed by exactly what
the row is by itself, and by how many sensitivities. ``blas`` as argument puts the product of BLAS back.
"""

import json
import sys
from itertools import product

import numpy as np
from pydantic import TypeAdapter
from threadpoolctl import threadpool_limits

from tailweave.clients.features import fit_features
from tailweave.clients.metrics import yardstick, yardstick_of
from tailweave.clients.samples import Samples
from tailweave.protocols.config.features import FeaturesSpec
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.privacy import gate
from tailweave.protocols.privacy.mechanisms import cosine, grid, histogram, lloyd
from tailweave.protocols.secure_sum.share import noisy_share
from tailweave.protocols.secure_sum.sketches import sensitivity_steps

COLUMNS, DIMENSIONS = 20, 8
TWINS = 300
LIFT = np.int64(2**40)
PRIVACY = PrivacySpec(epsilon=2.0, min_rows=1)
SUM = PRIVACY.model_copy(update={"secure_aggregation": True, "honest_silos": 3})
SPECS = {
    "histogram": SlicedReference(kind="sliced", basis="histogram", directions=64, bins=4),
    "cosine": SlicedReference(kind="sliced", directions=64, coefficients=4),
}
RNG = np.random.default_rng(0)
OTHERS = RNG.normal(size=(63, COLUMNS))
TWIN = RNG.normal(size=COLUMNS)
OFFSET, WEIGHTS = RNG.normal(size=COLUMNS), RNG.normal(size=(COLUMNS, DIMENSIONS))


class Constant:
    """Noise that is known, so that what it would hide is seen; large, so that no count falls below 1."""

    name = "constant"

    def gaussian(self, scale, shape):
        return np.full(shape, float(LIFT))

    def discrete_gaussian(self, scale, shape):
        return np.full(shape, LIFT)


def on_the_map(rows):
    """A server's centre on the twins' own features, and a scale that shows their last bits."""
    mapped = FeatureMap(OFFSET, WEIGHTS, np.zeros(DIMENSIONS), 1.0)(rows)
    return FeatureMap(OFFSET, WEIGHTS, mapped[8], 1e-15), 4.0


def on_the_projection(rows):
    """A server's range that puts the twins' projection in one direction on the edge between two bins."""
    features = FeatureMap(OFFSET, WEIGHTS, np.zeros(DIMENSIONS), 1.0)
    middle = features(rows)[8]
    first = abs(float((middle @ features.space(0).directions(64).T)[0]))
    return features, 2.0 * first


def released(name, rows, features, spec):
    """Return the whole numbers that leave, and the row's bound on them."""
    if name.startswith("masked"):
        numbers = noisy_share(
            rows, spec, features, SUM, seed=0, silos=5, noise=Constant(), charge=lambda cost: None
        )
        return numbers - LIFT, sensitivity_steps(spec)
    options = {"seed": 0, "noise": Constant(), "rng": np.random.default_rng(0), "charge": lambda cost: None}
    summary = gate.release(rows, spec, features, PRIVACY, **options)
    if spec.basis == "histogram":
        return summary.sums.ravel() - LIFT, histogram.sensitivity(spec)
    own = np.rint(summary.count * cosine.COUNT_WEIGHT * np.sqrt(spec.directions) / grid.GRID)
    return np.append(summary.sums.ravel() / grid.GRID, own) - LIFT, cosine.sensitivity(spec) / grid.GRID


def looked_at(rows, features, _):
    """Return one look of Lloyd's iteration, around two centres with the twins half-way between them."""
    space = features.space(0)
    step = np.random.default_rng(1).normal(size=DIMENSIONS) * 1e-3
    middle = grid.unit_ball(features.alike(TWIN[None]), space)[0]
    centres = np.stack([middle + step, middle - step])
    numbers = lloyd.table(grid.unit_ball(features.alike(rows), space), centres)
    return numbers.ravel(), lloyd.sensitivity(DIMENSIONS) / grid.GRID


def with_one_more(rows, place, row):
    at = {"begin": 0, "middle": len(rows) // 2, "end": len(rows)}[place]
    return np.insert(rows, at, row, axis=0)


def worst(name, hostile, others):
    twins = np.tile(TWIN, (TWINS // 2, 1))
    rows = np.concatenate([twins, OTHERS[:others], twins])
    features, half_width = hostile(rows)
    spec = SPECS[name.split()[-1]].model_copy(update={"range": half_width}) if "lloyd" not in name else None
    make = looked_at if spec is None else lambda *given: released(name, *given)
    before, bound = make(rows, features, spec)
    exact, most = True, 0.0
    for place, row in product(("begin", "middle", "end"), (TWIN, OTHERS[0] + 0.1)):
        moved = make(with_one_more(rows, place, row), features, spec)[0] - before
        exact = exact and np.array_equal(moved, make(row[None], features, spec)[0])
        most = max(most, float(np.linalg.norm(moved)) / bound)
    return {"exact": bool(exact), "sensitivities": most}


def refused(make):
    try:
        make()
    except ValueError as error:
        return str(error)
    return ""


def equal_rows():
    """What is said of rows that are all equal, by raw rows and by what the map made of them."""
    features = FeatureMap(OFFSET, WEIGHTS, np.zeros(DIMENSIONS), 1.0)
    said = set()
    for count in (2, 5, 48, 1001):
        rows = np.tile(TWIN, (count, 1))
        said.add(refused(lambda: yardstick_of(Samples.of(rows), features))[:40])  # noqa: B023 - called at once
        said.add(refused(lambda: yardstick(features(rows), None))[:44])  # noqa: B023
        for kind, dimensions in (("pca", 2), ("standard", None), ("random-projection", 4)):
            options = {"kind": kind} | ({} if dimensions is None else {"dimensions": dimensions})
            spec = TypeAdapter(FeaturesSpec).validate_python(options)
            said.add(refused(lambda: fit_features(spec, Samples.of(rows), rng=np.random.default_rng(0)))[:36])  # noqa: B023
    return sorted(said)


def main() -> None:
    if "blas" in sys.argv:
        import tailweave.protocols.features

        tailweave.protocols.features.row_products = lloyd.row_products = lambda rows, weights: rows @ weights
    names = ("histogram", "cosine", "masked histogram", "masked cosine", "lloyd")
    found = {}
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            for name, hostile, others in product(names, (on_the_map, on_the_projection), (60, 62)):
                found[f"{name}, {hostile.__name__}, {others}, {threads}"] = worst(name, hostile, others)
            found[f"equal rows, {threads}"] = equal_rows()
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
