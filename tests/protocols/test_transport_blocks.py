# SPDX-License-Identifier: Apache-2.0
"""Entropic potentials in blocks against those of all costs at once."""

import numpy as np
import pytest

from tailweave.protocols.streams import stream
from tailweave.protocols.transport import blocks, coupling
from tailweave.protocols.transport.projection import potential


def case(n: int = 45, m: int = 17) -> tuple[np.ndarray, ...]:
    rng = stream(n, "blocks")
    x, y = 1.3 * rng.normal(size=(n, 3)) + 0.4, rng.normal(size=(m, 3))
    return x, y, rng.uniform(0.5, 2.0, n), rng.uniform(0.5, 2.0, m)


@pytest.fixture(params=[170, 4_000_000], ids=["blocks", "whole"])
def size(request, monkeypatch) -> None:
    monkeypatch.setattr(blocks, "_COSTS", request.param)


@pytest.mark.usefixtures("size")
@pytest.mark.parametrize("reg", [0.3, 3.0])
def test_potentials_are_those_of_all_costs_at_once(reg):
    x, y, a, b = case()
    found = blocks.entropic_potential(x, y, a, b, reg)
    expected = coupling.entropic(x, y, a, b, reg).potential
    gap = found - expected
    # Both stop where a marginal is off by 1e-6, and a potential moves by reg times as much or a little more.
    assert np.ptp(gap) < 1e-4 * reg


def test_costs_far_from_the_origin_are_those_of_near_rows():
    x, y, _, _ = case()
    for shift, within in ((0.0, 1e-12), (1e6, 1e-8)):
        (found,) = [cost_sq for _, cost_sq in blocks.cost_blocks(x + shift, y + shift)]
        np.testing.assert_allclose(found, ((x[:, None] - y[None]) ** 2).sum(axis=2), rtol=0, atol=within)


@pytest.mark.usefixtures("size")
def test_potentials_onto_itself_are_those_of_all_costs_at_once():
    x, _, a, _ = case()
    found = blocks.entropic_self_potential(x, a, 0.7)
    np.testing.assert_allclose(found, coupling.entropic_self(x, a, 0.7).potential, rtol=0, atol=1e-5)


def test_the_projection_uses_them_beyond_a_number_of_costs(monkeypatch):
    x, y, _, b = case()
    at_once = potential(x, y, b, entropic_reg=0.5)
    monkeypatch.setattr(blocks, "AT_ONCE", 100)
    monkeypatch.setattr(coupling, "entropic", None)
    monkeypatch.setattr(coupling, "entropic_self", None)
    in_blocks = potential(x, y, b, entropic_reg=0.5)
    assert np.ptp(in_blocks - at_once) < 1e-4


def test_blocks_hold_squared_distances():
    x, y, _, _ = case()
    parts = list(blocks.cost_blocks(x, y))
    found = np.concatenate([cost_sq for _, cost_sq in parts])
    np.testing.assert_allclose(found, ((x[:, None] - y[None]) ** 2).sum(axis=2), rtol=0, atol=1e-12)
    assert [part.start for part, _ in parts] == [0]


@pytest.mark.parametrize("reg", [0.0, -1.0, float("nan")])
def test_a_strength_that_is_none_is_refused(reg):
    x, y, a, b = case()
    with pytest.raises(ValueError, match="entropic_reg must be finite and positive"):
        blocks.entropic_potential(x, y, a, b, reg)
    with pytest.raises(ValueError, match="entropic_reg must be finite and positive"):
        blocks.entropic_self_potential(x, a, reg)


def test_what_does_not_converge_is_refused(monkeypatch):
    x, y, a, b = case()
    monkeypatch.setattr(blocks, "SWEEPS", 1)
    monkeypatch.setattr(blocks, "SWEEPS_ON_THE_WAY", 1)
    with pytest.raises(ArithmeticError, match="did not converge at entropic-reg 0.01"):
        blocks.entropic_potential(x, y, a, b, 0.01)
    with pytest.raises(ArithmeticError, match="did not converge"):
        blocks.entropic_self_potential(x, a, 1.0)


def test_masses_that_do_not_fit_are_refused():
    x, y, a, b = case()
    with pytest.raises(ValueError, match="masses must be positive, one a point"):
        blocks.entropic_potential(x, y, a[:-1], b, 1.0)
