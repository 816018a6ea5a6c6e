# SPDX-License-Identifier: Apache-2.0
"""What is submitted: the packages of server and nodes, and a description that Flower accepts."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from flwr.cli.build import build_fab_from_disk
from flwr.cli.config_utils import load_and_validate

from tailweave.simulation.engines.bundle import write_bundle, write_run_config
from tailweave.simulation.engines.job import Job

REPOSITORY = Path(__file__).parents[2]
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
@pytest.mark.parametrize("folder", [None, REPOSITORY])
def test_flower_packs_it_without_a_complaint(folder, tmp_path):
    app = folder or write_bundle(tmp_path, KEYS)
    packed = tmp_path / "app.fab"
    packed.write_bytes(build_fab_from_disk(app))
    names = zipfile.ZipFile(packed).namelist()
    assert {"server/app.py", "clients/app.py", "protocols/records.py"} <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "runs/"))]
    if folder:
        assert "configs/quickstart.yaml" in names
        assert packed.stat().st_size < 5_000_000  # Flower's limit is twice that


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
        "tailweave.clients.rounds",
    )
    code = f"import tailweave.clients.app, sys; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=True
    )
    assert done.stdout.strip() == "[]"
