# SPDX-License-Identifier: Apache-2.0
"""The ServerApp: read the experiment, run every seed, write the run folder."""

import hashlib
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from protocols.config.experiment import Experiment
from protocols.config.load import dump_experiment, load_experiment
from protocols.kit import PublicKit
from server.federation import Federation
from server.record import Record
from server.rounds import run_seed

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the experiment that ``run-config`` names.

    Needs ``config`` (experiment YAML), ``out`` (run folder) and ``kit`` (folder of ``seed-N.npz`` kits).

    Raises:
        ValueError: If a setting is missing or a file cannot be read.
        RunFailed: If fewer than ``min-clients`` silos remain.
    """
    settings = {name: Path(str(context.run_config.get(name, ""))) for name in ("config", "out", "kit")}
    missing = [name for name, path in settings.items() if str(path) == "."]
    if missing:
        raise ValueError(f"run-config lacks {', '.join(missing)}: start this app with `tailweave run`")
    experiment = load_experiment(settings["config"])
    record = Record(settings["out"])
    federation = Federation(grid, experiment, run_name(experiment), record)
    try:
        for seed in experiment.seeds:
            run_seed(federation, seed, PublicKit.load(settings["kit"] / f"seed-{seed}.npz"))
    finally:
        record.close()


def run_name(experiment: Experiment) -> str:
    """Return a name that changes with every change of the experiment, so that no stale state is picked up."""
    digest = hashlib.sha256(dump_experiment(experiment).encode()).hexdigest()
    return f"{experiment.name[:40]}-{digest[:12]}"
