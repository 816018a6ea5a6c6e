# SPDX-License-Identifier: Apache-2.0
"""A real silo measures a table by the public rows that it is sent, and by nothing of its own."""

import numpy as np
import pytest

from tailweave.clients import generators
from tailweave.clients.data.silo import Silo
from tailweave.clients.node import Node
from tailweave.clients.release.policy import simulation_policy
from tailweave.clients.retrain_round import retrain
from tailweave.clients.samples import Samples
from tailweave.clients.sorts_table import UNIT, Table
from tailweave.protocols.arrays import with_prefix
from tailweave.protocols.config.experiment import ArmSpec
from tailweave.protocols.config.training import RecursionSpec
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kinds.columns.levels import Category
from tailweave.protocols.kinds.columns.numbers import Number
from tailweave.protocols.kinds.generators.gaussian import GaussianMixtureSpec
from tailweave.protocols.messages import Retrain
from tailweave.protocols.streams import stream

SORT = Table.of({"kind": Category(kind="category", values=("usual", "rare")), "dose": Number(kind="number")})
GENERATOR = GaussianMixtureSpec(kind="gaussian-mixture", components=2)
PUBLIC = {"column_distance", "levels_lost", "level_kept/kind=rare", "schema_violations", "association_error"}


def rows(count: int, rare: int, name: str) -> Samples:
    values = np.zeros((count, 3))
    values[:, 0], values[:rare, :2] = UNIT, (0.0, UNIT)
    values[:, 2] = stream(0, name).normal(size=count)
    return Samples.of(values, sort=SORT)


def question(**held_out: np.ndarray) -> Retrain:
    base = generators.fit(GENERATOR, rows(300, 12, "base"), rng=stream(0, "base"))
    features = FeatureMap(np.zeros(3), np.eye(3), np.zeros(3), 1.0)
    return Retrain(
        run="run",
        seed=7,
        arm=ArmSpec(name="no-selection", rule="random"),
        generator=GENERATOR,
        recursion=RecursionSpec(generations=1, samples=100, candidates_per_sample=2),
        start=0,
        stop=1,
        arrays=with_prefix("base", base.arrays())
        | with_prefix("features", features.arrays())
        | with_prefix("held-out", held_out),
    )


def answer(folder, train: Samples, **held_out):
    silo = Silo("silo-0", train, rows(60, 0, "own-held-out"))
    return retrain(Node(silo, folder, None, None, simulation_policy()), question(**held_out))


def test_public_rows_give_the_metrics_of_tables_whatever_a_silo_holds(tmp_path):
    public = rows(400, 16, "public").values
    sent = {"features": public, "rows": public}
    one, other = (answer(tmp_path / str(rare), rows(200, rare, f"own-{rare}"), **sent) for rare in (0, 100))
    assert set(one.names) >= PUBLIC
    assert [array.tobytes() for array in one.arrays.values()] == [
        array.tobytes() for array in other.arrays.values()
    ]
    assert "novel_share" not in one.rows()[0]  # what the base was fitted on is not known here
    assert not PUBLIC & set(answer(tmp_path / "features", rows(200, 0, "own-0"), features=public).names)


def test_rows_of_other_columns_and_texts_are_refused(tmp_path):
    public = rows(400, 16, "public").values
    with pytest.raises(ValueError, match="columns must name all 2 columns"):
        answer(tmp_path / "narrow", rows(200, 0, "own-0"), features=public, rows=public[:, :2])
    with pytest.raises(
        ValueError, match="held-out must be array features, or with rows, got features, texts"
    ):
        answer(tmp_path / "texts", rows(200, 0, "own-0"), features=public, texts=np.ones(3))
