# SPDX-License-Identifier: Apache-2.0
"""What is said before any maths is said at once: none of the large libraries is loaded by then.

Of what is imported, not of time, which differs from one machine to the next.
"""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "PIL",
    "asyncio",
    "cryptography",
    "diffusers",
    "dp_accounting",
    "flwr",
    "google",
    "grpc",
    "grpc_health",
    "grpc_reflection",
    "h11",
    "httpx",
    "jinja2",
    "matplotlib",
    "multiprocessing",
    "numpy",
    "opendp",
    "ot",
    "pandas",
    "pyarrow",
    "scipy",
    "sklearn",
    "threadpoolctl",
    "torch",
    "transformers",
}
CHILD = """
import sys
sys.argv = ["tailweave", *sys.argv[1:]]
from tailweave.simulation import cli
try:
    cli.main()
finally:
    print(*sys.modules, file=sys.stderr)
"""
REPOSITORY = Path(__file__).parents[2]
STUDY = "study: gaussian\nalphas: 0.1\n"
EXPERIMENT = "name: x\ngenrator: {}\n"


def loaded(*arguments: str) -> tuple[int, str, set[str]]:
    """Run a command in a process of its own: its exit code, what it says, and the top-level modules."""
    command = [sys.executable, "-c", CHILD, *arguments]
    environment = {"PYTHONPATH": str(REPOSITORY), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    *said, modules = done.stderr.splitlines()
    return done.returncode, done.stdout + "\n".join(said), {name.split(".")[0] for name in modules.split()}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--help",), 0, "Commands"),
        (("deploy", "--help"), 0, "register"),
        (("--version",), 0, "tailweave 0."),
        (("list",), 0, "partial-transport"),
        (("run", "no.yaml"), 2, "no.yaml: no such file"),
        (("run", "EXPERIMENT"), 2, "genrator: unknown key"),
        (("run", "EXPERIMENT", "--dry-run"), 2, "genrator: unknown key"),
        (("run", "STUDY"), 2, "alphas: unknown key"),
        (("run", "GOOD", "--set", "seeds=0"), 2, "seeds"),
        (("run", "GOOD", "--engine", "warp"), 2, "'warp' is unknown"),
        (("run", "GOOD", "--out", "."), 2, "exists; give another folder"),
        (("audit", "EXPERIMENT"), 2, "genrator: unknown key"),
    ],
)
def test_what_needs_no_maths_loads_none(tmp_path, arguments, code, said):
    (tmp_path / "EXPERIMENT").write_text(EXPERIMENT)
    (tmp_path / "STUDY").write_text(STUDY)
    (tmp_path / "GOOD").write_text((REPOSITORY / "configs" / "quickstart.yaml").read_text(encoding="utf-8"))
    given = [str(tmp_path / name) if name.isupper() or name == "." else name for name in arguments]
    found, text, modules = loaded(*given)
    assert said in text
    assert found == code
    assert "typer" in modules
    assert sorted(HEAVY & modules) == []


def test_the_list_of_modules_sees_a_heavy_one():
    command = [sys.executable, "-c", "import numpy, sys; print(*sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "numpy" in done.stdout.split()
