# SPDX-License-Identifier: Apache-2.0
"""From the name of an engine to the engine; each is imported only when it is chosen."""

from collections.abc import Callable
from dataclasses import fields

from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.load import ConfigError
from tailweave.simulation.engines.job import Engine, Machine

_GENERATIONS_IN_PROCESS = 5
"""Between two looks at how far a run is."""

_TAKES = {"in-process": {"workers"}, "ray": {"cpus", "gpus", "address"}, "superlink": {"federation"}}


def check_engine(name: str, machine: Machine) -> None:
    """Check what an engine is given, without importing it.

    Raises:
        ConfigError: If the name is unknown, or an option is out of range or not for this engine.
    """
    if name not in _OPENERS:
        raise ConfigError(f"--engine: {name!r} is unknown; allowed: {', '.join(_OPENERS)}")
    if machine.workers < 0:
        raise ConfigError(f"--workers must be 0 or more, got {machine.workers}")
    for option in fields(machine):
        given = getattr(machine, option.name) != option.default
        if given and option.name not in _TAKES[name]:
            owner = next(engine for engine, takes in _TAKES.items() if option.name in takes)
            raise ConfigError(f"--{option.name} is for --engine {owner}, the engine is {name}")


def open_engine(name: str, machine: Machine) -> Engine:
    """Return the engine, ready to run; nothing has been started yet.

    Raises:
        ConfigError: As ``check_engine``, or if what the engine needs is not there.
    """
    check_engine(name, machine)
    return _OPENERS[name](machine)


def in_messages(experiment: Experiment, engine: str) -> Experiment:
    """Fill in how many generations a message covers: all, but in process, where messages cost nothing."""
    federation = experiment.federation
    if engine != "in-process" or federation.generations_per_message is not None:
        return experiment
    few = federation.model_copy(update={"generations_per_message": _GENERATIONS_IN_PROCESS})
    return experiment.model_copy(update={"federation": few})


def _in_process(machine: Machine) -> Engine:
    from tailweave.simulation.engines.in_process import InProcess

    return InProcess(machine.workers)


def _ray(machine: Machine) -> Engine:
    from tailweave.simulation.engines.ray import Ray

    return Ray(machine.cpus, machine.gpus, machine.address)


def _superlink(machine: Machine) -> Engine:
    from tailweave.simulation.engines.superlink import SuperLink

    return SuperLink(machine.federation)


_OPENERS: dict[str, Callable[[Machine], Engine]] = {
    "in-process": _in_process,
    "ray": _ray,
    "superlink": _superlink,
}
