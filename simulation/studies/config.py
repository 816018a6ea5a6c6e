# SPDX-License-Identifier: Apache-2.0
"""Which study a configuration describes: ``study: NAME`` and its options; read without any maths."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from tailweave.protocols.config.complaints import nearest
from tailweave.protocols.config.load import overridden
from tailweave.protocols.config.spec_file import read_mapping, validated
from tailweave.protocols.config.yaml_file import ConfigError, read_text
from tailweave.protocols.kinds.family import Family
from tailweave.protocols.kinds.studies.base import StudyKind
from tailweave.simulation.chosen import Chosen
from tailweave.simulation.engines.job import Machine
from tailweave.simulation.request import RunOptions, check_options

STUDIES = Family("study", StudyKind, "tailweave.protocols.kinds.studies", tag="study")


def is_study(config: Path) -> bool:
    """Tell, by a key ``study``, whether a YAML file configures a study, not an experiment.

    Raises:
        FileNotFoundError: If there is none.
        ConfigError: If it cannot be read, is longer than such a file is, or is not text.
    """
    return any(line.startswith("study:") for line in read_text(config).splitlines())


def is_study_folder(folder: Path) -> bool:
    """Tell whether a folder holds a study, by its ``config.yaml``."""
    return (folder / "config.yaml").is_file() and is_study(folder / "config.yaml")


def load_study(path: Path, overrides: Sequence[str] = (), *, beside: Path | None = None) -> StudyKind:
    """Read and validate the configuration of a study.

    Args:
        path: A YAML file.
        overrides: What is changed, ``key.path=value`` each.
        beside: Folder from which relative paths are taken; by default that of ``path``.

    Raises:
        ConfigError: If the file cannot be read, is no YAML mapping, or a key, type or range is wrong.
    """
    raw = overridden(read_mapping(path, "a study is"), overrides)
    name = raw.get("study")
    if not isinstance(name, str) or name not in STUDIES.kinds:
        raise ConfigError(f"{path}: study: {name!r} is unknown; {nearest(str(name), list(STUDIES.kinds))}")
    spec: StudyKind = validated(raw, STUDIES.kinds[name], str(path))
    return spec.anchored(path.parent if beside is None else beside)


def dump_study(spec: StudyKind) -> str:
    """Return the resolved study as YAML; ``load_study`` reads it back unchanged."""
    return yaml.safe_dump(spec.model_dump(mode="json", by_alias=True), sort_keys=False)


def accept_study(
    chosen: Chosen, overrides: Sequence[str], options: RunOptions, *, dry_run: bool = False
) -> tuple[StudyKind, RunOptions]:
    """Return the study that ``tailweave run`` is asked for, and how; nothing is made.

    ``--workers`` stands for the key ``workers``; a dry run does not look at the run folder.

    Raises:
        ConfigError: If the configuration, an option or the state of the run folder is wrong.
    """
    workers = options.machine.workers
    if options.engine != "in-process" or options.machine != Machine(workers):
        raise ConfigError(
            f"{chosen.path}: a study has no silos; of the options on engines it takes --workers alone"
        )
    named = [f"workers={workers}"] if workers else []
    spec = load_study(chosen.path, [*overrides, *named], beside=chosen.beside)
    if not dry_run:
        check_options(options, dump_study(spec))
    return spec, replace(options, machine=Machine(spec.workers))
