# SPDX-License-Identifier: Apache-2.0
"""A small network and what adaptation may change of it."""

from itertools import islice

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tailweave.clients.neural.adaptation import adapted, predicted, trained  # noqa: E402 - torch may be missing
from tailweave.clients.neural.entropy import entropies  # noqa: E402


def clouds(seed=0, rows=120):
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % 3
    return 3.0 * np.eye(3)[labels] + 0.3 * rng.standard_normal((rows, 3)), labels


def network(seed=0):
    rows, labels = clouds()
    return trained(rows, labels, classes=3, hidden=8, rng=np.random.default_rng(seed))


def mean_entropy(logits):
    return entropies(logits).mean()


def test_it_learns_what_is_apart_and_is_the_same_for_the_same_stream():
    rows, labels = clouds(seed=1)
    first, second, other = network(), network(), network(1)
    assert (predicted(first, rows) == labels).all()
    for one, two in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        assert torch.equal(one, two)
    assert not torch.equal(first[0].weight, other[0].weight)


def test_only_scales_and_offsets_of_norms_change_and_entropy_falls():
    before, now = network(), network()
    rows = clouds(seed=2)[0] + np.random.default_rng(3).standard_normal((120, 3))
    start = mean_entropy(before(torch.as_tensor(rows))).item()
    for _ in islice(adapted(now, rows, mean_entropy, batch=40, rate=0.02), 3):
        pass
    assert mean_entropy(now(torch.as_tensor(rows))).item() < start
    changed = {
        name
        for name, tensor in now.state_dict().items()
        if not torch.equal(tensor, before.state_dict()[name])
    }
    assert changed == {"1.weight", "1.bias", "4.weight", "4.bias"}


def test_a_step_is_adams_by_hand():
    """The first step of Adam moves each weight by the rate, against the sign of its gradient."""
    before, now = network(), network()
    rows = clouds(seed=2)[0]
    mean_entropy(before(torch.as_tensor(rows))).backward()
    next(adapted(now, rows, mean_entropy, batch=len(rows), rate=0.01))
    gradient = before[1].bias.grad
    large = gradient.abs() > 1e-4  # where Adam's epsilon of 1e-8 does not show
    moved = (now[1].bias - before[1].bias).detach()
    assert large.any()
    assert torch.allclose(moved[large], -0.01 * gradient[large].sign(), atol=1e-5)


def test_rows_are_named_as_they_come_before_their_own_step():
    rows, _ = clouds(seed=4)
    now, fresh = network(), network()
    whole = next(adapted(now, rows, mean_entropy, batch=len(rows), rate=0.5))
    assert whole.tolist() == predicted(fresh, rows).tolist()
    assert len(next(adapted(network(), rows[:7], mean_entropy, batch=4, rate=0.02))) == 7


def test_without_a_normalising_layer_there_is_nothing_to_adapt():
    bare = torch.nn.Sequential(torch.nn.Linear(3, 3)).double()
    with pytest.raises(ValueError, match="network must have a normalising layer to adapt, found none"):
        next(adapted(bare, np.zeros((2, 3)), mean_entropy, batch=2, rate=0.1))
