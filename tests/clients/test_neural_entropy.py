# SPDX-License-Identifier: Apache-2.0
"""Entropies of predictions: the batch worked by hand, SciPy as oracle, and what gradients do."""

import math

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import entropy

torch = pytest.importorskip("torch")

from tailweave.clients.neural.entropy import BalancedEntropy, entropies  # noqa: E402 - torch may be missing

HAND = [[math.log(3), 0.0]] * 3 + [[0.0, math.log(3)]]


def test_the_batch_worked_by_hand():
    loss = BalancedEntropy(2)
    found = loss(torch.tensor(HAND, dtype=torch.float64))
    assert loss.shares == pytest.approx([0.525, 0.475], abs=1e-15)
    h = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert found.item() == pytest.approx(h * (3 / (2 * 0.525) + 1 / (2 * 0.475)) / 4, abs=1e-12)
    assert found.item() == pytest.approx(0.5496509, abs=5e-8)


def test_entropies_are_those_of_scipy():
    logits = np.random.default_rng(0).normal(size=(20, 5)) * 4
    found = entropies(torch.tensor(logits)).numpy()
    assert found == pytest.approx(entropy(softmax(logits, axis=1), axis=1), abs=1e-12)
    extreme = entropies(torch.tensor([[1e4, 0.0], [0.0, 0.0]], dtype=torch.float64)).tolist()
    assert extreme == pytest.approx([0.0, math.log(2)], abs=1e-12)


def test_no_gradient_goes_through_the_shares_and_resetting_forgets():
    logits = torch.tensor(HAND, dtype=torch.float64, requires_grad=True)
    loss = BalancedEntropy(2)
    loss(logits).backward()
    weights = torch.tensor([1 / 1.05] * 3 + [1 / 0.95], dtype=torch.float64)
    again = torch.tensor(HAND, dtype=torch.float64, requires_grad=True)
    (entropies(again) * weights).mean().backward()
    assert torch.allclose(logits.grad, again.grad, atol=1e-12)
    first = BalancedEntropy(2)(torch.tensor(HAND)).item()
    assert loss(torch.tensor(HAND)).item() != pytest.approx(first, abs=1e-4)  # shares have moved
    loss.reset()
    assert loss(torch.tensor(HAND)).item() == pytest.approx(first, abs=1e-7)


def test_equal_shares_give_plain_entropy():
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    assert BalancedEntropy(2)(logits).item() == pytest.approx(entropies(logits).mean().item(), abs=1e-15)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="classes must be at least 1"):
        BalancedEntropy(0)
    with pytest.raises(ValueError, match="classes 0 to 1, got 2 to 2"):
        BalancedEntropy(2)(torch.tensor([[0.0, 0.0, 1.0]]))
