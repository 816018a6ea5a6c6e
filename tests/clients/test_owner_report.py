# SPDX-License-Identifier: Apache-2.0
"""The owner's report: what it holds, what a killed process leaves in it, and who may read it."""

import stat

from tailweave.clients.owner_report import OwnerReport, read, reports


def report(folder, arm="siloed"):
    return OwnerReport(folder / "run/report/seed-1" / f"{arm}.jsonl", {"arm": arm, "told": True, "seen": []})


def test_lines_come_back_by_generation_and_truth(tmp_path):
    one = report(tmp_path)
    for generation in range(3):
        one.write(generation, {"public": {"coverage": generation / 2}, "own": {"coverage": 1.0}})
    found = list(reports(tmp_path, "run"))
    assert [(line["generation"], line["against"], line["coverage"]) for line in found] == [
        (0, "public", 0.0),
        (0, "own", 1.0),
        (1, "public", 0.5),
        (1, "own", 1.0),
        (2, "public", 1.0),
        (2, "own", 1.0),
    ]
    assert all(line["arm"] == "siloed" for line in found)
    assert [line["told"] for line in found] == [True, False] * 3  # the server has no held-out row of its own
    assert found[1]["seen"] == ["its own held-out rows"]
    assert list(reports(tmp_path, "other")) == []


def test_a_generation_written_again_replaces_what_a_killed_process_left(tmp_path):
    one = report(tmp_path)
    for generation in (0, 1, 2, 1):
        one.write(generation, {"public": {"coverage": 0.1 * generation}})
    assert [line["generation"] for line in read(one.path)] == [0, 1]


def test_a_reason_is_kept_once(tmp_path):
    one = report(tmp_path)
    one.write(0, {"public": {"coverage": 1.0}})
    one.failed("first")
    one.failed("second")
    assert [line.get("failed") for line in read(one.path)] == [None, "second"]


def test_only_the_nodes_own_user_reads_it(tmp_path):
    one = report(tmp_path)
    one.write(0, {"public": {}})
    assert stat.S_IMODE(one.path.stat().st_mode) == 0o600
