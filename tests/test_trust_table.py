# SPDX-License-Identifier: Apache-2.0
"""Every promise of the trust table names its code and its tests, and they exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "protocols" / "README.md").read_text(encoding="utf-8")
SECTION = TEXT.split("## Who may see what")[1].split("\n## ")[0]
ACTORS = [
    line.split("|")[1:-1] for line in SECTION.split("| who |")[1].splitlines()[2:] if line.startswith("|")
]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", SECTION)))
WANTED = (
    "honest but curious",
    "malicious",
    "curious silo",
    "lying silo",
    "network",
    "compromised",
    "operator",
)


def names_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def missing(named: str) -> bool:
    path, _, test = named.partition("::")
    return not (ROOT / path).exists() or not test.startswith("test_") or test not in names_in(ROOT / path)


@pytest.mark.parametrize("named", NAMED)
def test_every_test_that_the_table_names_exists(named):
    assert not missing(named)


def test_every_actor_has_a_control_its_code_and_a_test():
    assert all(any(word in row[0] for row in ACTORS) for word in WANTED)
    for who, _, _, control, built, proved in ACTORS:
        assert control.strip(), who
        assert re.search(r"`tests/[\w/]+\.py::test_\w+`", proved), who
        paths = re.findall(r"`([\w/]+(?:\.py|/))`", built)
        assert paths, who
        assert [path for path in paths if not (ROOT / path).exists()] == []


def test_what_is_not_covered_is_said():
    rest = SECTION.split("**Not covered.**")[1].lower()
    for word in ("poisoning", "without noise", "remembers", "side channels", "league", "backup"):
        assert word in rest


def test_a_test_that_does_not_exist_is_seen():
    assert missing("tests/test_trust_table.py::test_of_nothing")
    assert missing("tests/nowhere.py::test_of_nothing")
    assert missing("tests/test_trust_table.py::missing")
