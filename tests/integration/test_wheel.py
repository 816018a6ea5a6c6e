# SPDX-License-Identifier: Apache-2.0
"""The wheel holds the package and nothing else, and works without a checkout, beside folders of its names."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PACKAGES = ("protocols", "clients", "server", "simulation")
BESIDE = ("tailweave", "configs", "pyproject.toml", "README.md", "LICENSE")
HOSTILE = "raise RuntimeError('the folder in which the command is called was imported')\n"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built offline, from a copy: a build leaves folders behind."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in (*PACKAGES, *BESIDE, "tests"):
        if (ROOT / name).is_dir():
            leave = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=leave)
        else:
            shutil.copy(ROOT / name, source / name)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel"]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder)]
    subprocess.run([*pip, *options, str(source)], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def programs(wheel, tmp_path_factory) -> Path:
    """A fresh environment with the wheel; its dependencies are those of this one, found by a path."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False)
    (library,) = folder.glob("lib/python*/site-packages")
    (library / "dependencies.pth").write_text(sysconfig.get_path("purelib"))  # not the .pth files in there
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python"]
    options = [str(folder / "bin/python"), "install", "--no-deps", "--no-index", "--ignore-installed"]
    subprocess.run([*pip, *options, str(wheel)], check=True)
    return folder / "bin"


@pytest.fixture
def call(programs, tmp_path):
    """Call a program in a folder whose packages have our folders' names, and must not be imported."""
    for name in PACKAGES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(HOSTILE)

    def run(program: str, *arguments: str) -> str:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        command = [programs / program, *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=clean, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def test_a_wheel_holds_one_package_with_all_its_files(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0] for name in names} == {"tailweave", "tailweave-0.1.0.dist-info"}
    assert "tailweave-0.1.0.dist-info/licenses/LICENSE" in names
    own = {f"tailweave/{path.name}" for path in (ROOT / "tailweave").glob("*.py")}
    assert len(own) > 1
    wanted = {"tailweave/py.typed", *own} | {
        f"tailweave/{path.relative_to(ROOT).as_posix()}"
        for folder in (*PACKAGES, "configs")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != "README.md"
    }
    assert {name for name in names if name.startswith("tailweave/")} == wanted


def test_the_package_is_imported_from_the_wheel(call, programs):
    said = call("python", "-c", "import tailweave.simulation.cli as cli; print(cli.__file__)")
    assert Path(said.strip()).is_relative_to(programs.parent)


def test_configs_are_listed(call):
    listed = {line.split(" ")[0] for line in call("tailweave", "list").splitlines()}
    assert {"quickstart", "paper/crossed"} <= listed
    assert call("python", "-m", "tailweave", "--version") == "tailweave 0.1.0\n"


def test_a_config_is_run_by_name(call, tmp_path):
    short = ("--set", "seeds=1", "--set", "recursion.generations=1")
    said = call("tailweave", "run", "quickstart", "--workers", "2", *short)
    assert "report: " in said
    assert (tmp_path / "runs/quickstart/report.html").stat().st_size > 100_000
    assert "No such file" not in call("tailweave", "report", "runs/quickstart")
