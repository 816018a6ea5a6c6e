# SPDX-License-Identifier: Apache-2.0
"""One small silo with its public kit, and questions to it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tailweave.clients import generators
from tailweave.clients.data.silo import Silo, World
from tailweave.clients.features import fit_features
from tailweave.clients.node import Node
from tailweave.clients.release.policy import simulation_policy
from tailweave.clients.samples import Numbers, Samples
from tailweave.protocols.arrays import with_prefix
from tailweave.protocols.config.experiment import ArmSpec
from tailweave.protocols.config.training import RecursionSpec
from tailweave.protocols.kinds.features.projections import Pca
from tailweave.protocols.kinds.generators.gaussian import GaussianMixtureSpec
from tailweave.protocols.kit import PublicKit
from tailweave.protocols.messages import Retrain
from tailweave.protocols.streams import stream

GENERATOR = GaussianMixtureSpec(kind="gaussian-mixture", components=2)


def rows(count: int, *path: str) -> Samples:
    rng = stream(0, "rows", *path)
    side = rng.integers(2, size=count)
    values = rng.normal(size=(count, 3)) + np.where(side[:, None] == 1, 4.0, -4.0)
    return Samples.of(values, np.where(side == 1, "right", "left"), Numbers(("a", "b", "c")))


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """A real node: it has no truth and no configuration."""
    return Node(
        Silo("silo-0", rows(60, "train"), rows(30, "heldout")),
        tmp_path / "state",
        None,
        None,
        simulation_policy(),
    )


@pytest.fixture
def world(node: Node) -> World:
    return World(rows(40, "evaluation"), rows(90, "truth"), rows(50, "public"), (node.silo,))


@pytest.fixture
def kit() -> PublicKit:
    base = generators.fit(GENERATOR, rows(50, "public"), rng=stream(0, "base"))
    samples = base.sample(300, rng=stream(0, "samples"))
    spec = Pca(kind="pca", dimensions=2)
    return PublicKit(
        fit_features(spec, samples, rng=stream(0, "features")), base.arrays(), samples.values[:, :2]
    )


@pytest.fixture
def retrain_question(kit: PublicKit) -> Callable[..., Retrain]:
    """Return a maker of questions; keywords replace fields, ``reference`` adds arrays, ``base`` its parts."""

    def make(
        start: int = 0,
        stop: int = 2,
        *,
        arm: dict | None = None,
        base: dict | None = None,
        reference: dict | None = None,
        **fields,
    ) -> Retrain:
        options = fields.pop("recursion", {})
        return Retrain(
            run="test-run",
            seed=fields.pop("seed", 7),
            arm=ArmSpec.model_validate(arm or {"name": "siloed", "rule": "herding", "reference": "local"}),
            generator=fields.pop("generator", GENERATOR),
            recursion=RecursionSpec(
                **{"generations": 6, "samples": 20, "candidates_per_sample": 2} | options
            ),
            start=start,
            stop=stop,
            arrays=with_prefix("features", kit.features.arrays())
            | with_prefix("base", kit.base if base is None else base)
            | with_prefix("reference", reference or {}),
            **fields,
        )

    return make
