# SPDX-License-Identifier: Apache-2.0
"""The ServerApp: read the experiment, run every seed, write the run folder."""

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp
from threadpoolctl import threadpool_limits

from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.load import dump_experiment, load_experiment
from tailweave.protocols.kit import PublicKit
from tailweave.protocols.logs import log_file, open_log
from tailweave.protocols.places import packaged
from tailweave.server.failure import RunFailed, clear_failure, record_failure
from tailweave.server.federation import Federation
from tailweave.server.record import Record
from tailweave.server.rounds import run_seed

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the experiment that ``run-config`` names; see ``run_experiment``.

    Raises:
        ValueError: If a setting is missing or a file cannot be read.
        RunFailed: If fewer than ``min-clients`` silos remain.
    """
    run_experiment(grid, context.run_config)


def run_experiment(grid: Grid, run_config: Mapping[str, object]) -> None:
    """Run all seeds of one experiment, with one thread, as a second one would round sums otherwise.

    Args:
        grid: Any Flower grid.
        run_config: Needs ``config`` (experiment YAML), ``out`` (run folder) and ``kit`` (folder of
            ``seed-N.npz`` kits); ``run-id`` keeps the silos' state apart from that of other runs,
            ``silos`` names those that should be there (with commas between), ``log-format`` is json for
            lines on stderr and in ``log.jsonl``.

    Raises:
        ValueError: If a setting is missing or a file cannot be read.
        RunFailed: If fewer than ``min-clients`` silos remain.
    """
    settings = {name: Path(str(run_config.get(name, ""))) for name in ("config", "out", "kit")}
    missing = [name for name, path in settings.items() if str(path) == "."]
    if missing:
        raise ValueError(f"run-config lacks {', '.join(missing)}: start this app with `tailweave run`")
    out, log_format = settings["out"], str(run_config.get("log-format", ""))
    open_log(log_format)
    clear_failure(out)
    try:
        with threadpool_limits(1), log_file(out, log_format):
            experiment = load_experiment(packaged(settings["config"]))
            run = run_name(experiment, str(run_config.get("run-id", "")))
            silos = tuple(filter(None, str(run_config.get("silos", "")).split(",")))
            with _logged(Federation(grid, experiment, run, Record(out), silos=silos)) as federation:
                _run_seeds(federation, settings["kit"])
    except (ValueError, RunFailed) as error:
        record_failure(out, error)
        raise


@contextmanager
def _logged(federation: Federation) -> Iterator[Federation]:
    """Say when a run begins, goes on and ends; close its record."""
    log, record, begun = federation.log, federation.record, time.monotonic()
    if record.resumed:
        log.warning("resumed")
    log.info("run started", silos=federation.experiment.silos.count)
    try:
        yield federation
    except Exception as error:
        log.warning("run failed", error=type(error).__name__, seconds=_since(begun))
        raise
    finally:
        record.close()
    log.info("run finished", seconds=_since(begun))


def _run_seeds(federation: Federation, kits: Path) -> None:
    for seed in federation.experiment.seeds:
        begun = time.monotonic()
        run_seed(federation, seed, PublicKit.load(kits / f"seed-{seed}.npz"))
        federation.log.info("seed finished", seed=seed, seconds=_since(begun))


def _since(begun: float) -> float:
    return round(time.monotonic() - begun, 3)


def run_name(experiment: Experiment, run_id: str = "") -> str:
    """Return a name that changes with every change of the experiment, so that no stale state is picked up.

    Args:
        experiment: What is run.
        run_id: At most 8 letters or digits; added where one experiment is run more than once on nodes that
            keep their state.
    """
    digest = hashlib.sha256(dump_experiment(experiment).encode()).hexdigest()
    return "-".join(filter(None, (experiment.name[:40], digest[:12], run_id)))
