# SPDX-License-Identifier: Apache-2.0
"""Apps beside the hostile ones of ``foreign_app``, and what a silo says to an app."""

from pathlib import Path

from tailweave.simulation.deploy.code_door import ForeignApp, check_app, installed_version
from tailweave.simulation.deploy.foreign_app import ASKING, SECONDS, bundled
from tailweave.simulation.engines.bundle import write_bundle

RUNS = "runs the installed app"
"""What a silo does with an app that is tailweave's own."""


def ask_instead(app: Path, heard: Path) -> Path:
    """Put another ServerApp into a tailweave: one that says ``hello``, and writes down what it is told."""
    asking = ASKING.format(heard=str(heard), seconds=SECONDS, kind="query.hello")
    (app / "server/app.py").write_text(asking, encoding="utf-8")
    return app


def write_other_version(folder: Path, version: str) -> Path:
    """Write tailweave under another version, its files unchanged; return the app's path."""
    app = write_bundle(folder, {"log-format": ""})
    project = app / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    here = f'version = "{installed_version()}"'
    project.write_text(text.replace(here, f'version = "{version}"'), encoding="utf-8")
    return app


def installed_bundle() -> bytes:
    """Return the FAB of the tailweave installed here, as ``tailweave run`` submits it."""
    return bundled(lambda folder: write_bundle(folder, {"log-format": ""}))


def verdict(bundle: bytes) -> str:
    """Return what a silo does with an app: ``RUNS``, or why it refuses, as the server is told."""
    try:
        check_app(bundle)
    except ForeignApp as refused:
        return f"refused: {refused}"
    return RUNS
