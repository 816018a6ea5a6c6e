# SPDX-License-Identifier: Apache-2.0
"""YAML that unfolds: every door refuses aliases of aliases, deep nesting and long texts, and at once.

An owner's node reads files that somebody else may have written, and ``--set`` takes whatever a script pastes.
"""

import ast
import time
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tailweave.clients.release.identities import read_identities
from tailweave.clients.release.policy import load_policy
from tailweave.protocols.config.load import load_experiment
from tailweave.protocols.config.yaml_file import (
    DEEPEST,
    LONGEST_VALUE,
    MOST_BYTES,
    MOST_VALUES,
    ConfigError,
    parse_yaml,
)
from tailweave.simulation.catalogue import catalogue
from tailweave.simulation.deploy.federation import load_federation
from tailweave.simulation.deploy.node_settings import load_node
from tailweave.simulation.run_folder import REQUIRED, RunFolder, RunFolderError
from tailweave.simulation.studies.config import is_study, load_study

ROOT = Path(__file__).parents[2]
SECONDS = 5.0
"""A refusal takes well below one; two cores that six others share may take longer."""
FOLD = 9


def aliases(first: str, rest: str) -> str:
    """Nine anchors, each nine times the one before: 3.8e8 values in 300 bytes."""
    names = "bcdefghi"
    lines = [f"a: &a {first}"]
    for name, before in zip(names, "a" + names, strict=False):
        lines.append(f"{name}: &{name} {rest % ', '.join([f'*{before}'] * FOLD)}")
    return "\n".join(lines) + "\n"


BOMBS = {
    "aliases of lists": (aliases("[x, x, x, x, x, x, x, x, x]", "[%s]"), "each alias counted"),
    "aliases of mappings": (aliases("{k: x}", "{k: [%s]}"), "each alias counted|levels"),
    "merge keys": (aliases("{k: x}", "{<<: [%s]}"), "each alias counted"),
    "lists in lists": ("a: " + "[" * 5_000, "32 levels"),
    "mappings in mappings": ("{a: " * 3_000, "32 levels"),
    "dashes": ("- " * 5_000, "32 levels"),
    "an alias in itself": ("a: &a [*a]", "an alias of"),
    "a chain of aliases": (
        "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 900)),
        "levels .* unfolded",
    ),
    "many values": ("a: [" + "1," * MOST_VALUES + "1]", f"more than {MOST_VALUES} values"),
    "a number of sixties": ("a: 1" + ":1" * 100_000, "a value of 200001 characters"),
    "a long word": ("a: '" + "x" * 100_000 + "'", "a value of 100000 characters"),
    "a long file": ("#" * (MOST_BYTES + 1), "more than"),
}


def in_run_folder(path: Path) -> object:
    for name in REQUIRED:
        (path.parent / name).touch()
    return RunFolder(path.parent).config()


def in_catalogue(path: Path) -> object:
    (entry,) = dict(catalogue(path.parent))["configs"]
    raise ConfigError(entry[1])  # it is listed, and the list goes on


DOORS = {
    "experiment": ("mine.yaml", load_experiment),
    "policy": ("policy.yaml", load_policy),
    "identities": ("trusted.yaml", read_identities),
    "node": ("node.yaml", lambda path: load_node(path.parent)),
    "federation": ("federation.yaml", lambda path: load_federation(path.parent)),
    "study": ("study.yaml", load_study),
    "run folder": ("config.yaml", in_run_folder),
    "list": ("mine.yaml", in_catalogue),
}


EVERYWHERE = ("aliases of lists", "lists in lists", "a long file")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("door", "bomb"),
    [(door, bomb) for door in DOORS for bomb in BOMBS if door == "experiment" or bomb in EVERYWHERE],
)
def test_every_door_refuses_at_once(tmp_path, door, bomb):
    name, read = DOORS[door]
    text, said = BOMBS[bomb]
    (tmp_path / name).write_text(text, encoding="utf-8")
    begun = time.monotonic()
    with pytest.raises((ConfigError, RunFolderError)) as caught:
        read(tmp_path / name)
    assert time.monotonic() - begun < SECONDS
    if door == "list":
        assert str(caught.value) == "not an experiment"
        return
    assert caught.match(rf"{name}: .*({said})")
    assert len(str(caught.value)) < 1000


@pytest.mark.timeout(60)
@pytest.mark.parametrize("bomb", [name for name in BOMBS if name != "a long file"])
def test_so_does_the_command_line(tmp_path, tiny, bomb):
    text, said = BOMBS[bomb]
    value = "{" + ", ".join(text.splitlines()) + "}" if "&" in text else text.removeprefix("a: ")
    begun = time.monotonic()
    with pytest.raises(
        ConfigError, match=f"^--set data=.*not valid YAML.*({said})".replace("200001", "200...")
    ):
        load_experiment(tiny(), [f"data={value}"])
    assert time.monotonic() - begun < SECONDS


def test_whether_a_file_is_a_study_is_not_asked_of_gigabytes(tmp_path):
    (tmp_path / "big.yaml").write_bytes(b"#\n" * MOST_BYTES)
    with pytest.raises(ConfigError, match=f"big.yaml: has more than {MOST_BYTES} bytes"):
        is_study(tmp_path / "big.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("!!int ''", "index out of range"),
        ("!!bool x", "'x'"),
        ("!!timestamp x", "NoneType"),
        ("2024-99-99", "month must be"),
        ("1:1" + ":1" * 900 + ".5", "too large"),
        ("'\\ud800'", None),
    ],
)
def test_a_value_that_is_none_is_an_error_like_any_other(text, said):
    if said is None:
        assert parse_yaml(text, "f:") == "\\ud800"
        return
    with pytest.raises(ConfigError, match=f"^f: not valid YAML: .*{said}"):
        parse_yaml(text, "f:")


def test_what_just_fits_is_read():
    assert len(parse_yaml("[" + "1," * (MOST_VALUES - 2) + "1]", "f:")) == MOST_VALUES - 1
    assert parse_yaml("[" * (DEEPEST - 1) + "x" + "]" * (DEEPEST - 1), "f:")
    assert parse_yaml("x" * LONGEST_VALUE, "f:") == "x" * LONGEST_VALUE


def test_anchors_aliases_and_merge_keys_mean_what_they_mean():
    text = """
    rule: &rule {rule: herding, directions: &many 64}
    arms:
      - &own {name: siloed, <<: *rule}
      - {<<: [*own, {extra: 1}], name: other, directions: 8}
    copy: {deep: *rule}
    many: *many
    """
    assert parse_yaml(text, "f:") == yaml.safe_load(text)


def test_a_key_that_overrides_a_merged_one_does_not_stand_twice():
    text = "x: &x {b: 1}\nc: {d: &m {<<: *x, b: 2}}\ne: {<<: *m}\n"
    assert parse_yaml(text, "f:")["e"] == {"b": 2}
    with pytest.raises(ConfigError, match="key 'b' stands twice .*line 2"):
        parse_yaml("x: &x {b: 1}\nc: {<<: *x, b: 2, b: 3}\n", "f:")


PLAIN = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False) | st.text()
TREES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
)


@given(TREES)
def test_it_reads_what_yaml_wrote(tree):
    text = yaml.safe_dump(tree)
    assert parse_yaml(text, "f:") == tree == yaml.safe_load(text)


@given(st.text(alphabet="ab:-[]{},&*<!?|>'\"#\n\t 01.~%", max_size=60))
def test_whatever_stands_there_is_read_or_refused(text):
    with suppress(ConfigError):  # any other error fails the test
        parse_yaml(text, "f:")


def test_nothing_else_in_the_product_reads_yaml():
    reading = {"load", "safe_load", "load_all", "safe_load_all", "full_load", "compose", "parse", "scan"}
    found = [
        str(path.relative_to(ROOT))
        for package in ("protocols", "clients", "server", "simulation")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "yaml" and node.attr in reading
    ]
    assert found == []
