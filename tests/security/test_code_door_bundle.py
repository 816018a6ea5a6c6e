# SPDX-License-Identifier: Apache-2.0
"""Hostile app bundles against the comparison with what is installed: each is refused, and says why."""

import io
import tracemalloc
import zipfile

import pytest
from bundles import RUNS, installed_bundle, verdict, write_other_version
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.simulation.deploy.code_door import ForeignApp, check_app, installed_version
from tailweave.simulation.deploy.foreign_app import bundled, disguised_bundle, foreign_bundle


@pytest.fixture(scope="module")
def installed() -> dict[str, bytes]:
    """The honest app, file by file."""
    with zipfile.ZipFile(io.BytesIO(installed_bundle())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(files, *more, compression=zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        for name, content in (*files.items(), *more):
            archive.writestr(name, content)
    return made.getvalue()


def test_the_installed_app_is_known_and_so_are_other_servers_of_it(installed):
    assert verdict(installed_bundle()) == RUNS
    assert verdict(zipped(installed)) == RUNS
    assert verdict(zipped(installed | {"server/app.py": b"another server", "README.md": b"words"})) == RUNS


def test_others_are_told_what_differs(tmp_path):
    spoils = tmp_path / "spoils"
    assert verdict(foreign_bundle(spoils)).startswith("refused: the server runs the app stranger/harmless")
    assert verdict(disguised_bundle(spoils)).endswith("clients/app.py differs")
    told = verdict(bundled(lambda folder: write_other_version(folder, "9.9.9")))
    assert told == (
        f"refused: the server runs tailweave 9.9.9, this silo has {installed_version()}; "
        "upgrading is its owner's act"
    )


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("clients/node.py", b"import os\n", "clients/node.py differs"),
        ("protocols/records.py", b"", "protocols/records.py differs"),
        ("clients/new.py", b"", "clients/new.py is not part of it"),
        ("numpy.py", b"", "numpy.py is not part of it"),
        ("sitecustomize.py", b"", "sitecustomize.py is not part of it"),
        ("yaml/__init__.py", b"", "yaml/__init__.py is not part of it"),
        ("clients/app.cpython-311-x86_64-linux-gnu.so", b"", ".so is not part of it"),
        ("clients/__pycache__/app.cpython-311.pyc", b"", ".pyc is not part of it"),
        ("x.pth", b"import os\n", "x.pth is not part of it"),
        ("../clients/app.py", b"", "../clients/app.py is not part of it"),
        ("/etc/cron.d/x", b"", "/etc/cron.d/x is not part of it"),
        ("a\x1b[2J\n.py", b"", r"a\x1b[2J\n.py is not part of it"),
        ("x" * 5000 + ".py", b"", "x" * 80 + " is not part of it"),
    ],
)
def test_one_file_more_or_other_is_named_in_plain_characters(installed, name, content, told):
    refused = verdict(zipped(installed | {name: content}))
    assert told in refused
    assert refused.startswith("refused: ")
    assert refused.isprintable()
    assert len(refused) < 1000


def test_a_file_less_is_named_and_of_many_the_first(installed):
    without = {name: content for name, content in installed.items() if name != "clients/release/desk.py"}
    assert "clients/release/desk.py is missing" in verdict(zipped(without))
    bare = {name: content for name, content in installed.items() if not name.startswith("protocols/")}
    refused = verdict(zipped(bare))
    assert refused.count("is missing") == 5
    assert " more" in refused


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            'clientapp = "tailweave:client_app"',
            'clientapp = "tailweave.server.app:app"',
            "names tailweave.server.app:app",
        ),
        ('publisher = "tailweave"', 'publisher = "tai1weave"', "the app tai1weave/tailweave"),
        ('name = "tailweave"', 'name = "x\\u001b"', r"the app tailweave/x\x1b"),
        ('version = "', 'version = "1', "the server runs tailweave 1"),
        ("[tool.flwr.app]", "x = 1\n[tool.flwr.app]\nversion = []", "refused: "),
        ("[project]", "[project", "is no app bundle (TOMLDecodeError)"),
        ("[project]", f"deep = {'[' * 100000}\n[project]", "is no app bundle (RecursionError)"),
    ],
)
def test_what_the_app_says_of_itself_is_looked_at(installed, old, new, told):
    project = installed["pyproject.toml"].decode()
    assert old in project
    changed = zipped(installed | {"pyproject.toml": project.replace(old, new, 1).encode()})
    if old == "[tool.flwr.app]":  # a key more is nobody's harm
        assert verdict(changed) == RUNS
        return
    assert told in verdict(changed)


@pytest.mark.parametrize("bundle", [b"", b"PK", b"not a zip" * 1000, b"\x00" * 100])
def test_what_is_no_bundle_is_refused(bundle):
    assert "is no app bundle" in verdict(bundle)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_refused(installed):
    with pytest.raises(ForeignApp, match="two files of one name"):
        check_app(zipped(installed, ("clients/app.py", installed["clients/app.py"])))


def test_more_files_than_an_app_has_are_refused(installed):
    many = {f"a/{number}.md": b"" for number in range(5001)}
    assert "files, allowed are 5000" in verdict(zipped(installed | many))


def test_a_bundle_that_swells_when_it_is_read_does_not_swell_here(installed):
    swollen = b"\0" * (64 * 2**20)
    bombs = [
        zipped(installed | {"clients/app.py": swollen}),
        zipped(installed | {"pyproject.toml": swollen}),
        zipped(installed | {"bomb.json": swollen}, compression=zipfile.ZIP_BZIP2),
    ]
    for bomb in bombs:
        tracemalloc.start()
        told = verdict(bomb)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 16 * 2**20, told


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_no_changed_byte_of_what_a_silo_would_run_goes_unseen(installed, data):
    compared = [name for name, content in installed.items() if name.startswith("clients/") and content]
    name = data.draw(st.sampled_from(compared))
    at = data.draw(st.integers(0, len(installed[name]) - 1))
    changed = bytearray(installed[name])
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    assert f"{name} differs" in verdict(zipped(installed | {name: bytes(changed)}))


@given(st.integers(0, 10**9), st.binary(min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_a_damaged_archive_is_refused_or_is_the_same_app(installed, at, noise):
    whole = bytearray(zipped(installed, compression=zipfile.ZIP_STORED))
    start = at % len(whole)
    whole[start : start + len(noise)] = noise
    told = verdict(bytes(whole))  # and nothing but a verdict
    assert told == RUNS or told.startswith("refused: ")
