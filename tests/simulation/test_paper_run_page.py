# SPDX-License-Identifier: Apache-2.0
import json

import pytest
import yaml

import tailweave
from tailweave.simulation.open_run import OpenRun
from tailweave.simulation.paper.run_page import write_published
from tailweave.simulation.report.page import write_report
from tailweave.simulation.run_folder import RunFolder

PICKS = [
    ("random", None),
    ("center-matching", "local"),
    ("nash", "geodesic"),
    ("top-potential", "barycenter"),
    ("top-potential", "local"),
    ("nash", "local"),
    ("herding", "sliced"),
]
ENDS = [0.7, 0.2, 0.56, 0.48, 0.21, 0.22, 0.78]


def paper_run(run_folder, config, which):
    arms = [{"name": f"arm-{i}", "rule": r, "reference": k and {"kind": k}} for i, (r, k) in enumerate(PICKS)]
    config |= {"arms": arms, "paper": which}
    (run_folder.path / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    rows = [
        {"arm": f"arm-{i}", "seed": seed, "silo": "silo-0", "generation": g}
        | {"coverage": end if g else 0.9, "recall": end if g else 0.9, "frechet": (0.1 / end) if g else 0.05}
        for i, end in enumerate(ENDS)
        for seed in (0, 1)
        for g in (0, 6)
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (run_folder.path / "metrics.jsonl").write_text(text, encoding="utf-8")
    return run_folder


@pytest.mark.parametrize("which", ["biased-verification", "crossed"])
def test_the_page_is_complete_offline_and_repeats(which, run_folder, config):
    folder = paper_run(run_folder, config, which)
    page = write_published(OpenRun(folder))
    html = page.read_text(encoding="utf-8")
    assert html.count("<svg") == 1
    assert "<script" not in html
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "In short" in html
    assert "Where ours differs, and why" in html
    told = json.loads((folder.path / "published.json").read_text(encoding="utf-8"))
    assert {"agrees", "differs"} <= {one["verdict"] for one in told}
    for one in told:
        assert one["quantity"] in html
    before = page.read_bytes()
    assert write_published(OpenRun(folder)).read_bytes() == before


def test_the_table_of_the_paper_stands_beside_ours(run_folder, config):
    html = write_published(OpenRun(paper_run(run_folder, config, "biased-verification"))).read_text(
        encoding="utf-8"
    )
    assert "116 / 111 / 87" in html
    # random 106, center-matching 116, Scheme II 85, Scheme I 71 on CIFAR-10; ours .14, .5, .21, .18
    assert "4 of its 6 pairs of methods" in html


def test_the_crossed_page_has_rules_by_references(run_folder, config):
    html = write_published(OpenRun(paper_run(run_folder, config, "crossed"))).read_text(encoding="utf-8")
    assert "are due to the reference" not in html  # the rules share no two references here
    for head in ("own rows", "barycenter", "geodesic", "sliced"):
        assert f'<th scope="col">{head}</th>' in html
    assert "Random selection, which has none: coverage 0.700" in html


def test_the_report_links_to_it(run_folder, config):
    folder = paper_run(run_folder, config, "crossed")
    assert 'href="published.html"' in write_report(OpenRun(folder)).read_text(encoding="utf-8")


@pytest.mark.slow
def test_other_runs_have_no_such_page(run_folder):
    assert write_published(OpenRun(run_folder)) is None
    assert "published.html" not in write_report(OpenRun(run_folder)).read_text(encoding="utf-8")
    assert not (run_folder.path / "published.json").exists()


def test_a_run_writes_its_page(tiny, tmp_path):
    arms = [
        {"name": "any", "rule": "random"},
        {"name": "own", "rule": "center-matching", "reference": "local"},
    ]
    config = tiny(
        paper="biased-verification", seeds=1, arms=arms, recursion={"generations": 1, "samples": 60}
    )
    tailweave.run(config, out=tmp_path / "out")
    assert write_published(OpenRun(RunFolder(tmp_path / "out"))).is_file()
    told = json.loads((tmp_path / "out/published.json").read_text(encoding="utf-8"))
    assert [one["quantity"] for one in told][
        0
    ] == "coverage of center-matching on own rows below that of random"
    assert (tmp_path / "out/published.html").is_file()
