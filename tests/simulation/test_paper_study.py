# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

from tailweave.protocols.config.load import ConfigError
from tailweave.simulation.paper.rows import rows_of
from tailweave.simulation.paper.spec import (
    FamiliesSpec,
    GaussianSpec,
    TransportSpec,
    dump_study,
    is_study,
    load_study,
)
from tailweave.simulation.paper.study import run_study, write_study_report

CONFIGS = Path(__file__).parents[2] / "configs"
SMALL = {
    "gaussian": """study: gaussian
samples: [10, 20]
isotropic-samples: 10
alpha: 0.5
generations: 4
seeds: [42, 7, 1]
""",
    "families": """study: families
samples: [10]
alpha: 0.5
generations: 4
judge-every: 2
dimensions: 3
seeds: [1, 2]
""",
    "transport": """study: transport
samples: 10
rounds: 3
barycenter-samples: [8]
seeds: [0]
""",
}


def write(folder, text):
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def rows_in(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("study", SMALL)
def test_a_small_study_fills_its_folder(study, tmp_path):
    steps = []
    config = write(tmp_path, SMALL[study] + "workers: 1\n")
    page = run_study(load_study(config), tmp_path / "out", lambda done, total: steps.append((done, total)))
    html = page.read_text(encoding="utf-8")
    assert steps == [(i, len(steps)) for i in range(1, len(steps) + 1)]
    assert html.count("<svg") == len(list((tmp_path / "out/figures").glob("*.svg"))) > 0
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "<script" not in html
    assert ("reveal projections of real rows" in html) == (study == "transport")
    assert load_study(tmp_path / "out/config.yaml") == load_study(config)
    rows = rows_in(tmp_path / "out")
    assert all({"seed", "samples", "generation"} <= row.keys() for row in rows)
    before = page.read_bytes()
    assert write_study_report(tmp_path / "out").read_bytes() == before


@pytest.mark.slow
def test_gaussian_rows_are_complete_sorted_and_the_same_for_any_number_of_workers(tmp_path):
    one, two = (
        list(rows_of(load_study(write(tmp_path, f"{SMALL['gaussian']}workers: {n}\n")), lambda *_: None))
        for n in (1, 2)
    )
    assert one == two
    assert len(one) == (4 * 2 + 1) * 3 * 5
    assert [row["seed"] for row in one[::5][:3]] == [42, 7, 1]
    assert [row["generation"] for row in one[:5]] == [0, 1, 2, 3, 4]


def test_findings_name_verdict_and_source(tmp_path):
    text = SMALL["gaussian"].replace("[10, 20]", "[100]").replace("[42, 7, 1]", "[42]")
    page = run_study(load_study(write(tmp_path, text + "workers: 1\n")), tmp_path / "out")
    found = json.loads((tmp_path / "out/published.json").read_text(encoding="utf-8"))
    trace = next(one for one in found if one["quantity"] == "Tr(S₁) of replace, seed 42, n = 100")
    assert trace["verdict"] == "agrees"
    assert trace["ours"]["mean"] == pytest.approx(77.74012441488273, abs=1e-9)
    # alpha = .5 is not what was published
    select = next(one for one in found if "replace+select" in one["section"])
    assert select["verdict"] == "differs"
    assert "Where ours differs" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "spec"), [("gaussian", GaussianSpec), ("families", FamiliesSpec), ("transport", TransportSpec)]
)
def test_shipped_configs_are_the_published_sizes(name, spec, tmp_path):
    path = CONFIGS / "paper" / f"{name}.yaml"
    found = load_study(path)
    assert found == spec(study=name)
    assert load_study(write(tmp_path, dump_study(found))) == found
    assert is_study(path)


def test_an_experiment_is_no_study():
    assert not is_study(CONFIGS / "quickstart.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("study: gausian\n", "study must be one of gaussian, families, transport, got 'gausian'"),
        ("- 1\n", "study must be one of"),
        ("study: [\n", "not valid YAML"),
        ("study: gaussian\nalphas: 0.1\n", "alphas: unknown key; did you mean 'alpha'"),
        ("study: gaussian\nalpha: 0\n", "alpha: input should be greater than 0, got 0"),
        ("study: families\njudge-every: 7\n", "judge-every must divide generations = 200, got 7"),
        ("study: families\nfamilies: [cauchy]\n", "families.0: 'cauchy' is unknown"),
    ],
)
def test_bad_configs(text, message, tmp_path):
    with pytest.raises(ConfigError, match=message.replace("[", r"\[")):
        load_study(write(tmp_path, text))


def test_a_missing_config(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_study(tmp_path / "none.yaml")
