# SPDX-License-Identifier: Apache-2.0
"""Options of the diffusion generator: what fits together, and what is said where it does not."""

import pytest
from pydantic import ValidationError

from tailweave.protocols.kinds.generators.diffusion import DiffusionSpec, MlpSpec, UnetSpec


def test_without_a_network_or_base_it_is_a_perceptron():
    spec = DiffusionSpec(kind="diffusion")
    assert spec.own_network == MlpSpec()
    assert not spec.makes_images
    assert spec.limits is None


def test_images_lie_between_0_and_1_unless_said_otherwise():
    unet = {"kind": "unet", "shape": [1, 8, 8]}
    assert DiffusionSpec(kind="diffusion", network=unet).limits == (0.0, 1.0)
    assert DiffusionSpec(kind="diffusion", base="a/b").limits == (0.0, 1.0)
    assert DiffusionSpec(kind="diffusion", network=unet, value_range=(-1, 1)).limits == (-1.0, 1.0)
    assert UnetSpec.model_validate(unet).columns == 64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base": "a/b", "network": {"kind": "mlp"}}, "base brings its own network: remove network or base"),
        ({"first-epochs": 0}, "first-epochs may be 0 only with a base, got 0"),
        ({"steps": 10, "sampling-steps": 11}, "sampling-steps must be at most steps = 10, got 11"),
        ({"value-range": [1, 1]}, r"value-range must grow, got \[1.0, 1.0\]"),
        ({"device": "tpu"}, "'auto', 'cpu' or 'cuda'"),
        ({"ema-decay": 1.0}, "less than 1"),
        ({"network": {"kind": "unet", "shape": [1, 9, 8]}}, "multiples of 2 for 2 channels, got 9 x 8"),
        (
            {"network": {"kind": "unet", "shape": [1, 8, 8], "channels": [12, 16]}},
            "multiples of groups = 8, got 12",
        ),
        (
            {"network": {"kind": "unet", "shape": [1, 8, 8], "attention": [True]}},
            "attention must have one entry for each of the 2 channels, got 1",
        ),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        DiffusionSpec.model_validate({"kind": "diffusion", **options})


def test_a_base_may_be_used_as_it_is():
    assert (
        DiffusionSpec(kind="diffusion", base="a/b", first_epochs=0, steps=10, sampling_steps=50).first_epochs
        == 0
    )
