# SPDX-License-Identifier: Apache-2.0
"""Masked vectors: what looks like nothing, and which vectors add up to a sum."""

import numpy as np
import pytest

from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references.sliced import summarise
from tailweave.protocols.secure_sum.sketches import integer_sketch, to_words
from tailweave.protocols.streams import stream
from tailweave.simulation.audit.scene import Scene, released
from tailweave.simulation.audit.secure_sums import looks_uniform, masked_promises, sums
from tailweave.simulation.audit.wire_log import MaskedVector
from tailweave.simulation.run_folder import RunFolderError

TREE = {
    "name": "small",
    "seeds": [0, 1],
    "data": {"source": "gaussian-modes", "rows": 300, "dimensions": 3, "modes": 3, "rare-modes": 0},
    "silos": {"count": 3, "partition": {"kind": "iid"}},
    "generator": {"kind": "gaussian"},
    "recursion": {"generations": 1, "samples": 20},
    "arms": [{"name": "sketch", "rule": "herding", "reference": {"kind": "sliced", "directions": 128}}],
    "privacy": {"epsilon": 2.0, "min-rows": 20, "secure-aggregation": True, "honest-silos": 3},
}
EXPERIMENT = Experiment.model_validate(TREE)


def vectors(seed, number=1):
    """Un-noised sketches under masks that cancel: two random vectors, and minus their sum."""
    scene, (asked, *_) = Scene.of(EXPERIMENT, seed), released(EXPERIMENT)
    bare = [
        to_words(integer_sketch(scene.rows(silo), asked[0], scene.space), 3) for silo in scene.world.silos
    ]
    draw = stream(seed, "masks", number).integers(2**32, size=(2, len(bare[0])), dtype=np.uint32)
    masks = [draw[0], draw[1], np.uint32(0) - draw[0] - draw[1]]
    return [
        MaskedVector(scene, silo, 2.0, asked, number, words + mask)
        for silo, words, mask in zip(scene.world.silos, bare, masks, strict=True)
    ]


def test_the_last_attempt_of_every_seed_is_summed():
    found = sums([*vectors(0)[:2], *vectors(0, number=2), *vectors(1)])  # the first attempt lost a silo
    assert [m.scene.seed for m in found] == [0, 1]
    for m in found:
        spec, space = m.released[0], m.scene.space
        assert [part.name for part in m.parts] == ["silo-0", "silo-1", "silo-2"]
        assert len(m.rows) == sum(len(silo.train) for silo in m.parts) == round(m.summary.count)
        assert isinstance(spec, SlicedReference)
        expected = summarise(m.rows, spec, space).sums
        # a row's coefficients are rounded to 2^-8: at most half a step each
        np.testing.assert_allclose(m.summary.sums, expected, atol=len(m.rows) * 2.0**-9)


def test_vectors_that_were_not_kept_are_not_summed():
    lost = [MaskedVector(v.scene, v.silo, 2.0, v.released, 1, None) for v in vectors(0)]
    assert sums(lost) == []
    assert masked_promises(lost) == []
    assert sums([*vectors(0)[:2], lost[2]]) == []  # a part of a sum is no sum


def test_masks_look_uniform_and_sketches_do_not():
    masked = vectors(0)
    assert all(promise.kept for promise in masked_promises(masked))
    rng = stream(0, "uniform")
    assert all(looks_uniform(rng.integers(2**32, size=n, dtype=np.uint32)) for n in (50, 500, 5000) * 20)
    spec, scene = masked[0].released[0], masked[0].scene
    bare = to_words(integer_sketch(masked[0].rows, spec, scene.space), 3)
    assert not looks_uniform(bare)
    half = np.where(np.arange(len(bare)) % 2 == 0, bare, masked[0].words)
    assert not looks_uniform(half.astype(np.uint32))
    one = [*masked[:2], MaskedVector(scene, masked[2].silo, 2.0, masked[2].released, 1, bare)]
    assert [promise.kept for promise in masked_promises(one)] == [False]


def test_vectors_that_do_not_fit_are_named():
    first, *others = vectors(0)
    short = MaskedVector(first.scene, first.silo, 2.0, first.released, 1, first.words[:-1])
    with pytest.raises(RunFolderError, match="do not add up"):
        sums([short, *others])
    with pytest.raises(RunFolderError, match="do not fit their reference: sums must have shape"):
        sums([short])
