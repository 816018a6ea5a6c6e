# SPDX-License-Identifier: Apache-2.0
"""An experiment, however it is given: by name, file, mapping, or as one."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.load import ConfigError, Overrides, load_experiment, make_experiment
from tailweave.simulation.chosen import choose
from tailweave.simulation.studies.config import is_study

Given = Experiment | Mapping[str, Any] | str | PathLike[str]
"""An experiment; the keys of one as in YAML; the name of one that comes along; a YAML file."""


def load(experiment: Given, overrides: Overrides = ()) -> Experiment:
    """Read an experiment and check it; nothing is run.

    Args:
        experiment: Name (``tailweave list`` shows them), YAML file, mapping or ``Experiment``.
        overrides: Key path to value, such as ``{"recursion.generations": 4}``; items of a list by number or
            name. Or a list of ``"key.path=value"``, as the command line has it.

    Returns:
        The frozen experiment. Relative paths in a YAML file are taken from its folder, all others from the
        current one.

    Raises:
        ValueError: If there is none, or a key, type or range is wrong; says where, and what is allowed.
    """
    if isinstance(experiment, Experiment):
        experiment = experiment.model_dump(mode="json", by_alias=True)
    if isinstance(experiment, Mapping):
        return make_experiment(experiment, overrides, called="experiment", beside=Path())
    chosen = choose(_path(experiment))
    if is_study(chosen.path):
        raise ConfigError(f"experiment: {experiment} is a study: only `tailweave run {experiment}` takes it")
    return load_experiment(chosen.path, overrides, beside=chosen.beside)


def short_name(experiment: Given) -> str:
    """Return what a run of it is called unless its caller says so: that of the file, or the experiment's own.

    Raises:
        ValueError: As ``load``.
    """
    if isinstance(experiment, Experiment):
        return experiment.name
    if isinstance(experiment, Mapping):
        return str(experiment.get("name", ""))
    return choose(_path(experiment)).path.stem


def _path(experiment: object) -> Path:
    if not isinstance(experiment, str | PathLike):
        raise ConfigError(
            "experiment must be a name, a path of a YAML file, a mapping or an Experiment, got "
            f"{type(experiment).__name__}"
        )
    return Path(experiment)
