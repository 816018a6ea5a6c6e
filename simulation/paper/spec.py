# SPDX-License-Identifier: Apache-2.0
"""What a study of the paper is configured by: ``study: gaussian | families | transport`` and its sizes."""

from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, model_validator

from tailweave.protocols.config.base import Spec
from tailweave.protocols.config.spec_file import validated
from tailweave.protocols.config.yaml_file import ConfigError, read_text, read_yaml

PUBLISHED_SEEDS = (42, 123, 456, 789, 2023, 2024, 2025, 3141, 1618, 9999)
"""Source: ``gaussian_correct.py`` of arXiv 2606.13732's public code."""
Family = Literal["anisotropic", "gmm", "unequal-gmm", "laplace"]
FAMILIES: tuple[Family, ...] = ("anisotropic", "gmm", "unequal-gmm", "laplace")

Seeds = Annotated[tuple[Annotated[int, Field(ge=0, lt=2**32)], ...], Field(min_length=1)]
Sizes = Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(min_length=1)]
Workers = Annotated[int, Field(ge=1, le=64)]
Share = Annotated[float, Field(gt=0, le=1)]


class GaussianSpec(Spec):
    """Gaussian theory: four settings, the published worlds, and the isotropic one with a closed form."""

    study: Literal["gaussian"]
    seeds: Seeds = PUBLISHED_SEEDS
    samples: Sizes = (100, 200, 500)
    isotropic_samples: Annotated[int, Field(ge=2)] = 200
    alpha: Share = 0.05
    dimensions: Annotated[int, Field(ge=2)] = 10
    generations: Annotated[int, Field(ge=1)] = 300
    workers: Workers = 2


class FamiliesSpec(Spec):
    """Non-Gaussian families; the models of every ``judge-every``-th generation are judged."""

    study: Literal["families"]
    seeds: Seeds = (42, 123, 456, 789, 2024)
    families: Annotated[tuple[Family, ...], Field(min_length=1)] = FAMILIES
    samples: Sizes = (100, 300, 500)
    alpha: Share = 0.05
    dimensions: Annotated[int, Field(ge=2)] = 10
    generations: Annotated[int, Field(ge=1)] = 200
    judge_every: Annotated[int, Field(ge=1)] = 10
    workers: Workers = 2

    @model_validator(mode="after")
    def _last_is_judged(self) -> Self:
        if self.generations % self.judge_every:
            raise ValueError(
                f"judge-every must divide generations = {self.generations}, got {self.judge_every}"
            )
        return self


class TransportSpec(Spec):
    """Transport protocols on 2-D Gaussians: FedWaD's distance, Scheme II's barycenter and its toy."""

    study: Literal["transport"]
    seeds: Seeds = (0, 1, 2)
    samples: Annotated[int, Field(ge=2, le=2000)] = 100
    rounds: Annotated[int, Field(ge=1)] = 20
    barycenter_samples: Annotated[tuple[Annotated[int, Field(ge=2, le=2000)], ...], Field(min_length=1)] = (
        50,
        100,
        200,
        400,
        800,
    )
    workers: Workers = 2


StudySpec = GaussianSpec | FamiliesSpec | TransportSpec
_SPECS: dict[str, type[StudySpec]] = {
    "gaussian": GaussianSpec,
    "families": FamiliesSpec,
    "transport": TransportSpec,
}


def is_study(config: Path) -> bool:
    """Tell, by a key ``study``, whether a YAML file configures a study of the paper, not an experiment.

    Raises:
        FileNotFoundError: If there is none.
        ConfigError: If it cannot be read, is longer than such a file is, or is not text.
    """
    return any(line.startswith("study:") for line in read_text(config).splitlines())


def is_study_folder(folder: Path) -> bool:
    """Tell whether a folder holds a study, by its ``config.yaml``."""
    return (folder / "config.yaml").is_file() and is_study(folder / "config.yaml")


def load_study(path: Path) -> StudySpec:
    """Read and validate the configuration of a study.

    Raises:
        ConfigError: If the file cannot be read, is no YAML mapping, or a key, type or range is wrong.
    """
    try:
        raw = read_yaml(path)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    study = raw.get("study") if isinstance(raw, dict) else None
    if not isinstance(study, str) or study not in _SPECS:
        raise ConfigError(f"{path}: study must be one of {', '.join(_SPECS)}, got {study!r}")
    return validated(raw, _SPECS[study], str(path))


def accept_study(path: Path, *, plain: bool) -> StudySpec:
    """Return the study that ``tailweave run`` is asked for, ``plain`` of what a study cannot do.

    Raises:
        ConfigError: If it is not plain, or the configuration is wrong.
    """
    if not plain:
        raise ConfigError(f"{path}: a study takes neither --set nor --resume; edit a copy of the file")
    return load_study(path)


def dump_study(spec: StudySpec) -> str:
    """Return the resolved study as YAML; ``load_study`` reads it back unchanged."""
    return yaml.safe_dump(spec.model_dump(mode="json", by_alias=True), sort_keys=False)
