# SPDX-License-Identifier: Apache-2.0

from dataclasses import replace

import numpy as np
import pytest

from tailweave.protocols import references
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.features import FeatureMap, PublicSpace
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.privacy import gate
from tailweave.protocols.privacy.calibration import epsilon_of, noise_multiplier
from tailweave.protocols.privacy.gate import Cost, release
from tailweave.protocols.privacy.mechanisms import cosine
from tailweave.protocols.privacy.noise import SeededNoise, SystemNoise

SPACE = PublicSpace(np.zeros(3), 1.0, seed=2)
SPECS = {
    "cosine": SlicedReference(kind="sliced", directions=32, coefficients=4),
    "histogram": SlicedReference(kind="sliced", basis="histogram", directions=64, bins=5),
    "lloyd": QuantizedReference(kind="quantized", clusters=8),
}


def privacy(epsilon=2.0, **changes):
    values = {"delta": 1e-6, "min_rows": 200, "min_cluster_size": 10, "secure_aggregation": False}
    return PrivacySpec.model_construct(epsilon=epsilon, **(values | changes))


def rows_of(n=250):
    return np.random.default_rng(0).standard_normal((n, 3))


class Diary(SeededNoise):
    """Seeded noise that writes down when it is drawn."""

    def __init__(self, events, seed=0):
        super().__init__(np.random.default_rng(seed))
        object.__setattr__(self, "events", events)

    def discrete_gaussian(self, scale, shape):
        self.events.append("noise")
        return super().discrete_gaussian(scale, shape)


def open_gate(spec, rows=None, *, bounds=None, noise=None, charge=lambda cost: None):
    return release(
        rows_of() if rows is None else rows,
        spec,
        FeatureMap.of(SPACE),
        bounds or privacy(),
        seed=SPACE.seed,
        noise=noise or SeededNoise(np.random.default_rng(1)),
        rng=np.random.default_rng(2),
        charge=charge,
    )


@pytest.mark.parametrize("name", SPECS)
def test_charge_comes_once_and_before_the_first_noise(name):
    events = []
    open_gate(SPECS[name], noise=Diary(events), charge=events.append)
    z = noise_multiplier(2.0, 1e-6)
    cost = Cost(2.0, 1e-6, 0.5 / z**2, name)
    assert events[0] == cost
    assert events.count(cost) == 1
    assert set(events[1:]) == {"noise"}
    assert epsilon_of(z, 1e-6) <= 2.0


@pytest.mark.parametrize("name", SPECS)
def test_refused_charge_means_no_noise_and_no_release(name):
    events = []

    def refuse(cost):
        raise ValueError("budget is spent")

    with pytest.raises(ValueError, match="budget is spent"):
        open_gate(SPECS[name], noise=Diary(events), charge=refuse)
    assert events == []


@pytest.mark.parametrize("name", SPECS)
def test_too_few_rows_are_refused_before_a_value_is_read(name):
    events = []
    with pytest.raises(ValueError, match="min-rows = 200 rows: the silo has fewer"):
        open_gate(SPECS[name], np.full((199, 3), np.nan), noise=Diary(events), charge=events.append)
    assert events == []


@pytest.mark.parametrize("epsilon", [2.0, None])
def test_bad_values_name_the_column_and_cost_nothing(epsilon):
    rows, events = rows_of(), []
    rows[17, 1] = np.inf
    with pytest.raises(ValueError, match="in column 1") as caught:
        open_gate(SPECS["cosine"], rows, bounds=privacy(epsilon), charge=events.append)
    assert "17" not in str(caught.value)
    assert events == []


def test_delta_must_be_below_one_in_n():
    with pytest.raises(ValueError, match="delta must be below 1 over the silo's number of rows, got 0.01"):
        open_gate(SPECS["cosine"], bounds=privacy(delta=0.01))


def test_noise_too_small_for_whole_numbers_costs_nothing():
    events = []
    with pytest.raises(ValueError, match="lower epsilon"):
        open_gate(SPECS["histogram"], bounds=privacy(30.0), charge=events.append)
    assert events == []


@pytest.mark.parametrize("name", SPECS)
def test_without_epsilon_it_is_the_exact_release_and_says_so(name):
    costs = []
    few = rows_of(60)
    result = open_gate(SPECS[name], few, bounds=privacy(None), charge=costs.append)
    exact = references.release(few, SPECS[name], SPACE, 10, rng=np.random.default_rng(2))
    for key, value in exact.arrays().items():
        np.testing.assert_array_equal(result.arrays()[key], value)
    assert costs == [Cost(None, 1e-6, None, "none")]


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("epsilon", [0.5, 8.0])
def test_what_is_released_can_be_read_and_woven_by_the_server(name, epsilon):
    result = open_gate(SPECS[name], bounds=privacy(epsilon))
    read = references.read_summary(result.arrays(), SPECS[name], 3)
    woven = references.weave([read, read], SPECS[name])
    assert all(np.isfinite(part).all() for part in woven.values())


def test_system_noise_goes_through_the_same_door_and_differs_each_time():
    first, second = (open_gate(SPECS["cosine"], noise=SystemNoise()) for _ in range(2))
    assert (first.sums != second.sums).any()


def test_both_ends_know_the_noise_variance():
    for name, width in (("cosine", 4), ("histogram", 5)):
        assert gate.noise_variance(SPECS[name], privacy()).shape == (width,)
    assert gate.noise_variance(SPECS["lloyd"], privacy()) is None
    assert gate.noise_variance(SPECS["cosine"], privacy(None)) is None
    z = noise_multiplier(2.0, 1e-6)
    np.testing.assert_allclose(gate.noise_variance(SPECS["histogram"], privacy()), 64 * z * z)


def test_mechanism_without_noise_is_stopped(monkeypatch):
    silent = lambda rows, spec, space, z, *, noise: references.release(  # noqa: E731
        rows, spec, space, 1, rng=np.random.default_rng(0)
    )
    monkeypatch.setattr(cosine, "MECHANISM", replace(cosine.MECHANISM, privatise=silent))
    with pytest.raises(RuntimeError, match="cosine drew no noise"):
        open_gate(SPECS["cosine"])
