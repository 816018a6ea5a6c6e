# SPDX-License-Identifier: Apache-2.0
"""What every engine is given, and what it must do: the one contract between a run and its engines."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tailweave.protocols.places import state_folder


@dataclass(frozen=True)
class Machine:
    """What the engines may use.

    Attributes:
        workers: Processes of engine ``in-process``; 0 stays in this one.
        cpus: Whole CPU cores that engine ``ray`` sets aside for a silo at work.
        gpus: GPUs that engine ``ray`` sets aside for a silo at work; a fraction shares one.
        address: HOST:PORT of a Ray cluster that engine ``ray`` joins; None starts one here.
        federation: Folder of the federation that engine ``superlink`` runs on.
    """

    workers: int = 0
    cpus: int = 1
    gpus: float = 0.0
    address: str | None = None
    federation: Path | None = None


@dataclass(frozen=True)
class Job:
    """One prepared run.

    Attributes:
        out: Absolute path of the run folder; holds ``config.yaml`` and the kits.
        silos: How many silos take part.
        run_id: What tells this run's state on the nodes from that of others of the same experiment.
        log_format: Of both apps' logs; empty is plain.
        names: Names of the silos that should be there, where they are known.
    """

    out: Path
    silos: int
    run_id: str
    log_format: str = ""
    names: tuple[str, ...] = ()

    @property
    def state(self) -> Path:
        """Folder of what is needed until the run is finished."""
        return state_folder(self.out)

    @property
    def run_config(self) -> Mapping[str, str]:
        """What both apps are told; the keys stand in pyproject.toml under ``tool.flwr.app.config``."""
        return {
            "config": str(self.out / "config.yaml"),
            "out": str(self.out),
            "kit": str(self.state / "kits"),
            "state-dir": str(self.state),
            "run-id": self.run_id,
            "silos": ",".join(self.names),
            "log-format": self.log_format,
        }


class Engine(Protocol):
    """Runs the two apps until the experiment is done; metrics, wire and events are then in ``job.out``."""

    def run(self, job: Job) -> None:
        """Run to the end.

        Raises:
            ValueError: If something that was given is wrong; exit code 2.
            RunFailed: If the run cannot go on; exit code 1.
        """

    def close(self) -> None:
        """Stop all that was started, from any thread and at any moment; a second call does nothing."""
