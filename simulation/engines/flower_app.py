# SPDX-License-Identifier: Apache-2.0
"""The ServerApp of ``flwr run .``: does what ``tailweave run`` does, with ``server.app`` in the middle."""

import logging
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp
from flwr.supercore.utils import get_flwr_home
from rich.console import Console

from tailweave.clients.samples import DataError
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.load import ConfigError, dump_experiment, load_experiment
from tailweave.protocols.places import packaged, run_folder, state_folder
from tailweave.server.app import run_experiment, run_name
from tailweave.server.failure import RunFailed
from tailweave.simulation.engines.job import Job
from tailweave.simulation.engines.quickstart import QUICKSTART, quickstart
from tailweave.simulation.environment import environment
from tailweave.simulation.prepare import Prepared, prepare
from tailweave.simulation.staging import complete, drop_state, make_folder

app = ServerApp()
logger = logging.getLogger("flwr")
_RUN_ID_DIGITS = 8
_WIDTH = 100
"""Columns of the table in Flower's log, which is no terminal."""
_LOOKS, _LOOK_SECONDS = 10, 0.3


def _in_one_line(record: logging.LogRecord) -> bool:
    """Leave Flower's record of an error that explains itself without the way through the code."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, ConfigError | DataError | RunFailed):
        record.msg, record.args, record.exc_info = "%s", (str(error),), None
    return True


logger.addFilter(_in_one_line)


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the experiment that ``config`` names in run-config, print its table, and write its report.

    Without ``config`` a simulation runs the quickstart over as many silos as it has nodes; without ``out``
    the run folder is made below Flower's own; without ``kit`` the public kit is fitted here.

    Raises:
        ValueError: If the experiment, or something it needs, is wrong.
        RunFailed: If fewer than ``min-clients`` silos remain.
    """
    settings = {key: str(value) for key, value in context.run_config.items()}
    if settings.get("kit"):
        run_experiment(grid, settings)
        return
    experiment = _experiment(settings.get("config", ""), _nodes(grid))
    prepared = prepare(experiment, silos_elsewhere=True)
    job = _job(prepared, settings, f"{context.run_id:08x}"[-_RUN_ID_DIGITS:])
    given = {key: value for key, value in settings.items() if value and key not in ("config", "out")}
    run_experiment(grid, {**job.run_config, **given})
    silos = _silos(prepared, job, settings)
    for warning in complete(prepared, job, silos):
        logger.warning("%s", warning)
    _report(job.out)
    drop_state(job, silos)


def _nodes(grid: Grid) -> Sequence[str]:
    """Return the names of the nodes once they are all there, empty where a node has none.

    A simulation makes all its nodes, which have no names, within a moment of starting this app.
    """
    names: list[str] = []
    for _ in range(_LOOKS):
        time.sleep(_LOOK_SECONDS)
        before, names = names, [node.name for node in grid.get_nodes()]
        if names and len(names) == len(before):
            break
    return names


def _experiment(config: str, nodes: Sequence[str]) -> Experiment:
    """Return what is to be run; in a deployment nodes have names, and may still come.

    Raises:
        ConfigError: If it cannot be read, or does not suit the nodes.
    """
    simulated = bool(nodes) and not any(nodes)
    if not config and not simulated:
        raise ConfigError(
            "run-config config is empty, and only a simulation runs the quickstart by itself: name an "
            "experiment, --run-config 'config=\"/path/to/experiment.yaml\"'"
        )
    if not config:
        experiment = quickstart(len(nodes))
        silos = experiment.silos.count
        logger.info("no config is named in run-config: %s over %d silos, one a node", QUICKSTART, silos)
        return experiment
    experiment = load_experiment(packaged(Path(config)))
    wanted = experiment.silos.count
    if simulated and len(nodes) < wanted:
        raise ConfigError(
            f"the federation has {len(nodes)} nodes, {config} {wanted} silos: add "
            f"--federation-config 'num-supernodes={wanted} client-resources-num-cpus=1'"
        )
    return experiment


def _job(prepared: Prepared, settings: Mapping[str, str], run_id: str) -> Job:
    experiment = prepared.experiment
    given = settings.get("out", "")
    if given and not Path(given).is_absolute():
        raise ConfigError(f"run-config out must be an absolute path, got {given}")
    out = Path(given) if given else run_folder(get_flwr_home(), run_name(experiment, run_id))
    stored = out / "config.yaml"
    if out.exists() and any(out.iterdir()):
        there = stored.read_text(encoding="utf-8") if stored.exists() else ""
        if there != dump_experiment(experiment):
            raise ConfigError(f"run-config out: {out} exists and holds no run of this experiment")
    made = environment(experiment.seeds, ("flwr", "run"), engine="flwr run", workers=0)
    return make_folder(prepared, out, made, settings.get("run-id") or run_id)


def _silos(prepared: Prepared, job: Job, settings: Mapping[str, str]) -> Path:
    """Return where simulated silos keep their state; see ``clients/app.py``."""
    if settings.get("state-dir"):
        return Path(settings["state-dir"])
    return state_folder(run_folder(get_flwr_home(), run_name(prepared.experiment, job.run_id)))


def _report(out: Path) -> None:
    """Write the report; print the table and where the report is, on what Flower shows as the run's log."""
    from tailweave.simulation.outcome import print_outcome
    from tailweave.simulation.pages import write_pages
    from tailweave.simulation.run_folder import RunFolder

    report = write_pages(RunFolder(out))
    print_outcome(out, Console(file=sys.stdout, width=_WIDTH, highlight=False, markup=False, emoji=False))
    logger.info("report: %s", report)
