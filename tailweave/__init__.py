# SPDX-License-Identifier: Apache-2.0
"""tailweave: tail-preserving sample selection against model collapse, across silos.

    import tailweave as tw
    run = tw.run("quickstart", out="runs/a", overrides={"recursion.generations": 4})
    run.summary["collaborative"]["coverage"]; run.metrics(); run.report
    picks = tw.select(candidates, reference=tw.Reference.of(rows), count=500, rule="herding", rng=rng)

``inspect`` proposes what the columns of a table are. ``score`` says which groups synthetic rows have lost
beside real ones, whoever made them. ``open_run`` opens a run that was made before, ``compare`` makes a page
of several, ``load`` reads and checks an experiment without running it. What the caller got wrong is a
``ValueError``; a run that cannot go on, ``RunFailed``.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tailweave.clients.app import app as client_app
    from tailweave.experiments import load
    from tailweave.inspecting import inspect
    from tailweave.protocols.config.experiment import Experiment
    from tailweave.runs import Run, compare, open_run, run
    from tailweave.scoring import score
    from tailweave.selection import Reference, select
    from tailweave.server.failure import RunFailed

    __version__: str

__all__ = [
    "Experiment",
    "Reference",
    "Run",
    "RunFailed",
    "__version__",
    "client_app",
    "compare",
    "inspect",
    "load",
    "open_run",
    "run",
    "score",
    "select",
]

_HERE = Path(__file__).parent
if not (_HERE / "protocols").is_dir():  # Flower's bundles and some systems know no links: the four lie beside
    __path__.append(str(_HERE.parent))

_PLACES = {
    "Experiment": "protocols.config.experiment:Experiment",
    "Reference": "selection:Reference",
    "Run": "runs:Run",
    "RunFailed": "server.failure:RunFailed",
    "client_app": "clients.app:app",
    "compare": "runs:compare",
    "inspect": "inspecting:inspect",
    "load": "experiments:load",
    "open_run": "runs:open_run",
    "run": "runs:run",
    "score": "scoring:score",
    "select": "selection:select",
}


def __getattr__(name: str) -> object:
    """Return a public name, imported when it is asked for: this file runs before every module in the package.

    ``tailweave:client_app`` is for Flower, which would look up ``tailweave.clients.app`` in one thread while
    another still imports this file for the ServerApp, and find no ``clients``, or those of another
    installation; ``tailweave`` it finds at once.

    Raises:
        AttributeError: If there is no such name.
    """
    if name == "__version__":
        return _version()
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _PLACES[name].partition(":")
    return getattr(import_module(f"{__name__}.{module}"), attribute)


def __dir__() -> list[str]:
    """Return the public names, for completion."""
    return __all__


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("tailweave")
    except PackageNotFoundError:  # a checkout or a Flower bundle
        return "0+unknown"
