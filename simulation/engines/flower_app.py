# SPDX-License-Identifier: Apache-2.0
"""The ServerApp of ``flwr run .``: prepares what ``tailweave run`` prepares, and then is ``server.app``.

The report is left to ``tailweave report``: Flower's bundles have no room for its templates.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp
from flwr.supercore.utils import get_flwr_home

from tailweave.protocols.config.load import ConfigError, dump_experiment, load_experiment
from tailweave.protocols.places import packaged, run_folder, state_folder
from tailweave.server.app import run_experiment, run_name
from tailweave.simulation.engines.job import Job
from tailweave.simulation.environment import environment
from tailweave.simulation.prepare import Prepared, prepare
from tailweave.simulation.staging import complete, make_folder

app = ServerApp()
logger = logging.getLogger("flwr")
_RUN_ID_DIGITS = 8


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the experiment that ``config`` names in run-config.

    Without ``out`` the run folder is made below Flower's own; without ``kit`` the public kit is fitted here.

    Raises:
        ValueError: If the experiment, or something it needs, is wrong.
        RunFailed: If fewer than ``min-clients`` silos remain.
    """
    settings = {key: str(value) for key, value in context.run_config.items()}
    if settings.get("kit"):
        run_experiment(grid, settings)
        return
    config = packaged(Path(settings.get("config", "")))
    prepared = prepare(load_experiment(config), silos_elsewhere=True)
    _check_nodes(grid, prepared)
    job = _job(prepared, settings, f"{context.run_id:08x}"[-_RUN_ID_DIGITS:])
    given = {key: value for key, value in settings.items() if value and key not in ("config", "out")}
    run_experiment(grid, {**job.run_config, **given})
    complete(prepared, job, _silos(prepared, job, settings))
    logger.info("run folder: %s; make its report with: tailweave report %s", job.out, job.out)


def _check_nodes(grid: Grid, prepared: Prepared) -> None:
    """Refuse a simulation with too few nodes; in a deployment nodes have names, and may still come."""
    nodes, wanted = list(grid.get_nodes()), prepared.experiment.silos.count
    if nodes and len(nodes) < wanted and not any(node.name for node in nodes):
        raise ConfigError(
            f"the federation has {len(nodes)} nodes, the experiment {wanted} silos: add "
            f"--federation-config 'num-supernodes={wanted} client-resources-num-cpus=1'"
        )


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
    made = environment(experiment, ("flwr", "run"), engine="flwr run", workers=0)
    return make_folder(prepared, out, made, settings.get("run-id") or run_id)


def _silos(prepared: Prepared, job: Job, settings: Mapping[str, str]) -> Path:
    """Return where simulated silos keep their state; see ``clients/app.py``."""
    if settings.get("state-dir"):
        return Path(settings["state-dir"])
    return state_folder(run_folder(get_flwr_home(), run_name(prepared.experiment, job.run_id)))
