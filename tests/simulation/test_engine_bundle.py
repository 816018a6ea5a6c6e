# SPDX-License-Identifier: Apache-2.0
"""What is submitted: the packages of server and nodes, and a description that Flower accepts."""

import subprocess
import sys
import tomllib
import zipfile
from io import BytesIO
from itertools import chain
from pathlib import Path

import pytest
from flwr.cli.build import build_fab_from_disk
from flwr.cli.config_utils import load_and_validate
from flwr.cli.utils import collect_files, filter_paths_for_publish
from flwr.common.constant import FAB_MAX_SIZE
from flwr.supercore.constant import MAX_FILE_BYTES, MAX_FILE_COUNT, MAX_TOTAL_BYTES
from flwr.supercore.fab_format_version import normalize_and_validate_fab_format

from tailweave.simulation.engines.bundle import write_bundle, write_run_config
from tailweave.simulation.engines.job import Job

REPOSITORY = Path(__file__).parents[2]
NOT_NEEDED = (
    "protocols/selection.proto",  # what the two modules beside it were generated from
    "protocols/selection_pb2.pyi",  # for type checkers
    "simulation/deploy/templates/",  # kits are made by an installed tailweave
    "configs/data/",  # rows are read where they are named, and travel with no app
)
"""What Flower leaves out, for it packs a few suffixes only, and neither ServerApp nor ClientApp uses."""
KEYS = Job(Path("/out"), 3, "0a").run_config


def test_the_bundle_holds_the_three_packages_and_no_results(tmp_path):
    app = write_bundle(tmp_path, KEYS)
    held = {"protocols", "clients", "server", "tailweave", "pyproject.toml"}
    assert {path.name for path in app.iterdir()} == held
    assert (app / "clients" / "app.py").read_bytes() == (REPOSITORY / "clients" / "app.py").read_bytes()
    assert list(app.rglob("*.pyc")) == []


def test_flower_accepts_it(tmp_path):
    config, warnings = load_and_validate(write_bundle(tmp_path, KEYS) / "pyproject.toml")
    assert warnings == []
    assert config["tool"]["flwr"]["app"]["components"]["serverapp"] == "tailweave.server.app:app"


@pytest.mark.slow
def test_flower_packs_it_without_a_complaint(tmp_path):
    names = zipfile.ZipFile(BytesIO(build_fab_from_disk(write_bundle(tmp_path, KEYS)))).namelist()
    assert {"server/app.py", "clients/app.py", "protocols/records.py"} <= set(names)


def test_the_repositorys_bundle_loses_no_file_that_the_app_needs():
    packed = build_fab_from_disk(REPOSITORY)
    names = set(zipfile.ZipFile(BytesIO(packed)).namelist())
    folders = ("protocols", "clients", "server", "simulation", "configs")
    there = {
        path.relative_to(REPOSITORY).as_posix()
        for path in (*(REPOSITORY / "tailweave").glob("*.py"), *chain.from_iterable(map(files, folders)))
    }
    assert len(there) > 300
    assert {name for name in there - names if not name.startswith(NOT_NEEDED)} == set()
    assert {"LICENSE", "README.md", "pyproject.toml"} <= names
    assert not [name for name in names if name.startswith(("tests/", "runs/"))]
    assert len(packed) < FAB_MAX_SIZE // 2


def test_flower_hub_takes_the_repository_without_its_tests():
    found = filter_paths_for_publish(collect_files(REPOSITORY))
    given = {name: path for name, path in found.items() if not name.startswith("tests/")}  # as `make hub`
    sizes = [path.stat().st_size for path in given.values()]
    assert len(sizes) < MAX_FILE_COUNT
    assert max(sizes) < MAX_FILE_BYTES
    assert sum(sizes) < MAX_TOTAL_BYTES
    config, warnings = load_and_validate(REPOSITORY / "pyproject.toml")
    assert warnings == []
    assert normalize_and_validate_fab_format(config).fab_format_version == 1


def files(folder: str) -> list[Path]:
    found = (REPOSITORY / folder).rglob("*")
    return [path for path in found if path.is_file() and "__pycache__" not in path.parts]


def test_every_key_of_a_run_stands_in_pyproject():
    described = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    assert set(described["tool"]["flwr"]["app"]["config"]) == set(KEYS)


def test_odd_paths_survive_the_run_config(tmp_path):
    odd = {"config": 'a "b"\\c\n\t\x7f', "out": "naïve/Ω/\U0001f600", "kit": ""}
    assert tomllib.loads(write_run_config(tmp_path / "run.toml", odd).read_text()) == odd


def test_the_client_app_imports_nothing_heavy():
    """Flower starts a process for each message; what is imported at the top is paid for each time."""
    heavy = (
        "scipy",
        "sklearn",
        "ot",
        "torch",
        "matplotlib",
        "pandas",
        "tailweave.clients.node",
        "tailweave.clients.summarise_round",
    )
    code = f"import tailweave.clients.app, sys; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True
    )
    assert done.stdout.strip() == "[]"
