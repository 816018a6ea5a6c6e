# SPDX-License-Identifier: Apache-2.0
"""The final models that a simulation's run folder keeps of its silos' state: what ``export`` draws from."""

from dataclasses import dataclass
from pathlib import Path

from tailweave.clients.checkpoints import weights_file
from tailweave.clients.final_models import leaves_model
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.whole_file import write_whole
from tailweave.simulation.measurements import natural
from tailweave.simulation.run_folder import write_json

FINAL = "final"
"""Folder of final models in a run folder; laid out as a run's state on a node is."""
LEFT_OUT = "left-out.json"
"""In it, names of the models for which there was no room."""


@dataclass(frozen=True)
class Left:
    """Where an arm's last checkpoint is, on one silo, of one seed."""

    seed: int
    silo: str
    arm: str
    path: Path

    @property
    def files(self) -> list[Path]:
        """The checkpoint, and the weights beside it where a model is large."""
        return [self.path, *sorted(self.path.parent.glob(weights_file(self.path, "*").name))]

    def __str__(self) -> str:
        """Name it as the command line does."""
        return f"--arm {self.arm} --silo {self.silo} --seed {self.seed}"


def left_in(state: Path) -> list[Left]:
    """Return what finished arms have left in a run's state or in ``final``, by seed, silo and arm."""
    paths = [*state.glob("seed-*/*/*/latest.npz"), *state.glob("seed-*/*/*/own/latest.npz")]
    found = [_left(path, state) for path in paths if leaves_model(path)]
    return sorted(found, key=lambda one: (one.seed, natural(one.silo), one.arm))


def _left(path: Path, state: Path) -> Left:
    seed, silo, arm = path.relative_to(state).parts[:3]
    return Left(int(seed.removeprefix("seed-")), silo, arm, path)


def keep_finals(experiment: Experiment, state: Path, out: Path) -> list[str]:
    """Copy final models from the silos' state into the run folder, as far as ``keep-mib`` goes.

    Args:
        experiment: What was run.
        state: The run's state of all silos.
        out: Run folder.

    Returns:
        What the user should know of those that were left out.
    """
    if experiment.keep_mib == 0:
        return []
    room = experiment.keep_mib * 2**20
    left_out: list[str] = []
    for one in left_in(state):
        size = sum(path.stat().st_size for path in one.files)
        if size > room:
            left_out.append(str(one))
            continue
        room -= size
        for path in one.files:
            target = out / FINAL / path.relative_to(state)
            target.parent.mkdir(parents=True, exist_ok=True)
            write_whole(target, path.read_bytes(), lasting=False)
    if not left_out:
        return []
    (out / FINAL).mkdir(exist_ok=True)  # all may be too large
    write_json(out / FINAL / LEFT_OUT, left_out)
    return [
        f"{len(left_out)} final models are not kept for export: all together are more than keep-mib = "
        f"{experiment.keep_mib} MiB"
    ]
