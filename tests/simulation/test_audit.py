# SPDX-License-Identifier: Apache-2.0
"""``tailweave audit CONFIG``: attacks on what a config would send, and the page about it."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.load import dump_experiment, load_experiment
from tailweave.protocols.privacy import gate
from tailweave.protocols.privacy.calibration import epsilon_of_rho, noise_multiplier
from tailweave.protocols.privacy.mechanisms import cosine, lloyd
from tailweave.protocols.privacy.mechanisms.grid import radius
from tailweave.simulation.audit.attacks.base import attacks_on
from tailweave.simulation.audit.audit import audit
from tailweave.simulation.audit.channel import Channel
from tailweave.simulation.audit.command import run_audit
from tailweave.simulation.audit.document import document
from tailweave.simulation.audit.findings import Promise
from tailweave.simulation.audit.one_row import run_canary
from tailweave.simulation.audit.promises import SECURE_SUM, promises
from tailweave.simulation.audit.raw_rows import ALL_ATOMS
from tailweave.simulation.audit.report import headline, write_audit
from tailweave.simulation.audit.request import accept_audit
from tailweave.simulation.audit.scene import Scene, released

RUNS = 120
REPOSITORY = Path(__file__).parents[2]
TREE = {
    "name": "small",
    "seeds": [0, 1],
    "data": {"source": "gaussian-modes", "rows": 500, "dimensions": 4, "modes": 3, "rare-modes": 0},
    "silos": {"count": 2, "partition": {"kind": "iid"}},
    "generator": {"kind": "gaussian"},
    "recursion": {"generations": 1, "samples": 20},
    "arms": [
        {"name": "siloed", "rule": "herding", "reference": "local"},
        {"name": "sketch", "rule": "herding", "reference": {"kind": "sliced", "directions": 32}},
        {"name": "again", "rule": "herding", "reference": {"kind": "sliced", "directions": 32}},
        {"name": "clusters", "rule": "herding", "reference": {"kind": "quantized", "clusters": 4}},
    ],
    "privacy": {"epsilon": None, "min-rows": 50, "min-cluster-size": 10},
}
EXPERIMENT = Experiment.model_validate(TREE)
SMALL = [{"name": "sketch", "rule": "herding", "reference": {"kind": "sliced", "directions": 8}}]


def at(epsilon):
    privacy = EXPERIMENT.privacy.model_copy(update={"epsilon": epsilon})
    return EXPERIMENT.model_copy(update={"privacy": privacy})


def recovered_by(finding):
    return {a.name: (a.recovery.exact, a.recovery.close, a.recovery.rows) for a in finding.attacks}


@pytest.fixture(scope="module")
def unnoised():
    return audit(EXPERIMENT, "small.yaml", runs=RUNS)


def test_differencing_succeeds_without_noise_and_fails_with_it(unnoised):
    own = [f for f in unnoised.findings if f.role == "as configured"]
    noisy = [f for f in unnoised.findings if f.role == "for comparison"]
    assert [f.protocol for f in own] == ["sliced cosine, 32 x 8", "quantized, 4 clusters"]
    assert [f.arms for f in own] == [("sketch", "again"), ("clusters",)]
    assert all(recovered_by(f)["differencing"] == (10, 10, 10) for f in own)
    assert all(f.verdict == "no guarantee claimed; attack succeeds" for f in own)
    assert [f.epsilon for f in noisy] == [2.0, 2.0]
    assert all(set(found[:2]) == {0} for f in noisy for found in recovered_by(f).values())
    assert [f.verdict for f in noisy] == ["holds", "holds"]
    assert all(f.membership.auc < f.auc_ceiling for f in noisy)
    assert not unnoised.broken
    assert headline(unnoised) == "No privacy guarantee is claimed"


def test_published_protocols_give_all_rows_away(unnoised):
    published = [f for f in unnoised.findings if f.role == "published"]
    assert len(published) == 2
    for finding in published:
        ((exact, close, rows),) = recovered_by(finding).values()
        assert exact == close == rows > 100
        assert finding.verdict == "not used"


def test_an_audit_is_reproducible():
    small = Experiment.model_validate({**TREE, "arms": SMALL})
    one, other = (document(audit(small, "small.yaml", runs=RUNS)) for _ in range(2))
    assert one == other


def test_the_claimed_epsilon_is_audited_beside_none():
    one = at(1.0)
    one = one.model_copy(update={"arms": one.arms[1:2]})
    result = audit(one, "small.yaml", runs=RUNS)
    assert [(f.role, f.epsilon) for f in result.findings[:2]] == [
        ("as configured", 1.0),
        ("for comparison", None),
    ]
    assert result.findings[0].canary.runs == RUNS
    assert len(result.findings) == 2 + 2  # and the two published ones
    assert headline(result) == "All promises held"


def test_nothing_released_is_nothing_to_attack():
    quiet = EXPERIMENT.model_copy(update={"arms": EXPERIMENT.arms[:1]})
    result = audit(quiet, "small.yaml", runs=RUNS)
    assert {f.role for f in result.findings} == {"published"}
    assert "nothing but metrics" in result.notes[0]
    assert headline(result) == "Nothing leaves the silos but metrics"
    strict = EXPERIMENT.privacy.model_copy(update={"min_rows": 500})
    noted = audit(quiet.model_copy(update={"privacy": strict}), "small.yaml", runs=RUNS)
    assert "min-rows is 500" in noted.notes[0]


def test_every_epsilon_of_an_arm_is_audited_and_none_twice():
    arm = SMALL[0]
    arms = [{**arm, "name": f"arm-{i}", "epsilon": e} for i, e in enumerate((1.0, 4.0, None))] + [
        {**arm, "name": "more"}
    ]
    several = Experiment.model_validate(
        {**TREE, "arms": arms, "privacy": {**TREE["privacy"], "epsilon": 4.0}}
    )
    result = audit(several, "several.yaml", runs=RUNS)
    own = [(f.role, f.epsilon, f.arms) for f in result.findings if f.role != "published"]
    assert own == [
        ("as configured", 1.0, ("arm-0",)),
        ("as configured", 4.0, ("arm-1", "more")),
        ("as configured", None, ("arm-2",)),
    ]
    assert [f.z for f in result.findings[:3]] == [
        noise_multiplier(1.0, 1e-6),
        noise_multiplier(4.0, 1e-6),
        None,
    ]
    rho = sum(0.5 / noise_multiplier(e, 1e-6) ** 2 for e in (1.0, 4.0))
    together = f"worth {epsilon_of_rho(rho, 1e-6):.2f} together"
    assert any(together in note for note in result.notes)
    assert any("epsilon protects nothing" in note for note in result.notes)
    assert headline(result) == "All promises held; 1 of 3 releases claim no privacy"


def test_a_secure_sum_is_attacked_as_the_server_sees_it():
    tree = {**TREE, "silos": {"count": 4, "partition": {"kind": "iid"}}, "arms": SMALL}
    masks = {"epsilon": 2.0, "min-rows": 50, "secure-aggregation": True, "honest-silos": 3}
    result = audit(Experiment.model_validate({**tree, "privacy": masks}), "masked.yaml", runs=RUNS)
    own, other = result.findings[:2]
    assert (own.protocol, own.note) == ("sliced cosine, 8 x 8, masked", SECURE_SUM)
    assert (other.protocol, other.epsilon, other.note) == ("sliced cosine, 8 x 8", None, "")
    assert own.verdict == "holds"
    assert all(p.kept for p in own.promises)
    assert recovered_by(own)["differencing"][:2] == (0, 0)
    assert recovered_by(other)["differencing"] == (10, 10, 10)
    assert any("3 of 4 silos to be honest" in note for note in result.notes)
    alone = (
        f"epsilon {epsilon_of_rho(1.5 / noise_multiplier(2.0, 1e-6) ** 2, 1e-6):.2f}"  # three times the rho
    )
    assert any(alone in note for note in result.notes)


def test_the_noise_of_a_secure_sum_is_that_of_all_its_shares():
    scene = Scene.of(EXPERIMENT, 0)
    spec = next(iter(released(EXPERIMENT)))[0]
    masks = {"epsilon": 2.0, "secure_aggregation": True, "honest_silos": 3}
    privacy = EXPERIMENT.privacy.model_copy(update=masks)
    channel = Channel.of(spec, scene.space, privacy, silos=5)
    rows = scene.rows(scene.world.silos[0])
    attacks = attacks_on(channel)
    exact = attacks.features(rows).sum(axis=0)
    noise = np.concatenate(
        [attacks.total(channel.send(rows, np.random.default_rng(i))) - exact for i in range(20)]
    )
    alone = Channel.of(spec, scene.space, privacy.model_copy(update={"secure_aggregation": False}), silos=5)
    # 5,120 draws: the ratio of variances has standard error sqrt(2 / 5120) = 2 %; six of them; 5 shares of 3
    assert noise.var() / channel.noise_sd**2 == pytest.approx(1.0, abs=0.12)
    assert channel.noise_sd / alone.noise_sd == pytest.approx(np.sqrt(5 / 3), rel=0.02)


@pytest.mark.parametrize("masks", [False, True], ids=["gate", "masks"])
def test_a_door_that_refuses_no_small_silo_is_found_out(masks, monkeypatch):
    scene = Scene.of(EXPERIMENT, 0)
    update = {"epsilon": 2.0, "secure_aggregation": masks, "honest_silos": 3 if masks else None}
    spec, privacy = next(iter(released(EXPERIMENT)))
    channel = Channel.of(spec, scene.space, privacy.model_copy(update=update), silos=3)
    refused = Promise("a silo below min-rows is refused", True)
    assert promises(scene, attacks_on(channel), []) == (refused,)
    monkeypatch.setattr(gate, "enough", lambda rows, privacy: None)
    assert promises(scene, attacks_on(channel), []) == (replace(refused, kept=False),)


def unclipped(rows, space):
    return (rows - space.center) / (space.scale * radius(space.dimension))


def half(epsilon, delta):
    return noise_multiplier(epsilon, delta) / 2


@pytest.mark.parametrize(
    ("spec", "epsilon", "module", "name", "wrong"),
    [
        (0, 2.0, gate, "noise_multiplier", half),
        (0, 2.0, cosine, "capped", lambda features, cap: features),
        pytest.param(1, 8.0, gate, "noise_multiplier", half, marks=pytest.mark.slow),
        pytest.param(1, 8.0, lloyd, "unit_ball", unclipped, marks=pytest.mark.slow),
    ],
    ids=["sketch, noise halved", "sketch, no cap", "clusters, noise halved", "clusters, no clipping"],
)
def test_the_canary_sees_a_release_that_breaks_its_claim(spec, epsilon, module, name, wrong, monkeypatch):
    scene = Scene.of(EXPERIMENT, 0)
    privacy = EXPERIMENT.privacy.model_copy(update={"epsilon": epsilon})
    channel = Channel.of(list(released(EXPERIMENT))[spec][0], scene.space, privacy, silos=2)
    rows = scene.rows(scene.world.silos[0])[:10]

    def canary():
        return run_canary(attacks_on(channel), rows, runs=800, rng=np.random.default_rng(3))

    honest = canary()
    assert honest.mu_bound <= honest.allowed
    assert honest.mu > 0.65 * honest.allowed  # and not blind
    monkeypatch.setattr(module, name, wrong)  # a mutation of the code path, not a stand-in for it
    broken = canary()
    assert broken.mu_bound > broken.allowed


class Text(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.links, self.text = set(), [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for key, value in attrs if key in ("href", "src")]

    def handle_data(self, data):
        self.text += data


def test_the_page_says_what_was_found(unnoised, tmp_path):
    page = write_audit(unnoised, tmp_path)
    found = Text(page.read_text())
    assert "script" not in found.tags
    assert found.links == []
    text = " ".join(found.text.split())
    assert "No privacy guarantee is claimed" in text
    assert "sliced cosine, 32 x 8, without noise: 10 of 10 rows by differencing" in text
    assert "sliced cosine, 32 x 8, at ε = 2: no row by direct reading, differencing and" in text
    rows = unnoised.findings[-1].attacks[0].recovery.rows
    assert f"Scheme II, barycentric projections: {rows} of {rows} rows by inverse map." in text
    assert "Kept: no cluster of fewer than 10 rows" in text
    assert "min-rows is refused" not in text  # what holds for the comparison alone is not promised here


# --- show 1


@pytest.mark.slow
def test_digits_silos_reveal_nothing_at_epsilon_2_and_everything_to_differencing_without():
    result = audit(load_experiment(REPOSITORY / "configs" / "digits-silos.yaml"), "digits-silos", runs=500)
    assert not result.broken
    noisy = [f for f in result.findings if f.epsilon == 2.0]
    assert len(noisy) == 2
    assert all(set(found[:2]) == {0} for f in noisy for found in recovered_by(f).values())
    assert all(f.membership.auc + 3 * f.membership.auc_se < f.auc_ceiling for f in noisy)
    open_ones = [f for f in result.findings if f.role == "as configured"]
    assert all(recovered_by(f)["differencing"] == (10, 10, 10) for f in open_ones)
    assert all(recovered_by(f)["direct reading"][:2] == (0, 0) for f in open_ones)
    published = [recovered_by(f) for f in result.findings if f.role == "published"]
    assert all(exact == rows for found in published for exact, _, rows in found.values())


@pytest.mark.slow
def test_the_papers_protocols_forced_on_give_all_digits_away():
    arms = (
        "arms=[{name: two, rule: herding, reference: {kind: barycenter}},"
        " {name: one, rule: herding, reference: {kind: geodesic}}]"
    )
    config = REPOSITORY / "configs" / "digits-silos.yaml"
    result = audit(load_experiment(config, [arms, "privacy.allow-raw-row-leakage=true"]), "forced")
    assert result.broken
    assert len(result.findings) == 2
    for finding in result.findings:
        assert finding.verdict == "broken"
        exact, _, rows = recovered_by(finding)[ALL_ATOMS]
        assert exact == rows > 150


@pytest.mark.slow
def test_the_command_audits_a_config_with_overrides(tmp_path):
    config = tmp_path / "quiet.yaml"
    config.write_text(dump_experiment(EXPERIMENT.model_copy(update={"arms": EXPERIMENT.arms[:1]})))
    console = Console(record=True, width=200)
    changes = ("name=renamed", "seeds=[3]")
    request = accept_audit(config, tmp_path / "deep" / "out", changes, questions=100)
    assert run_audit(request, console) == 0
    assert "Nothing leaves the silos but metrics" in console.export_text()
    stored = json.loads((tmp_path / "deep" / "out" / "audit.json").read_text())
    assert (stored["name"], stored["broken"]) == ("renamed", False)
