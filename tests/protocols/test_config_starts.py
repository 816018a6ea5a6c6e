# SPDX-License-Identifier: Apache-2.0
"""``generator.start``: what may be written, what it needs beside it, and what it cannot stand beside."""

import pytest
import yaml

from tailweave.protocols.config.load import ConfigError, dump_experiment, load_experiment

RAW = {
    "name": "starts",
    "seeds": 1,
    "data": {"source": "wine"},
    "silos": {"count": 3, "partition": {"kind": "iid"}},
    "generator": {"kind": "gaussian", "start": "federated"},
    "recursion": {"generations": 1, "samples": 20},
    "arms": [{"name": "alone", "rule": "random"}],
    "privacy": {"allow-parameter-release": True},
}
SKETCH = {"name": "sketch", "rule": "herding", "reference": {"kind": "sliced"}}


def load(tmp_path, **changes):
    path = tmp_path / "starts.yaml"
    path.write_text(yaml.safe_dump(RAW | changes), encoding="utf-8")
    return load_experiment(path)


@pytest.mark.parametrize(
    ("generator", "rounds"),
    [
        ({"kind": "gaussian"}, 0),
        ({"kind": "gaussian", "start": "federated"}, 1),
        ({"kind": "gaussian-mixture", "start": "federated"}, 10),
        ({"kind": "gaussian-mixture", "start": "federated", "federated-rounds": 3, "federated-steps": 2}, 3),
    ],
)
def test_rounds(tmp_path, generator, rounds):
    loaded = load(tmp_path, generator=generator)
    assert loaded.generator.rounds == rounds
    (tmp_path / "again.yaml").write_text(dump_experiment(loaded), encoding="utf-8")
    assert load_experiment(tmp_path / "again.yaml") == loaded


def test_a_file_is_found_from_the_folder_of_the_experiment(tmp_path):
    start = load(tmp_path, generator={"kind": "gaussian", "start": {"path": "base.npz"}}).generator.start
    assert start.path == str(tmp_path / "base.npz")
    absolute = {"kind": "gaussian", "start": {"path": "/srv/base.npz"}}
    assert load(tmp_path, generator=absolute).generator.start.path == "/srv/base.npz"


@pytest.mark.parametrize("start", ["fedrated", {"file": "x"}, {"path": ""}, 3, None, ["local"]])
def test_other_starts_are_refused_in_one_sentence(tmp_path, start):
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, generator={"kind": "gaussian", "start": start})
    said = str(refused.value)
    assert "generator.start: must be one of shared, local, federated, or {path: FILE}, got" in said
    assert "\n" not in said


@pytest.mark.parametrize("extra", [{"federated-rounds": 2}, {"federated-steps": 3}])
def test_rounds_without_federated_are_refused(tmp_path, extra):
    with pytest.raises(ConfigError, match="are for start: federated only"):
        load(tmp_path, generator={"kind": "gaussian", **extra})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"privacy": {}}, "mean and covariance of its rows.*say privacy.allow-parameter-release: true"),
        ({"privacy": RAW["privacy"] | {"epsilon": 2.0}}, "no epsilon holds.*got 2 in privacy"),
        ({"arms": [SKETCH | {"epsilon": 4.0}, *RAW["arms"]]}, "no epsilon holds.*got 4 in arm sketch"),
        (
            {"privacy": RAW["privacy"] | {"epsilon": 2.0, "secure-aggregation": True, "honest-silos": 3}},
            "cannot stand beside privacy.secure-aggregation: true",
        ),
    ],
)
def test_it_needs_consent_and_stands_beside_no_promise(tmp_path, changes, reason):
    with pytest.raises(ConfigError, match=reason):
        load(tmp_path, **changes)


def test_consent_alone_does_no_harm(tmp_path):
    privacy = {"allow-parameter-release": True, "epsilon": 2.0}
    assert load(tmp_path, generator={"kind": "gaussian"}, privacy=privacy).privacy.epsilon == 2.0
