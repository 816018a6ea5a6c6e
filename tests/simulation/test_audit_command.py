# SPDX-License-Identifier: Apache-2.0
"""``tailweave run`` and then ``tailweave audit``: what the exit code and the terminal say."""

import json
import math
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from tailweave.protocols.config.load import load_experiment
from tailweave.simulation import cli
from tailweave.simulation.audit import command
from tailweave.simulation.audit.doors import knock
from tailweave.simulation.audit.promises import SECURE_SUM
from tailweave.simulation.audit.wire_log import read_wire
from tailweave.simulation.audit.wire_noise import wire_noise
from tailweave.simulation.run_folder import RunFolder

pytestmark = pytest.mark.slow

SKETCH = {"kind": "sliced", "directions": 32}
CONFIG = {
    "name": "small",
    "seeds": 1,
    "data": {"source": "gaussian-modes", "rows": 700, "dimensions": 4, "modes": 3, "rare-modes": 0},
    "silos": {"count": 3, "partition": {"kind": "iid"}},
    "generator": {"kind": "gaussian"},
    "recursion": {"generations": 1, "samples": 60},
    "arms": [
        {"name": "sketch", "rule": "herding", "reference": SKETCH},
        {"name": "wider", "rule": "herding", "reference": {**SKETCH, "range": 5.0}},
        {"name": "clusters", "rule": "herding", "reference": {"kind": "quantized", "clusters": 4}},
    ],
    "evaluation": {"samples": 60},
    "privacy": {"epsilon": None, "min-rows": 100},
}
PRIVATE = {"epsilon": 2.0, "min-rows": 100}
LEAKING = {"epsilon": None, "allow-raw-row-leakage": True}
FEW = ("--canary-runs", "150", "--questions", "100")
OPEN = "no guarantee claimed"


class Terminal:
    """The command line in this process, as wide as a terminal is."""

    def __init__(self, patch, capture):
        self.patch, self.capture = patch, capture
        self.wide(80)

    def wide(self, columns):
        self.patch.setattr(cli, "_out", cli.Console(highlight=False, width=columns))

    def __call__(self, *arguments):
        self.patch.setattr(sys, "argv", ["tailweave", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        self.out, self.error = self.capture.readouterr()
        return int(left.value.code or 0)


@pytest.fixture
def tailweave(monkeypatch, capsys):
    return Terminal(monkeypatch, capsys)


def make_run(folder: Path, **changes) -> Path:
    (folder / "config.yaml").write_text(yaml.safe_dump({**CONFIG, **changes}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["tailweave", "run", f"{folder}/config.yaml", "--out", f"{folder}/run"])
        with pytest.raises(SystemExit) as left:
            cli.main()
    assert not left.value.code
    return folder / "run"


@pytest.fixture(scope="module")
def open_run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("open"))


@pytest.fixture(scope="module")
def private_run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("private"), privacy=PRIVATE)


def copied(run: Path, folder: Path) -> Path:
    return Path(shutil.copytree(run, folder / "copy"))


def wire(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "wire.jsonl").read_text().splitlines()]


def rewrite(run: Path, rows: list[dict]) -> None:
    (run / "wire.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def stored(folder: Path) -> dict:
    return json.loads((folder / "audit.json").read_text())


def own(folder: Path) -> dict[str, dict]:
    return {f["arms"][0]: f for f in stored(folder)["findings"] if f["role"] == "as recorded"}


def test_the_wire_log_names_the_reference_of_every_summary(private_run):
    summaries = [row for row in wire(private_run) if row["arrays"]]
    assert len(summaries) == 3 * 3
    assert {row["reference"]["kind"] for row in summaries} == {"sliced", "quantized"}
    assert {row["reference"].get("range") for row in summaries} == {4.0, 5.0, None}
    assert all(row["reference"] is None for row in wire(private_run) if not row["arrays"])


def test_a_private_run_holds(tailweave, private_run, tmp_path):
    assert tailweave("audit", private_run, "--out", tmp_path, *FEW) == 0
    assert "All promises held" in tailweave.out
    assert "one release" not in tailweave.out  # no breach
    assert {arm: f["verdict"] for arm, f in own(tmp_path).items()} == dict.fromkeys(
        ("sketch", "wider", "clusters"), "holds"
    )
    assert all(f["claimed_epsilon"] == 2.0 for f in own(tmp_path).values())
    noise = {"text": "the noise on the wire is as large as claimed", "kept": True}
    assert noise in own(tmp_path)["wider"]["promises"]
    assert any("3 private releases of the same rows" in note for note in stored(tmp_path)["notes"])


def test_a_run_without_epsilon_claims_nothing(tailweave, open_run, tmp_path):
    assert tailweave("audit", open_run, "--out", tmp_path, *FEW) == 0
    assert "No privacy guarantee is claimed" in tailweave.out
    assert {f["verdict"] for f in own(tmp_path).values()} == {"no guarantee claimed"}
    assert own(tmp_path)["sketch"]["membership"]["auc"] > 0.6


def test_doors_are_attacked_whatever_is_audited(tailweave, private_run, tmp_path):
    assert tailweave("audit", private_run, "--out", tmp_path, *FEW) == 0
    found = {(f["role"], f["protocol"]): f for f in stored(tmp_path)["findings"] if "door" in f["role"]}
    assert {key: f["verdict"] for key, f in found.items()} == {
        ("at the doors", "metrics"): "holds",
        ("at the doors", "foreign app"): "holds",
        ("doors open", "metrics"): "attack succeeds",
        ("doors open", "foreign app"): "attack succeeds",
    }
    shut = found["at the doors", "metrics"]
    assert (shut["claimed_epsilon"], shut["noise_multiplier"]) == (0.0, None)
    assert (shut["membership"]["auc"], shut["membership"]["auc_ceiling"]) == (0.5, 0.5)
    assert all(attack["close"] == 0 for f in found.values() for attack in f["attacks"] if f["promises"])
    said = " ".join(tailweave.out.split())
    assert "metrics: holds distances to training rows 0 of 207 rows" in said
    assert "foreign app: attack succeeds rows that the app took 200 of 200 rows" in said
    page = (tmp_path / "audit.html").read_text()
    kept = re.search(
        r"Kept: none of (\d+) free questions is answered otherwise when one row is replaced", page
    )
    assert int(kept[1]) >= 100
    assert "Kept: no code runs on a silo but what its owner has installed." in page


def test_an_open_door_breaks_a_promise(tailweave, private_run, tmp_path, monkeypatch):
    shut, *others = knock(100)
    opened = replace(others[1], role="at the doors", epsilon=0.0, z=math.inf)
    monkeypatch.setattr(command, "knock", lambda questions: (opened, *others))
    assert tailweave("audit", private_run, "--out", tmp_path, *FEW) == 1
    said = " ".join(tailweave.out.split())
    assert "broken: metrics: kinks over held-out rows: 23 of 23 rows recovered" in said
    assert "broken: metrics: membership: AUC 1.000 is above the ceiling 0.500" in said
    assert stored(tmp_path)["broken"] is True
    blind = replace(shut, role="doors open")
    monkeypatch.setattr(command, "knock", lambda questions: (shut, blind))
    assert tailweave("audit", private_run, "--out", tmp_path, *FEW) == 0
    assert "metrics: attack fails: it is blind" in tailweave.out


def test_terminals_of_80_columns_show_it_all(tailweave, private_run, tmp_path):
    tailweave("audit", private_run, "--out", tmp_path, *FEW)
    lines = tailweave.out.splitlines()
    assert max(len(line) for line in lines if not line.startswith("report: ")) <= 80
    text = "\n".join(lines)
    for words in ("sliced cosine, 32 x 8, epsilon 2: holds", "quantized, 4 clusters, epsilon 2: holds"):
        assert words in text
    assert re.search(r"Scheme II, .*\n  inverse map +(\d+) of \1 rows +\1 exactly", text)
    assert re.search(r"Scheme I and FedWaD, .*\n  two rounds, unknown t +(\d+) of \1 rows +\1 exactly", text)


def test_terminals_of_60_columns_cut_no_figure_off(tailweave, private_run, tmp_path):
    tailweave.wide(60)
    tailweave("audit", private_run, "--out", tmp_path, *FEW)
    lines = tailweave.out.splitlines()
    assert max(len(line) for line in lines if not line.startswith("report: ")) <= 60
    assert "…" not in tailweave.out
    (line, *_) = [line for line in lines if "membership" in line]
    assert re.search(r"AUC 0\.\d{3} ± 0\.\d{3} +ceiling 0\.673$", line.rstrip())
    (canary, *_) = re.findall(r"epsilon >= (.*)\n(.*)\n", tailweave.out)
    assert re.search(r"mu 0\.\d{3} ± .*0\.\d{3} .*\(max 0\.448\)", " ".join(" ".join(canary).split()))


def test_summaries_are_matched_by_what_they_say_they_are_for(tailweave, open_run, tmp_path):
    """Two sketches have one shape, and the log is turned round: only what it says tells them apart."""
    run = copied(open_run, tmp_path)
    rewrite(run, wire(run)[::-1])
    experiment = load_experiment(run / "config.yaml")
    found = [m for m in read_wire(RunFolder(run), experiment) if m.released[0].kind == "sliced"]
    assert len(found) == 3 * 2
    for m in found:
        assert np.abs(wire_noise(m.summary, m.rows, m.released[0], m.scene.space)).max() < 1e-9
    rewrite(run, [row for row in wire(run) if (row["reference"] or {}).get("range") != 4.0])
    assert tailweave("audit", run, *FEW) == 0  # one reference less: the others are still found
    assert "1 of 3 releases were not attacked" in tailweave.out
    verdicts = {arm: f["verdict"] for arm, f in own(run).items()}
    assert verdicts == {"sketch": "not attacked", **dict.fromkeys(("wider", "clusters"), OPEN)}
    assert own(run)["sketch"]["note"] == "no message is in the run folder"


def test_a_reply_for_a_reference_that_nobody_asked_for_is_an_error(tailweave, private_run, tmp_path):
    run = copied(private_run, tmp_path)
    rows = wire(run)
    rows[-1] = next(row for row in rows if row["arrays"]) | {"reference": {**SKETCH, "directions": 33}}
    rewrite(run, rows)
    assert tailweave("audit", run, *FEW) == 2
    assert "the config asks for no such reference" in tailweave.error


def test_sums_without_noise_break_what_a_private_run_claims(tailweave, private_run, open_run, tmp_path):
    run = copied(private_run, tmp_path)
    exact = {(row["silo"], json.dumps(row["reference"])): row for row in wire(open_run) if row["arrays"]}
    for row in (row for row in wire(run) if row["kind"] == "sliced"):
        source = exact[row["silo"], json.dumps(row["reference"])]["arrays"]
        shutil.copy(open_run / source, run / row["arrays"])
    assert tailweave("audit", run, *FEW) == 1
    assert "A promise is broken" in tailweave.out
    said = " ".join(tailweave.out.split())
    assert "not kept: the noise on the wire is as large as claimed" in said
    verdicts = {arm: f["verdict"] for arm, f in own(run).items()}
    assert verdicts == {"sketch": "broken", "wider": "broken", "clusters": "holds"}
    assert stored(run)["broken"] is True


def test_a_small_cluster_on_the_wire_breaks_a_promise(tailweave, private_run, tmp_path):
    run = copied(private_run, tmp_path)
    row = next(row for row in wire(run) if row["kind"] == "quantized")
    with np.load(run / row["arrays"]) as archive:
        arrays = dict(archive)
    arrays["counts"][0] = 3.0
    np.savez(run / row["arrays"], **arrays)
    assert tailweave("audit", run, *FEW) == 1
    assert "no cluster of fewer than 10 rows" in " ".join(tailweave.out.split())


def test_a_charge_that_is_not_in_the_log_breaks_it(tailweave, private_run, tmp_path):
    run = copied(private_run, tmp_path)
    rows = wire(run)
    for row in rows:
        if row["kind"] == "quantized":
            row["privacy"]["epsilon"] = 8.0
    rewrite(run, rows)
    assert tailweave("audit", run, *FEW) == 1
    assert "every summary is logged with the epsilon claimed" in " ".join(tailweave.out.split())


@pytest.mark.slow
def test_arms_of_several_epsilons_are_told_apart(tailweave, tmp_path):
    arms = [
        {"name": "exact", "rule": "herding", "reference": SKETCH, "epsilon": None},
        {"name": "loose", "rule": "herding", "reference": SKETCH, "epsilon": 8.0},
        {"name": "strict", "rule": "herding", "reference": SKETCH},
    ]
    run = make_run(tmp_path, arms=arms, privacy=PRIVATE)
    assert tailweave("audit", run, *FEW) == 0, tailweave.out
    found = own(run)
    assert {arm: f["claimed_epsilon"] for arm, f in found.items()} == {
        "exact": None,
        "loose": 8.0,
        "strict": 2.0,
    }
    assert [f["verdict"] for f in found.values()] == ["no guarantee claimed", "holds", "holds"]
    rows = wire(run)
    by = {(row["silo"], row["privacy"]["epsilon"]): row["arrays"] for row in rows if row["arrays"]}
    shutil.copy(run / by["silo-1", 8.0], run / by["silo-1", 2.0])  # noise for 8 is far too little for 2
    assert tailweave("audit", run, *FEW) == 1
    assert {arm: f["verdict"] for arm, f in own(run).items()}["strict"] == "broken"


@pytest.mark.slow
def test_a_secure_sum_shows_only_the_sum(tailweave, tmp_path):
    masks = {**PRIVATE, "secure-aggregation": True, "honest-silos": 3}
    run = make_run(tmp_path, arms=CONFIG["arms"][:1], privacy=masks)
    assert tailweave("audit", run, *FEW) == 0, tailweave.out
    assert SECURE_SUM in tailweave.out
    (found,) = own(run).values()
    assert found["protocol"].endswith("masked")
    assert all(promise["kept"] for promise in found["promises"])
    assert {attack["close"] for attack in found["attacks"]} == {0}
    row = next(row for row in wire(run) if row["round"] == "masked")
    with np.load(run / row["arrays"]) as archive:
        words = archive["words"]
    np.savez(run / row["arrays"], words=np.arange(len(words), dtype=float)[:, None])  # a bare sketch is small
    assert tailweave("audit", run, *FEW) == 1
    assert "masked vectors look uniform" in " ".join(tailweave.out.split())
    for row in wire(run):
        (run / str(row["arrays"])).unlink(missing_ok=True)
    rewrite(run, [{**row, "arrays": None} for row in wire(run)])  # as written before words were kept
    assert tailweave("audit", run, *FEW) == 0
    (found,) = own(run).values()
    assert (found["attacks"], found["note"]) == (
        [],
        "masked words are not all in the run folder: sums were not attacked",
    )


def test_published_protocols_forced_on_give_their_rows_away(tailweave, tmp_path):
    arms = [
        {"name": "scheme-2", "rule": "herding", "reference": {"kind": "barycenter", "support": 20}},
        {"name": "scheme-1", "rule": "herding", "reference": {"kind": "geodesic", "support": 252}},
    ]
    config = tmp_path / "raw.yaml"
    config.write_text(yaml.safe_dump({**CONFIG, "arms": arms, "privacy": LEAKING}))
    assert tailweave("audit", config, "--out", tmp_path / "out", *FEW) == 1
    assert "A promise is broken" in tailweave.out
    assert "126 of 126 rows recovered, 126 of them exactly; no release may hold a row" in " ".join(
        tailweave.out.split()
    )
    found = {f["arms"][0]: f for f in stored(tmp_path / "out")["findings"] if f["arms"]}  # none to compare
    assert list(found) == ["scheme-2", "scheme-1"]
    assert {f["verdict"] for f in found.values()} == {"broken"}
    exact = {arm: [(a["name"], a["exact"], a["rows"]) for a in f["attacks"]] for arm, f in found.items()}
    everything = ("inverse map of n atoms", 126, 126)
    # 378 rows in all, 126 a silo: means of six rows by 20 atoms, every row by 252
    assert exact == {
        "scheme-2": [("inverse map", 0, 378), everything],
        "scheme-1": [("inverse map", 378, 378), everything],
    }
    assert "Yes, by inverse map of n atoms and inverse map" in (tmp_path / "out" / "audit.html").read_text()


@pytest.fixture(scope="module")
def leaking_run(tmp_path_factory):
    size = {"support": 126}  # as many atoms as silos hold rows
    scheme_1 = {"kind": "geodesic", "rounds": 1, "interpolation": 0.3, **size}
    arms = [
        {"name": "scheme-2", "rule": "herding", "reference": {"kind": "barycenter", "iterations": 2, **size}},
        {"name": "scheme-1", "rule": "herding", "reference": scheme_1},
    ]
    return make_run(tmp_path_factory.mktemp("leaking"), arms=arms, privacy=LEAKING)


def test_what_published_protocols_sent_is_read_off_the_wire(tailweave, leaking_run, tmp_path):
    assert tailweave("audit", leaking_run, "--out", tmp_path, *FEW) == 1
    found = own(tmp_path)
    assert {f["verdict"] for f in found.values()} == {"broken"}
    exact = {arm: [(a["name"], a["exact"], a["rows"]) for a in f["attacks"]] for arm, f in found.items()}
    assert exact == {
        "scheme-2": [("direct reading", 378, 378)],
        "scheme-1": [("direct reading", 0, 378), ("inverse map", 378, 378)],
    }
    assert all(f["note"].startswith("answers are projections of rows") for f in found.values())


def test_points_that_were_not_recorded_are_missed_aloud(tailweave, leaking_run, tmp_path):
    run = copied(leaking_run, tmp_path)
    rows = wire(run)
    (lost,) = [i for i, row in enumerate(rows) if (row["kind"], row["silo"]) == ("geodesic", "silo-1")]
    rows[lost]["arrays"] = None
    rewrite(run, [{**row, "arrays": None} if row["kind"] == "barycenter" else row for row in rows])
    assert tailweave("audit", run, *FEW) == 1  # two thirds of Scheme I are there
    found = own(run)
    assert (found["scheme-2"]["verdict"], found["scheme-2"]["attacks"]) == ("not attacked", [])
    assert "6 of 6 messages are not in the run folder: not attacked" in found["scheme-2"]["note"]
    assert "1 of 3 messages are not in the run folder: not attacked" in found["scheme-1"]["note"]
    assert [a["rows"] for a in found["scheme-1"]["attacks"]] == [252, 252]
    rewrite(run, [{**row, "arrays": None} for row in rows])
    assert tailweave("audit", run, *FEW) == 0
    assert "not in the run folder" in " ".join(tailweave.out.split())
    assert "No privacy guarantee is claimed; 2 of 2 releases were not attacked" in " ".join(
        tailweave.out.split()
    )


def test_points_of_another_shape_are_an_error_of_the_user(tailweave, leaking_run, tmp_path):
    run = copied(leaking_run, tmp_path)
    row = next(row for row in wire(run) if row["kind"] == "geodesic")
    for moved in (np.zeros((125, 4)), np.full((126, 4), np.nan)):
        np.savez(run / row["arrays"], moved=moved)
        assert tailweave("audit", run, *FEW) == 2
        assert "a transport message holds finite 'moved' (126, 4), got" in tailweave.error


@pytest.mark.parametrize(
    ("target", "said"),
    [("nowhere.yaml", "nowhere.yaml"), ("empty", "config.yaml"), ("unfinished", "metrics.jsonl")],
)
def test_a_bad_path_is_an_error_of_the_user(tailweave, open_run, tmp_path, target, said):
    (tmp_path / "empty").mkdir()
    unfinished = copied(open_run, tmp_path).rename(tmp_path / "unfinished")
    (unfinished / "metrics.jsonl").unlink()
    assert tailweave("audit", tmp_path / target, *FEW) == 2
    assert said in tailweave.error
    assert tailweave.out == ""


def test_a_log_of_an_older_version_or_too_few_runs_are_errors_of_the_user(tailweave, private_run, tmp_path):
    run = copied(private_run, tmp_path)
    rewrite(run, [{k: v for k, v in row.items() if k != "reference"} for row in wire(run)])
    assert tailweave("audit", run, *FEW) == 2
    assert "does not say which reference was summarised" in tailweave.error
    assert tailweave("audit", private_run, "--canary-runs", "99") == 2
    assert "--canary-runs must be 100 or more, got 99" in tailweave.error
    assert tailweave("audit", private_run, "--questions", "99") == 2
    assert "--questions must be 100 or more, got 99" in tailweave.error
    assert tailweave("audit", private_run, "--out", run / "config.yaml") == 2
    assert "--out must be a folder" in tailweave.error


def test_a_study_has_nothing_to_audit(tailweave, tmp_path):
    study = tmp_path / "config.yaml"
    study.write_text("name: closed-forms\nstudy: gaussian\n")
    for target in (study, tmp_path):
        assert tailweave("audit", target) == 2
        assert "is a study: it has no silos, so nothing to audit" in tailweave.error
