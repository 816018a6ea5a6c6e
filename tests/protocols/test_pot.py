# SPDX-License-Identifier: Apache-2.0
"""Nobody pays for torch who does not use it: it is installed here, and must not be imported on the way."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_torch_is_imported_only_where_a_network_is_used():
    heavy = {"torch", "diffusers", "transformers"}
    names = (
        "protocols.pot",
        "clients.summarise_round",
        "server.rounds",
        "simulation.prepare",
        "simulation.run",
    )
    modules = ", ".join(f"tailweave.{name}" for name in names)
    code = f"import sys, {modules}; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_solvers_take_arrays():
    from tailweave.protocols.pot import ot

    assert ot.emd2([0.5, 0.5], [0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]]) == pytest.approx(0.0, abs=1e-15)


def test_the_environment_is_left_as_it_was():
    code = (
        "import os, sys; before = dict(os.environ); import sklearn; added = set(os.environ) - set(before)\n"
        "from tailweave.protocols.pot import ot; ot.emd2; import ot.backend\n"
        "changed = {k for k in {*before, *os.environ} if before.get(k) != os.environ.get(k)}\n"
        "print(sorted(changed - added), os.environ.get('POT_BACKEND_DISABLE_JAX'), 'torch' in sys.modules)"
    )
    for given, found in (("", "None"), ("x", "x")):
        own = {"POT_BACKEND_DISABLE_JAX": given} if given else {}
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)} | own,
        )
        assert done.stdout.split() == ["[]", found, "False"]
