# SPDX-License-Identifier: Apache-2.0
"""Does the streaming rule do its job? Rare modes, against herding over all candidates at once."""

import numpy as np
import pytest

from tailweave.clients.data.modes import gaussian_modes, sample_modes
from tailweave.clients.selection.herding import herding
from tailweave.clients.selection.streaming import StreamingRule, streamed_herding
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.kinds.sources.gaussian_modes import GaussianModes
from tailweave.protocols.references.sliced import Sliced, summarise
from tailweave.protocols.streams import stream

COUNT, KEPT, DIMENSION, MODES = 4000, 1000, 8, 12


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, Sliced, np.ndarray, np.ndarray]:
    """Truth with two modes of 1 %; a generator that thins them to .4 % and doubles the first mode."""
    truth = gaussian_modes(
        GaussianModes(
            source="gaussian-modes",
            rows=6000,
            dimensions=8,
            modes=12,
            rare_modes=2,
            rare_mass=0.01,
            separation=10,
        )
    )
    points = sample_modes(truth, 4000, rng=stream(0, "truth")).values
    biased = np.array(truth.masses)
    biased[0] *= 2.0
    biased[-2:] = 0.004
    rng = stream(0, "generated")
    mode = rng.choice(MODES, size=COUNT, p=biased / biased.sum())
    features = truth.means[mode] + rng.standard_normal((COUNT, DIMENSION))
    center = points.mean(axis=0)
    space = PublicSpace(center, float(np.sqrt(((points - center) ** 2).mean())), 0)
    spec = SlicedReference(kind="sliced", directions=64, coefficients=8)
    summary = summarise(points, spec, space)
    return truth.masses, Sliced(summary.sums / summary.count, spec, space), features, mode


@pytest.fixture(scope="module")
def at_once(scene) -> np.ndarray:
    """The pick of herding over all candidates, the slow ceiling."""
    return herding(scene[1], scene[2], KEPT)


def error_of_shares(masses: np.ndarray, mode: np.ndarray) -> float:
    return float(np.abs(np.bincount(mode, minlength=MODES) / len(mode) - masses).sum())


def sketch_gap(form: Sliced, features: np.ndarray) -> float:
    summary = summarise(features, form.spec, form.space)
    return float(np.linalg.norm(summary.sums / summary.count - form.sketch))


@pytest.mark.parametrize("window", [128, 512])
def test_rare_modes_have_their_share_as_with_herding_over_all(scene, at_once, window):
    masses, form, features, mode = scene
    kept = streamed_herding(form, features, StreamingRule(1, 4, window)).keep
    before = error_of_shares(masses, mode)
    assert before > 0.15
    assert error_of_shares(masses, mode[kept]) < 0.02
    assert error_of_shares(masses, mode[at_once]) < 0.02
    rare = np.bincount(mode[kept], minlength=MODES)[-2:] / KEPT
    assert (np.abs(rare - 0.01) < 0.002).all()  # .004 among the candidates
    drawn = sketch_gap(form, features[stream(0, "random").choice(COUNT, KEPT, replace=False)])
    assert sketch_gap(form, features[kept]) < 2.5 * sketch_gap(form, features[at_once])
    assert sketch_gap(form, features[kept]) < 0.05 * drawn


def test_a_stream_sorted_by_mode_cannot_be_corrected(scene):
    """What the docstring warns of: windows of one mode keep its share, whatever the reference says."""
    masses, form, features, mode = scene
    order = np.argsort(mode, kind="stable")
    kept = streamed_herding(form, features[order], StreamingRule(1, 4)).keep
    assert error_of_shares(masses, mode[order][kept]) > 0.1
