# SPDX-License-Identifier: Apache-2.0
"""The trust table's tests fail when their control is removed: one line is changed, and the proof must see it.

Each control is taken out of a copy of the whole repository, where the proving test runs in its own process:
out of the file, for what the test starts, and out of the functions that this process has already.
A new control is a new entry of ``CONTROLS``: its file, the line, what stands there without it, the test.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("protocols", "clients", "server", "simulation", "tailweave", "tests")
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


FORKING = """
import functools, gc, json, os, sys
from types import CodeType, FunctionType
import hypothesis, pytest

def functions(source, path):
    found, waiting = {}, [compile(source, path, "exec")]
    while waiting:
        code = waiting.pop()
        found[code.co_qualname, code.co_firstlineno] = code
        waiting += [one for one in code.co_consts if isinstance(one, CodeType)]
    return found

real = functools.cache(os.path.realpath)  # of a hundred thousand functions, a few thousand files

def put_in_place(path, before):  # what is loaded already is changed as the file was
    with open(path, encoding="utf-8") as file:
        old, new = functions(before, path), functions(file.read(), path)
    changed = {key: new[key] for key in new if new[key] != old[key]}
    for one in gc.get_objects():
        if isinstance(one, FunctionType) and real(one.__code__.co_filename) == path:
            key = one.__code__.co_qualname, one.__code__.co_firstlineno
            one.__code__ = changed.get(key, one.__code__)

seen = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
hypothesis.settings.register_profile("seen", database=None, phases=seen)
hypothesis.settings.load_profile("seen")  # that it fails is enough, the smallest case is not looked for
options = ["-q", "-x", "-p", "no:cacheprovider", "--no-header", "-rfE", "--tb=short"]
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
pytest.main([*options, "--collect-only", *sys.argv[1:]])  # imports what the proofs do
for line in sys.stdin:
    log, path, before, *tests = json.loads(line)
    child = os.fork()
    if not child:
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1), os.dup2(handle, 2)
        if path:
            put_in_place(path, before)
        code = pytest.main([*options, *tests])
        sys.stdout.flush()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)
"""


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
        "tests/security/test_ledger_one_a_data_set.py::test_no_way_to_a_fresh_budget[renamed]",
    ),
    Control(
        "protocols/records.py",
        "if len(array.data) - len(header) != expected:",
        "if False:",
        "tests/protocols/test_fuzz_decode.py::test_two_thousand_mutated_messages",
    ),
    Control(
        "clients/secure_sum_round.py",
        "ReleaseRequest(question.reference, question.privacy, features, question.seed, sum_round)",
        "ReleaseRequest(question.reference, question.privacy, features, question.seed)",
        "tests/clients/test_secure_sum_round.py::test_every_attempt_draws_anew_and_is_charged_anew",
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
        "tests/server/test_federation.py::test_a_wrong_summary_is_refused_by_silo_and_reason",
    ),
    Control(
        "clients/release/ledger.py",
        'return sum(e.kind == "charge" and e.data_version == data_version for e in self._entries)',
        "return 0",
        "tests/clients/test_release_desk.py::test_a_thousand_requests_spend_one_budget",
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
        "clients/release/enrolment.py",
        "if one.at(own.place) or one.like(rows)}",
        "if one.at(own.place)}",
        "tests/security/test_ledger_one_a_data_set.py::test_no_way_to_a_fresh_budget[moved]",
    ),
    Control(
        "clients/release/experiments.py",
        "OWN_HELD_OUT: not question.part(HELD_OUT),",
        "OWN_HELD_OUT: False,",
        "tests/security/test_metrics_door.py::test_silos_that_differ_in_rows_answer_the_same_bytes[no-selection]",
    ),
    Control(
        "clients/retrain_round.py",
        "_for_the_owner(run)\n",
        "_reached(run)\n",
        "tests/security/test_metrics_door.py::test_a_failure_that_hangs_on_own_rows_is_the_owners",
    ),
    Control(
        "clients/arm_run.py",
        "return not self.seen or self.node.policy.allow_own_metrics",
        "return True",
        "tests/security/test_metrics_door.py::test_silos_that_differ_in_rows_answer_the_same_bytes[siloed]",
    ),
    Control(
        "simulation/export.py",
        "if not policy.allow_export:",
        "if False:",
        "tests/security/test_export_of_a_node.py::test_without_the_owners_word_nothing_is_written",
    ),
    Control(
        "clients/final_models.py",
        "made = np.flatnonzero(selected.born > 0)",
        "made = np.arange(len(selected))",
        "tests/clients/test_final_models.py::test_real_samples_are_never_among_the_selected[random]",
    ),
    Control(
        "clients/arm_run.py",
        'return self.arm_folder / "own" if self.seen else self.arm_folder',
        "return self.arm_folder",
        "tests/security/test_metrics_door.py"
        "::test_models_that_saw_own_rows_are_not_gone_on_from_under_the_same_name",
    ),
    Control(
        "protocols/features.py",
        "if np.abs(part).max() > LARGEST:",
        "if False:",
        "tests/security/test_numbers_oracle.py::test_a_server_that_asks_for_overflows_learns_no_maximum",
    ),
    Control(
        "protocols/row_products.py",
        "out = np.zeros((len(rows), weights.shape[1]))",
        "return rows @ weights",
        "tests/security/test_numbers_alike.py::test_each_row_has_the_bits_that_it_has_alone",
    ),
    Control(
        "protocols/metrics.py",
        "if not allowed.low <= low <= high <= allowed.high:",
        "if False:",
        "tests/protocols/test_metrics.py::test_what_lies_outside_is_refused_by_name",
    ),
    Control(
        "simulation/deploy/code_door.py",
        "elif not _equal(archive, members[name], path):",
        "elif False:",
        "tests/security/test_code_door_bundle.py::test_others_are_told_what_differs",
    ),
    Control(
        "simulation/deploy/app_process.py",
        "if self.task_type != TaskType.CLIENT_APP:",
        "if False:",
        "tests/security/test_code_door_process.py::test_a_silo_takes_no_other_kind_of_task",
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
        shutil.copytree(
            ROOT / package, copy / package, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in BESIDE:
        if (ROOT / name).exists():
            (copy / name).symlink_to(ROOT / name)
    return copy


class Proofs:
    """A process that has imported all that the proofs do, and forks for each run: imports are paid once."""

    def __init__(self, tree):
        environment = os.environ | {
            "PYTHONPATH": str(tree),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.tree = tree
        command = [sys.executable, "-c", FORKING, *sorted({control.test for control in CONTROLS})]
        self.process = subprocess.Popen(command, cwd=tree, env=environment, **pipes)

    def run(self, *tests, changed="", before=""):
        """Return pytest's exit code, and what it has said; one file may have been changed since."""
        log = self.tree / "said"
        path = str((self.tree / changed).resolve()) if changed else ""
        self.process.stdin.write(json.dumps([str(log), path, before, *tests]) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline()), log.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def proofs(tree):
    begun = Proofs(tree)
    with begun.process:
        yield begun
        begun.process.stdin.close()


def named(test):
    return test.partition("[")[0]


def title(control):
    return f"{control.file}:{control.test.rpartition('::')[2]}"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_proofs_hold_on_the_copy(proofs):
    code, said = proofs.run(*sorted({control.test for control in CONTROLS}))
    assert code == 0, said[-3000:]


@pytest.mark.slow
@pytest.mark.parametrize("control", CONTROLS, ids=title)
def test_the_proof_fails_without_its_control(tree, proofs, control):
    path = tree / control.file
    before, times = path.read_text(encoding="utf-8"), path.stat()
    path.write_text(removed(before, control), encoding="utf-8")
    newer = times.st_mtime_ns + (1 + CONTROLS.index(control)) * 10**9  # or its compiled file would do for it
    os.utime(path, ns=(newer, newer))
    try:
        code, said = proofs.run(control.test, changed=control.file, before=before)
    finally:
        path.write_text(before, encoding="utf-8")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert code == 1, said[-3000:]
    assert f"FAILED {named(control.test)}" in said, said[-3000:]


@pytest.mark.parametrize("control", CONTROLS, ids=title)
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
