# SPDX-License-Identifier: Apache-2.0
"""What a finished arm leaves: a model that draws as it did, and the samples that were selected for it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tailweave.clients import generators, retrain_round
from tailweave.clients.final_models import FinalModel, leaves_model
from tailweave.clients.release.policy import Policy
from tailweave.clients.samples import TEXT, Images, Numbers, Samples, unnamed
from tailweave.clients.sorts_table import Table
from tailweave.protocols.kinds.columns.days import Date
from tailweave.protocols.kinds.columns.levels import Category
from tailweave.protocols.kinds.columns.numbers import Integer
from tailweave.protocols.kinds.generators.diffusion import DiffusionSpec, MlpSpec
from tailweave.protocols.streams import stream

DIFFUSION = DiffusionSpec(
    kind="diffusion",
    network=MlpSpec(hidden=4, layers=1),
    first_epochs=1,
    epochs=1,
    sampling_steps=2,
    device="cpu",
)


def finished(node, question):
    retrain_round.retrain(node, question)
    return next(node.state.rglob("latest.npz"))


def test_an_unfinished_arm_leaves_nothing_to_draw_from(node, retrain_question):
    path = finished(node, retrain_question(stop=5))
    assert not leaves_model(path)
    with pytest.raises(ValueError, match="leaves no model to draw from"):
        FinalModel.load(path)


def test_the_last_model_draws_and_the_selected_are_kept(node, retrain_question):
    path = finished(node, retrain_question(stop=6))
    assert leaves_model(path)
    left = FinalModel.load(path)
    assert (left.seed, left.silo, left.sort) == (7, "silo-0", node.silo.train.sort)
    drawn = left.sample(500, rng=stream(0, "draw"))
    assert (drawn.columns, len(drawn)) == (("a", "b", "c"), 500)
    assert len(left.selected) == 20
    assert set(left.selected.born.tolist()) == {6}
    again = FinalModel.load(path).sample(500, rng=stream(0, "draw"))
    assert (again.values == drawn.values).all()


def test_a_large_model_is_found_beside_its_checkpoint(node, retrain_question):
    rows = Samples.of(node.silo.train.values)
    base = generators.fit(DIFFUSION, rows, rng=stream(0, "base")).arrays()
    path = finished(node, retrain_question(stop=6, generator=DIFFUSION, base=base))
    assert FinalModel.load(path).sample(3, rng=stream(0, "draw")).values.shape == (3, 3)


@pytest.mark.parametrize("rule", ["fresh", "random"])
def test_real_samples_are_never_among_the_selected(node, retrain_question, rule):
    """``fresh`` selects real samples alone; of a pool with real ones in it ``random`` selects some."""
    options = {"paradigm": "accumulate-select", "include_real": True}
    left = FinalModel.load(
        finished(node, retrain_question(stop=6, arm={"name": "a", "rule": rule}, recursion=options))
    )
    assert (left.selected is None) == (rule == "fresh")
    assert rule == "fresh" or (left.selected.born > 0).all()


def test_a_real_node_keeps_the_selected_only_where_its_owner_lets_it(node, retrain_question):
    shut = replace(node, policy=node.policy.model_copy(update={"allow_export": False}))
    assert Policy().allow_export is False
    assert FinalModel.load(finished(shut, retrain_question(stop=6))).selected is None


def test_a_model_that_needs_more_than_is_kept_is_not_drawn_from(node, retrain_question):
    left = FinalModel.load(finished(node, retrain_question(stop=6)))

    class Helped(type(left.spec)):
        @property
        def looks_at_reference(self) -> bool:
            return True

    helped = Helped.model_construct(**left.spec.model_dump())
    with pytest.raises(ValueError, match="draws with the help of the reference, .* --selected"):
        replace(left, spec=helped).sample(1, rng=stream(0, "draw"))


TABLE = Table.of(
    {
        "age": Integer(kind="integer", min=0, max=120, optional=True, missing=("-1",)),
        "sex": Category(kind="category", values=("f", "m")),
        "born": Date(kind="date", format="%d.%m.%Y"),
    },
    "class",
)


@pytest.mark.parametrize(
    "sort", [Numbers(("a", "ß")), Numbers(("a",), True), Images(unnamed(4), shape=(1, 2, 2)), TEXT, TABLE]
)
def test_a_sort_comes_back_from_what_it_says(sort):
    assert type(sort).from_description(json.loads(json.dumps(sort.described()))) == sort


@pytest.mark.parametrize("parts", [{}, {"columns": 3}, {"columns": ["a"], "units": [[1]]}])
def test_what_describes_no_sort_is_refused(parts):
    with pytest.raises(ValueError, match="validation error"):
        Numbers.from_description(parts)


def test_a_torn_checkpoint_is_none(tmp_path):
    (tmp_path / "latest.npz").write_bytes(b"PK")
    assert not leaves_model(tmp_path / "latest.npz")
    np.savez(tmp_path / "other.npz", about=np.array("{}"))
    with pytest.raises(ValueError, match="leaves no model to draw from"):
        FinalModel.load(tmp_path / "other.npz")
