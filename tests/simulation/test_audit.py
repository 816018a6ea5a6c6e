# SPDX-License-Identifier: Apache-2.0
"""``tailweave audit CONFIG``: attacks on what a config would send, and the page about it."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from protocols.config.experiment import Experiment
from protocols.config.load import dump_experiment, load_experiment
from protocols.privacy import gate
from protocols.privacy.calibration import noise_multiplier
from protocols.privacy.mechanisms import cosine, lloyd
from protocols.privacy.mechanisms.grid import radius
from simulation.audit.audit import audit, run_canary
from simulation.audit.channel import Channel
from simulation.audit.command import run_audit
from simulation.audit.report import as_json, headline, write_audit
from simulation.audit.scene import Scene, released

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


def test_an_audit_is_reproducible(unnoised):
    assert as_json(audit(EXPERIMENT, "small.yaml", runs=RUNS)) == as_json(unnoised)


def test_the_claimed_epsilon_is_audited_beside_none():
    one = at(1.0)
    one = one.model_copy(update={"arms": one.arms[1:2]})
    result = audit(one, "small.yaml", runs=RUNS)
    assert [(f.role, f.epsilon) for f in result.findings[:2]] == [
        ("as configured", 1.0),
        ("for comparison", None),
    ]
    assert result.findings[0].canary.runs == RUNS
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


def unclipped(rows, space):
    return (rows - space.center) / (space.scale * radius(space.dimension))


@pytest.mark.parametrize(
    ("spec", "module", "name", "wrong"),
    [
        (0, gate, "noise_multiplier", lambda epsilon, delta: noise_multiplier(epsilon, delta) / 2),
        (0, cosine, "capped", lambda features, cap: features),
        (1, lloyd, "unit_ball", unclipped),
    ],
    ids=["noise halved", "no cap", "no clipping"],
)
def test_the_canary_sees_a_release_that_breaks_its_claim(spec, module, name, wrong, monkeypatch):
    scene = Scene.of(EXPERIMENT, 0)
    channel = Channel.of(list(released(EXPERIMENT))[spec], scene.space, EXPERIMENT.privacy, 2.0)
    assert run_canary(scene, channel, runs=800).mu_bound <= 1.0 / channel.z
    monkeypatch.setattr(module, name, wrong)  # a mutation of the code path, not a stand-in for it
    assert run_canary(scene, channel, runs=800).mu_bound > 1.0 / channel.z


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
    assert "sliced cosine, 32 x 8, without noise: direct reading recovered 0 of" in text
    assert "sliced cosine, 32 x 8, at ε = 2" in text
    assert "barycentric projections (Scheme II)" in text
    stored = json.loads((tmp_path / "audit.json").read_text())
    assert [f["verdict"] for f in stored["findings"]] == [f.verdict for f in unnoised.findings]
    assert stored["findings"][1]["epsilon_lower_bound"] <= 2.0
    assert stored["findings"][-1]["delta"] is None


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


def test_the_command_audits_a_config_with_overrides(tmp_path):
    config = tmp_path / "quiet.yaml"
    config.write_text(dump_experiment(EXPERIMENT.model_copy(update={"arms": EXPERIMENT.arms[:1]})))
    console = Console(record=True, width=200)
    assert run_audit(config, tmp_path / "deep" / "out", console, ("name=renamed", "seeds=[3]")) == 0
    assert "Nothing leaves the silos but metrics" in console.export_text()
    stored = json.loads((tmp_path / "deep" / "out" / "audit.json").read_text())
    assert (stored["name"], stored["broken"]) == ("renamed", False)
