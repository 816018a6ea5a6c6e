# SPDX-License-Identifier: Apache-2.0
"""The trust table's tests fail when their control is removed: one line is changed, and the proof must see it.

Each control is taken out of a copy of the whole repository, where the proving test runs in its own process.
A new control is a new entry of ``CONTROLS``: its file, the line, what stands there without it, the test.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("protocols", "clients", "server", "simulation", "tests")
BESIDE = ("configs", "pyproject.toml", "README.md", "constraints.txt", "LICENSE")
SECTION = (
    (ROOT / "protocols/README.md")
    .read_text(encoding="utf-8")
    .split("## Who may see what")[1]
    .split("\n## ")[0]
)
BUILT_IN = sorted(
    {
        path
        for line in SECTION.split("| who |")[1].splitlines()[2:]
        if line.startswith("|")
        for path in re.findall(r"`([\w/]+(?:\.py|/))`", line.split("|")[-3])
    }
)
NAMED = set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", SECTION))
NO_LINE = {"protocols/refusals.py"}
"""A class without a line of its own: whoever raises it decides; ``clients/app.py`` lets nothing else pass."""


@dataclass(frozen=True)
class Control:
    """A line of ``file`` that holds ``text``; with ``without`` in its place, ``test`` must fail."""

    file: str
    text: str
    without: str
    test: str


CONTROLS = (
    Control(
        "protocols/privacy/gate.py",
        "return self._noise.discrete_gaussian(scale, shape)",
        "return 0 * self._noise.discrete_gaussian(scale, shape)",
        "tests/simulation/test_audit_game.py::test_with_noise_no_mechanism_exceeds_its_ceiling[cosine-1.0]",
    ),
    Control(
        "protocols/privacy/gate.py",
        "return self._noise.gaussian(scale, shape)",
        "return 0.01 * self._noise.gaussian(scale, shape)",
        "tests/simulation/test_audit_game.py::test_with_noise_no_mechanism_exceeds_its_ceiling",
    ),
    Control(
        "protocols/privacy/gate.py",
        "if rows < privacy.min_rows:",
        "if False:",
        "tests/simulation/test_audit.py::test_differencing_succeeds_without_noise_and_fails_with_it",
    ),
    Control(
        "clients/release/desk.py",
        "kept, sent = store.load(version, request.digest), ledger.payload(version, request.digest)",
        "kept, sent = None, None",
        "tests/clients/test_release_desk.py::test_a_thousand_requests_spend_one_budget",
    ),
    Control(
        "clients/release/policy.py",
        "if getattr(reference, name) > getattr(policy, name)",
        "if False",
        "tests/clients/test_release_policy.py::test_passes_exactly_what_lies_inside",
    ),
    Control(
        "clients/release/policy.py",
        "if bucket < request.privacy.min_rows:",
        "if rows < request.privacy.min_rows:",
        "tests/clients/test_release_policy.py::test_whatever_a_server_asks_it_learns_no_more_than_the_bucket",
    ),
    Control(
        "clients/release/budget.py",
        "if charges >= policy.releases_per_data_version:",
        "if False:",
        "tests/clients/test_silo_kills.py::test_a_restarted_silo_sends_the_same_bytes_or_refuses",
    ),
    Control(
        "protocols/records.py",
        "if len(array.data) - len(header) != expected:",
        "if False:",
        "tests/protocols/test_fuzz_decode.py::test_two_thousand_mutated_messages",
    ),
    Control(
        "clients/masking.py",
        "if (own.public, own.identity) != (offered.public, _identity(node, part.folder)[1]):",
        "if False:",
        "tests/clients/test_masking.py::test_a_key_swapped_between_silos_is_refused",
    ),
    Control(
        "clients/masking.py",
        "ReleaseRequest(question.reference, question.privacy, features, question.seed, sum_round)",
        "ReleaseRequest(question.reference, question.privacy, features, question.seed)",
        "tests/clients/test_masking.py::test_every_attempt_draws_anew_and_is_charged_anew",
    ),
    Control(
        "protocols/secure_sum/masks.py",
        "total = total + stream if own.silo < silo else total - stream",
        "total = total + 0 * stream",
        "tests/protocols/test_secure_sum_masks.py::test_any_four_vectors_look_uniform_and_so_does_every_sum_of_them",
    ),
    Control(
        "protocols/secure_sum/keys.py",
        "pinned.verify(",
        "max(",
        "tests/protocols/test_secure_sum_keys.py::test_a_replayed_offer_is_refused",
    ),
    Control(
        "server/weaving.py",
        "woven = weave(list(summaries.values()), spec, weights=masses)",
        "woven = weave(list(summaries.values())[:1], spec)",
        "tests/server/test_server_rounds.py::test_the_reference_is_that_of_all_rows_together",
    ),
    Control(
        "server/weaving.py",
        "woven = weave(list(summaries.values()), spec, weights=masses)",
        "woven = weave(list(summaries.values()), spec)",
        "tests/server/test_weaving.py::test_a_silo_that_lies_is_left_out_on_record_and_still_in_the_run",
    ),
    Control(
        "server/controls/inspection.py",
        "if distance > limit",
        "if False",
        "tests/server/test_controls_poisoning.py::test_each_lie_is_quarantined_and_the_reference_is_the_honest_silos",
    ),
    Control(
        "server/controls/weights.py",
        "level = float(cap * rest[first] / room[first])",
        'level = float("inf")',
        "tests/server/test_controls_weights.py::test_agrees_with_the_slow_loop_and_caps",
    ),
    Control(
        "server/federation.py",
        "if (answer.run, answer.seed) != (question.run, question.seed):",
        "if False:",
        "tests/server/test_federation.py::test_a_wrong_summary_is_refused_by_silo_and_reason",
    ),
    Control(
        "server/federation.py",
        "if not isinstance(answer, HelloReply) and answer.silo != member.silo:",
        "if False:",
        "tests/integration/test_rejected_messages.py"
        "::test_rejected_messages_change_no_reference_no_ledger_and_no_metric",
    ),
    Control(
        "clients/release/ledger.py",
        "for entry in entries:",
        "for entry in entries[:0]:",
        "tests/clients/test_release_ledger.py::test_no_changed_byte_goes_unseen",
    ),
    Control(
        "clients/release/chain.py",
        "if entry.line() != line or entry.sealed() != entry:",
        "if False:",
        "tests/clients/test_release_ledger.py::test_no_changed_byte_goes_unseen",
    ),
    Control(
        "clients/release/chain.py",
        "if head.index >= len(entries):",
        "if False:",
        "tests/clients/test_release_ledger.py::test_older_copies_of_ledger_or_head_are_refused",
    ),
    Control(
        "clients/app.py",
        'f"the silo failed at {question.kind} ({type(error).__name__}); why is in this node\'s own log"',
        "str(error)",
        "tests/integration/test_silo_errors.py::test_no_cell_is_in_what_the_server_wrote",
    ),
)


def removed(source: str, control: Control) -> str:
    """Return a file without the control; its text must stand there once."""
    if source.count(control.text) != 1:
        raise LookupError(
            f"{control.file} holds {control.text!r} {source.count(control.text)} times, not once"
        )
    return source.replace(control.text, control.without)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the repository, in which controls are removed and put back."""
    copy = tmp_path_factory.mktemp("removed")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in BESIDE:
        if (ROOT / name).exists():
            (copy / name).symlink_to(ROOT / name)
    return copy


def run(tree, *tests):
    """Run tests in a process of their own on the copy: its folder comes first on the path."""
    environment = os.environ | {"PYTHONPATH": str(tree)}
    options = ["-q", "-x", "-p", "no:cacheprovider", "--no-header", "-rfE", "--tb=line"]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)


def named(test):
    return test.partition("[")[0]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_proofs_hold_on_the_copy(tree):
    done = run(tree, *sorted({control.test for control in CONTROLS}))
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("control", CONTROLS, ids=lambda c: f"{c.file}:{c.test.rpartition('::')[2]}")
def test_the_proof_fails_without_its_control(tree, control):
    path = tree / control.file
    before, times = path.read_text(encoding="utf-8"), path.stat()
    path.write_text(removed(before, control), encoding="utf-8")
    newer = (
        times.st_mtime_ns + (1 + CONTROLS.index(control)) * 10**9
    )  # or the compiled file would be taken for it
    os.utime(path, ns=(newer, newer))
    try:
        done = run(tree, control.test)
    finally:
        path.write_text(before, encoding="utf-8")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert done.returncode == 1, done.stdout[-3000:] + done.stderr[-1000:]
    assert f"FAILED {named(control.test)}" in done.stdout, done.stdout[-3000:]


@pytest.mark.parametrize("control", CONTROLS, ids=lambda c: f"{c.file}:{c.test.rpartition('::')[2]}")
def test_every_line_is_there(control):
    source = (ROOT / control.file).read_text(encoding="utf-8")
    assert removed(source, control) != source


def test_every_control_of_the_table_is_removed_once_and_by_a_proof_that_it_names():
    files = {control.file for control in CONTROLS}
    assert [p for p in BUILT_IN if p not in NO_LINE and not any(f.startswith(p) for f in files)] == []
    assert {named(control.test) for control in CONTROLS} <= NAMED


def test_a_line_that_has_changed_is_missed_aloud():
    control = Control("a.py", "if rows < least:", "if False:", "tests/test_a.py::test_a")
    assert removed("if rows < least:\n    refuse()\n", control) == "if False:\n    refuse()\n"
    for source in ("if rows <= least:\n", "if rows < least:\n" * 2):
        with pytest.raises(LookupError, match="a.py holds 'if rows < least:' . times, not once"):
            removed(source, control)
