# SPDX-License-Identifier: Apache-2.0
"""The Flower App as an engine submits it: the three packages that run on server and nodes, and no more.

A folder of its own, made for each run, so that it does not matter where tailweave is installed, what its
checkout is called, and which results lie there: Flower would pack them.
"""

import json
import shutil
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import tailweave
from tailweave import clients, protocols, server

_PACKAGES = {"protocols": protocols, "clients": clients, "server": server}
_APP = """[project]
name = "tailweave"
version = "{version}"
description = "Federated, tail-preserving sample selection against model collapse."
license = "Apache-2.0"
dependencies = []

[tool.flwr.app]
publisher = "tailweave"

[tool.flwr.app.components]
serverapp = "tailweave.server.app:app"
clientapp = "tailweave:client_app"

[tool.flwr.app.config]
{defaults}
"""


def write_bundle(folder: Path, keys: Mapping[str, str]) -> Path:
    """Write the app into ``folder/tailweave`` and return that; run-config ``keys`` have empty defaults."""
    app = folder / "tailweave"
    for name, package in _PACKAGES.items():
        source = Path(str(package.__file__)).parent
        shutil.copytree(source, app / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    own = Path(str(tailweave.__file__)).parent
    (app / own.name).mkdir()
    for path in own.glob("*.py"):
        shutil.copy(path, app / own.name)
    defaults = "\n".join(f'{key} = ""' for key in keys)
    (app / "pyproject.toml").write_text(_APP.format(version=_version(), defaults=defaults), encoding="utf-8")
    return app


def write_run_config(path: Path, settings: Mapping[str, str]) -> Path:
    """Write the values of one run as TOML."""
    lines = (f"{key} = {_toml(value)}\n" for key, value in settings.items())
    path.write_text("".join(lines), encoding="utf-8")
    return path


def _version() -> str:
    try:
        return version("tailweave")
    except PackageNotFoundError:  # run from a checkout
        return "0"


def _toml(text: str) -> str:
    """A JSON string is a TOML string, but for DEL, which TOML wants escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
