# SPDX-License-Identifier: Apache-2.0
"""The level of an added row's category: guessed without noise, under its ceiling with it, and the ceiling."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import yaml
from scipy.stats import norm

from tailweave.protocols.config.load import load_experiment
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.privacy.calibration import noise_multiplier
from tailweave.protocols.streams import stream
from tailweave.simulation.audit.attacks.base import attacks_on
from tailweave.simulation.audit.ceilings import guess_ceiling
from tailweave.simulation.audit.channel import Channel
from tailweave.simulation.audit.levels import guess_levels
from tailweave.simulation.audit.scene import Scene

SKETCH = SlicedReference(kind="sliced", directions=16, coefficients=2)
COLUMNS = {
    "c": {"kind": "category", "values": list("abcd")},
    "x": "number",
    "d": {"kind": "category", "values": ["p", "q"], "optional": True},
}
CONFIG = {
    "name": "levels",
    "seeds": 1,
    "data": {"source": "csv", "path": "x.csv", "columns": COLUMNS},
    "silos": {"count": 2, "partition": {"kind": "iid"}},
    "generator": {"kind": "gaussian"},
    "recursion": {"generations": 1, "samples": 30},
    "arms": [{"name": "together", "rule": "herding", "reference": {"kind": "sliced"}}],
}


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("levels"), stream(0, "levels")
    cells = zip(
        rng.choice(list("aabcd"), 200), rng.normal(size=200), rng.choice(["p", "q", ""], 200), strict=True
    )
    (folder / "x.csv").write_text("c,x,d\n" + "".join(f"{c},{x:.3f},{d}\n" for c, x, d in cells))
    (folder / "e.yaml").write_text(yaml.safe_dump(CONFIG))
    return Scene.of(load_experiment(folder / "e.yaml", {}), 0)


def guessed(scene, epsilon, spec=SKETCH, runs=240):
    channel = Channel.of(spec, scene.space, PrivacySpec(epsilon=epsilon), silos=2)
    found = guess_levels(scene, attacks_on(channel), runs=runs, rng=stream(0, "guess", str(epsilon)))
    return replace(channel.finding("as configured", ("together",)), guesses=found)


def test_without_noise_every_level_is_read_and_nothing_is_promised(scene):
    finding = guessed(scene, None)
    assert [(g.column, g.levels, g.share) for g in finding.guesses] == [("c", 4, 1.0), ("d", 3, 1.0)]
    assert not finding.breaches


def test_with_noise_no_level_is_guessed_above_its_ceiling_and_too_little_noise_shows(scene):
    assert not guessed(scene, 2.0).breaches
    claimed = replace(guessed(scene, 100.0), epsilon=1.0, z=noise_multiplier(1.0, 1e-6))
    assert [breach.split(":")[0] for breach in claimed.breaches] == ["c of an added row", "d of an added row"]


@pytest.mark.parametrize("epsilon", [None, 4.0])
def test_clusters_are_attacked_too(scene, epsilon):
    finding = guessed(scene, epsilon, QuantizedReference(kind="quantized", clusters=4), runs=40)
    assert len(finding.guesses) == 2
    assert all(guess.share == 1.0 for guess in finding.guesses) == (epsilon is None)
    assert not finding.breaches


def test_of_a_table_without_categories_nothing_is_guessed(scene):
    silos = [
        replace(silo, train=replace(silo.train, sort=_numbers(silo.train))) for silo in scene.world.silos
    ]
    plain = replace(scene, world=replace(scene.world, silos=tuple(silos)))
    assert not guessed(plain, None).guesses


def _numbers(samples):
    return type(samples).of(np.asarray(samples)).sort


@cache
def best_share(levels, mu, runs=40_000):
    """Guess as well as can be among shifts of length mu that point apart, by simulation."""
    shifts = mu * (np.eye(levels) - 1.0 / levels) / np.sqrt(1.0 - 1.0 / levels)
    which = np.arange(runs) % levels
    seen = shifts[which] + stream(0, "best").standard_normal((runs, levels))
    return float(((seen @ shifts.T).argmax(axis=1) == which).mean())


@pytest.mark.parametrize("mu", [0.3, 1.0, 2.0])
@pytest.mark.parametrize("levels", [2, 3, 10])
def test_the_best_guess_stays_below_the_ceiling_and_meets_it_for_two_levels(levels, mu):
    ceiling, error = guess_ceiling(1.0 / mu, levels), 4 * 0.5 / 200
    assert best_share(levels, mu) < ceiling + error
    if levels == 2:
        assert ceiling == pytest.approx(norm.cdf(mu))
        assert best_share(levels, mu) == pytest.approx(ceiling, abs=error)
