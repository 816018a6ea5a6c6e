# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from pydantic import TypeAdapter

from tailweave.clients.data import silo as silo_module
from tailweave.clients.data.public import public_rows
from tailweave.clients.data.silo import check_silo_size, silo_of, simulated_world
from tailweave.clients.data.tables import read_table
from tailweave.clients.samples import DataError, Samples
from tailweave.protocols.config.data import DataSpec, PublicSpec, SilosSpec


def _world(*, seed=0, data=None, public=None, **silos):
    data = TypeAdapter(DataSpec).validate_python(data or {"source": "digits"})
    silos = {"count": 5, "partition": {"kind": "by-class", "classes-per-silo": 2}, **silos}
    return simulated_world(
        data, SilosSpec.model_validate(silos), PublicSpec.model_validate(public or {}), seed=seed
    )


def _keys(rows):
    return {row.tobytes() for row in rows.values}


MODES = {"source": "gaussian-modes", "rows": 1000}  # continuous, so that a row is known by its values


def test_digits_world_has_the_sizes_of_the_design():
    world = _world()
    assert (len(world.evaluation), len(world.train), len(world.public)) == (719, 1078, 1078)
    assert [silo.name for silo in world.silos] == [f"silo-{j}" for j in range(5)]
    assert [set(silo.train.labels.tolist()) for silo in world.silos] == [
        {str(2 * j), str(2 * j + 1)} for j in range(5)
    ]
    assert sum(len(silo.train) + len(silo.heldout) for silo in world.silos) == 1078
    for silo in world.silos:
        assert len(silo.heldout) == round(0.1 * (len(silo.train) + len(silo.heldout)))


def test_no_row_is_in_two_places():
    world = _world(data=MODES, count=4, partition={"kind": "iid"})
    parts = [world.evaluation, *(part for silo in world.silos for part in (silo.train, silo.heldout))]
    assert sum(map(len, parts)) == 1000
    assert len(set().union(*map(_keys, parts))) == 1000
    assert set().union(*map(_keys, parts[1:])) == _keys(world.train)
    assert _keys(world.public) == _keys(world.train)


def test_world_is_cached_and_a_seed_changes_every_draw():
    assert _world(public={"class-weights": {5: 0.1}}) is _world(public={"class-weights": {"5": 0.1}})
    one, two = (_world(seed=seed, data=MODES, public={"fraction": 0.5}) for seed in (0, 1))
    assert _keys(one.evaluation) != _keys(two.evaluation)
    # Which places of the shuffled train are public, not which rows: the rows differ by evaluation already.
    places = [np.isin(w.train.values[:, 0], w.public.values[:, 0]).tolist() for w in (one, two)]
    assert places[0] != places[1]
    assert _world(public={"fraction": 0.4}) is not one


def test_public_share_and_silo_options_leave_the_other_draws_alone():
    base = _world(data=MODES)
    other = _world(data=MODES, public={"fraction": 0.3}, count=3, **{"heldout-fraction": 0.2})
    assert (base.evaluation.values == other.evaluation.values).all()
    assert (base.train.values == other.train.values).all()
    assert len(other.public) == 180
    assert _keys(other.public) < _keys(base.public)


def _labelled(counts):
    labels = np.repeat(list(counts), list(counts.values()))
    return Samples.of(np.arange(len(labels), dtype=np.float64)[:, None], labels)


def _public(rows, seed=0, **raw):
    return public_rows(rows, PublicSpec.model_validate(raw), rng=np.random.default_rng(seed))


def test_public_thins_each_class_to_its_weight():
    rows = _labelled({"a": 40, "b": 50, "c": 30})
    public = _public(rows, **{"class-weights": {"b": 0.3, "c": 0}})
    assert [int((public.labels == name).sum()) for name in "abc"] == [40, 15, 0]
    assert (np.diff(public.values[:, 0]) > 0).all()
    assert public.values[40:, 0].tolist() != list(range(40, 55))  # a random 15, not the first
    assert (_public(rows, seed=1, **{"class-weights": {"b": 0.3}}).values[40:55] != public.values[40:]).any()


def test_public_thins_what_the_share_holds():
    rows = _labelled({"a": 400, "b": 400})
    whole = _public(rows, fraction=0.5)
    thin = _public(rows, fraction=0.5, **{"class-weights": {"b": 0.1}})
    assert len(whole) == 400
    assert int((thin.labels == "a").sum()) == int((whole.labels == "a").sum())
    assert int((thin.labels == "b").sum()) == round(0.1 * int((whole.labels == "b").sum()))
    assert _keys(thin) < _keys(whole)


@pytest.mark.parametrize(
    ("rows", "raw", "message"),
    [
        (
            _labelled({"cat": 3, "dog": 3}),
            {"class-weights": {"dgo": 0.1}},
            "public.class-weights: no class 'dgo'; nearest: 'dog'; known: cat, dog",
        ),
        (
            Samples.of(np.zeros((5, 1))),
            {"class-weights": {"a": 0.1}},
            "public.class-weights needs labels",
        ),
        (_labelled({"a": 10}), {"fraction": 0.1}, "must leave at least 2 of the 10 training rows, got 1"),
        (_labelled({"a": 10}), {"class-weights": {"a": 0}}, "must leave at least 2 of the 10 .* got 0"),
    ],
)
def test_public_bad_input(rows, raw, message):
    with pytest.raises(DataError, match=message):
        _public(rows, **raw)


def test_public_errors_reach_the_world():
    with pytest.raises(DataError, match="no class '10'; nearest: '1'"):
        _world(public={"class-weights": {10: 0.5}})


def test_check_silo_size_names_the_first_small_silo():
    world = _world(count=2, partition={"kind": "iid"}, **{"rows-per-silo": 20})
    check_silo_size(world, 18)
    with pytest.raises(DataError, match="at least 19 training rows, but silo-0 has 18"):
        check_silo_size(world, 19)


def test_a_silo_of_one_row_cannot_hold_out():
    with pytest.raises(DataError, match="silo-0 needs at least 2 rows .* got 1"):
        _world(count=2, partition={"kind": "iid"}, **{"rows-per-silo": 1})


def test_a_real_silo_splits_without_scaling(tmp_path):
    path = tmp_path / "node.csv"
    path.write_text("v,k\n" + "".join(f"{j},{'ab'[j % 2]}\n" for j in range(20)))
    silo = silo_of("north", rows := read_table(path, "k"), 0.25, seed=0)
    assert silo.name == "north"
    assert (len(silo.train), len(silo.heldout)) == (15, 5)
    values = np.concatenate([silo.train.values, silo.heldout.values])[:, 0]
    assert sorted(values.tolist()) == list(range(20))
    assert (silo.train.labels == np.where(silo.train.values[:, 0] % 2, "b", "a")).all()
    again, other = (silo_of(name, rows, 0.25, seed=0) for name in ("north", "south"))
    assert (again.heldout.values == silo.heldout.values).all()
    assert (other.heldout.values != silo.heldout.values).any()


def test_a_real_silo_holds_out_at_least_one_and_leaves_at_least_one(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("v\n1\n2\n")
    for fraction in (0.01, 0.99):
        silo = silo_of("s", read_table(path, None), fraction, seed=0)
        assert (len(silo.train), len(silo.heldout)) == (1, 1)


def test_a_real_silo_bad_input(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("v\n1\n")
    with pytest.raises(DataError, match="s needs at least 2 rows"):
        silo_of("s", read_table(path, None), 0.1, seed=0)
    with pytest.raises(DataError, match="heldout-fraction must be above 0 and below 1, got 1"):
        silo_of("s", read_table(path, None), 1.0, seed=0)


def test_silos_are_cut_when_they_are_looked_at_and_always_alike():
    silos = _world(data=MODES, count=4, partition={"kind": "iid"}).silos
    assert len(silos) == 4
    assert silos[1] is not silos[1]
    for one, other in zip(silos, silos[:], strict=True):
        assert (one.name, one.digest) == (other.name, other.digest)
    assert [silo.name for silo in silos[2:]] == ["silo-2", "silo-3"]
    assert silos[-1].digest == silos[3].digest
    with pytest.raises(IndexError):
        silos[4]


def test_of_a_large_truth_every_class_keeps_its_share(monkeypatch):
    monkeypatch.setattr(silo_module, "MOST_EVALUATION", 100)
    silo_module.forget_worlds()
    rare = {
        **MODES,
        "rows": 4000,
        "modes": 5,
        "rare-modes": 1,
        "rare-mass": 0.02,
        "evaluation-fraction": 0.25,
    }
    world = _world(data=rare, count=2, partition={"kind": "iid"})
    silo_module.forget_worlds()
    assert len(world.evaluation) == 100
    labels, counts = np.unique(world.evaluation.labels, return_counts=True)
    assert dict(zip(labels.tolist(), counts.tolist(), strict=True))["mode-04"] == 2
    assert len(world.train) == 3000  # what is not measured by goes to nobody
