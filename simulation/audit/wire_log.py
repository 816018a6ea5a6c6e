# SPDX-License-Identifier: Apache-2.0
"""What a run recorded of the bytes that left its silos, read back from ``wire.jsonl`` and ``wire/*.npz``."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, Field, ValidationError

from tailweave.clients.data.silo import Silo
from tailweave.protocols.arrays import MAX_ARRAY_BYTES, Floats
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.references import RAW_ROW_KINDS, ReferenceSpec
from tailweave.protocols.kinds.references.transported import (
    TransportedReference,
)
from tailweave.protocols.npz import NpzError, read_npz
from tailweave.protocols.references import Summary, read_summary
from tailweave.protocols.secure_sum.masks import Masked, Words
from tailweave.protocols.streams import stream
from tailweave.simulation.audit.scene import Released, Scene, released
from tailweave.simulation.run_folder import Row, RunFolder, RunFolderError

_MASKED = "masked"
Arrays = dict[str, Floats]


class _Cost(BaseModel):
    epsilon: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] | None = None


class _Line(BaseModel):
    """One line of ``wire.jsonl``, as far as the audit reads it; ``arrays`` is a path within the folder."""

    seed: int
    silo: str
    round: str | None = None
    kind: str | None = None
    number: Annotated[int, Field(ge=1)] | None = None
    reference: ReferenceSpec | None = None
    privacy: _Cost | None = None
    arrays: str | None = None

    def of(self, *names: str) -> bool:
        """Say whether the line is of one of these rounds or kinds."""
        return self.round in names or self.kind in names

    @property
    def epsilon(self) -> float | None:
        """What the message cost, as far as the log says."""
        return self.privacy.epsilon if self.privacy else None


@dataclass(frozen=True)
class Sent:
    """One message that carried more than metrics.

    The silo's rows are rebuilt from the config, never read from the wire; ``epsilon`` is what the log says.
    """

    scene: Scene
    silo: Silo
    epsilon: float | None

    @property
    def rows(self) -> Floats:
        """The silo's features, shape (n, d)."""
        return self.scene.rows(self.silo)

    def rng(self, purpose: str) -> np.random.Generator:
        """Return the stream of one attack on this message."""
        return stream(self.scene.seed, "audit", purpose, self.silo.name)


@dataclass(frozen=True)
class Recorded(Sent):
    """A summary, as it left the silo for ``released``; under secure aggregation the sum of all ``parts``."""

    released: Released
    summary: Summary
    parts: tuple[Silo, ...] = ()


@dataclass(frozen=True)
class MaskedVector(Sent):
    """A sketch under masks: words (n,) of attempt ``number`` at one sum, None if they were not kept."""

    released: Released
    number: int
    words: Words | None


@dataclass(frozen=True)
class RawPoints(Sent):
    """What left the silo for a published protocol: where atoms went, (s, d); None if it was not kept."""

    spec: TransportedReference
    points: Floats | None


def read_wire(folder: RunFolder, experiment: Experiment) -> Iterator[Sent]:
    """Yield what left the silos, metrics aside, in the order in which it did.

    Raises:
        ValueError: If a message cannot be read or belongs to no reference or silo of the config.
    """
    scene_of = lru_cache(maxsize=None)(lambda seed: Scene.of(experiment, seed))
    asked = tuple(released(experiment))
    for number, row in enumerate(folder.wire(), start=1):
        where = f"{folder.path / 'wire.jsonl'}, line {number}"
        line = _line(where, row)
        if not (line.arrays or line.of("summarise", _MASKED, *RAW_ROW_KINDS)):
            continue
        if line.seed not in experiment.seeds:
            raise RunFolderError(f"{where}: seed {line.seed} is none of the config's")
        scene = scene_of(line.seed)
        silo = next((silo for silo in scene.world.silos if silo.name == line.silo), None)
        if silo is None:
            raise RunFolderError(f"{where}: unknown silo {line.silo!r}")
        arrays = _arrays(folder.path / line.arrays) if line.arrays else {}
        yield _message(where, line, arrays, asked, (scene, silo, line.epsilon))


def _line(where: str, row: Row) -> _Line:
    try:
        return _Line.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the line"
        raise RunFolderError(f"{where}: {key} is not readable: {first['msg']}") from None


def _message(
    where: str,
    line: _Line,
    arrays: Arrays,
    asked: Sequence[Released],
    head: tuple[Scene, Silo, float | None],
) -> Sent:
    """Read what one line of the log stands for."""
    spec, dimension = line.reference, head[0].space.dimension
    if spec is None:
        raise RunFolderError(
            f"{where} does not say which reference was summarised: it is of an older version, run again"
        )
    if isinstance(spec, TransportedReference):
        return RawPoints(*head, spec, _points(where, arrays, spec.support, dimension))
    found = _released(where, line, [released for released in asked if released[0] == spec])
    if line.of(_MASKED):
        number = line.number or 1
        return MaskedVector(*head, found, number, _words(where, line.silo, number, arrays))
    if not arrays:
        raise RunFolderError(f"{where}: the summary that {line.silo} sent was not kept: it cannot be audited")
    try:
        summary = read_summary(arrays, found[0], dimension)
    except ValueError as error:
        raise RunFolderError(f"{where}: {line.arrays} is not what it says: {error}") from None
    return Recorded(*head, found, summary)


def _arrays(path: Path) -> Arrays:
    try:
        arrays = read_npz(path, most_bytes=MAX_ARRAY_BYTES)
    except OSError as error:
        raise RunFolderError(f"{path} cannot be read: {error.strerror or error}") from None
    except NpzError as error:
        raise RunFolderError(f"{path} is not a readable summary: {error}") from None
    if not all(array.dtype.kind == "f" for array in arrays.values()):
        raise RunFolderError(f"{path} is not a readable summary: it must hold arrays of floats only")
    return arrays


def _released(where: str, line: _Line, fits: Sequence[Released]) -> Released:
    """Find what the message answers: its reference, at the epsilon logged.

    A message that was logged with an epsilon that nobody asked for is held against the strictest bounds that
    its reference was asked for with; that it claims another cost is then found out.
    """
    if not fits:
        raise RunFolderError(f"{where}: the config asks for no such reference: {line.reference!r}")
    exact = [released for released in fits if released[1].epsilon == line.epsilon]
    return exact[0] if exact else min(fits, key=_strictness)


def _strictness(released: Released) -> float:
    return math.inf if released[1].epsilon is None else released[1].epsilon


def _words(where: str, silo: str, number: int, arrays: Arrays) -> Words | None:
    """Read masked words, if the log kept them."""
    if not arrays:
        return None
    try:
        return Masked.from_arrays(silo, number, arrays).values
    except ValueError as error:
        raise RunFolderError(f"{where}: {error}") from None


def _points(where: str, arrays: Arrays, atoms: int, dimension: int) -> Floats | None:
    """Read mapped atoms, if the log kept them."""
    if not arrays:
        return None
    found = {name: array.shape for name, array in arrays.items()}
    if found != {"moved": (atoms, dimension)} or not np.isfinite(arrays["moved"]).all():
        raise RunFolderError(
            f"{where}: a transport message holds finite 'moved' ({atoms}, {dimension}), got {found}"
        )
    return arrays["moved"]
