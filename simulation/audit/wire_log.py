# SPDX-License-Identifier: Apache-2.0
"""What a run recorded of the bytes that left its silos, read back from ``wire.jsonl`` and ``wire/*.npz``."""

import math
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from clients.data.silo import Silo
from protocols.arrays import Floats
from protocols.config.experiment import Experiment
from protocols.config.references import BarycenterReference, GeodesicReference, ReferenceSpec
from protocols.references import Summary, TransportSpec, read_summary
from protocols.secure_sum import Masked, Words
from protocols.streams import stream
from simulation.audit.scene import Released, Scene, released
from simulation.run_folder import Row, RunFolder, RunFolderError

_MASKED = "masked"
_SPEC: TypeAdapter[ReferenceSpec] = TypeAdapter(ReferenceSpec)
Arrays = dict[str, Floats]


@dataclass(frozen=True)
class Sent:
    """One message that carried more than metrics.

    Attributes:
        scene: The seed that it belongs to.
        silo: Who sent it; its rows are rebuilt from the config, never read from the wire.
        epsilon: What the wire log says that it cost.
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
    """What left the silo for a published protocol: ``points`` (s, d), images of the support's atoms."""

    spec: TransportSpec
    points: Floats


def read_wire(folder: RunFolder, experiment: Experiment) -> Iterator[Sent]:
    """Yield what left the silos, metrics aside, in the order in which it did.

    Args:
        folder: A finished, simulated run.
        experiment: Its config.

    Yields:
        One a message.

    Raises:
        ValueError: If a message cannot be read or belongs to no reference or silo of the config.
    """
    scene_of = lru_cache(maxsize=None)(lambda seed: Scene.of(experiment, seed))
    asked = tuple(released(experiment))
    for number, row in enumerate(folder.wire(), start=1):
        where = f"{folder.path / 'wire.jsonl'}, line {number}"
        if not row.get("arrays") and not _masked(row):
            continue
        if row.get("seed") not in experiment.seeds:
            raise RunFolderError(f"{where}: seed {row.get('seed')} is none of the config's")
        scene = scene_of(row["seed"])
        silo = next((silo for silo in scene.world.silos if silo.name == row.get("silo")), None)
        if silo is None:
            raise RunFolderError(f"{where}: unknown silo {row.get('silo')!r}")
        path = folder.path / str(row["arrays"]) if row.get("arrays") else None
        yield _message(path, where, row, asked, (scene, silo, (row.get("privacy") or {}).get("epsilon")))


def _masked(row: Row) -> bool:
    return _MASKED in (row.get("round"), row.get("kind"))


def _message(
    path: Path | None,
    where: str,
    row: Row,
    asked: Sequence[Released],
    head: tuple[Scene, Silo, float | None],
) -> Sent:
    """Read what one row of the log stands for."""
    arrays, spec = {} if path is None else _arrays(path), _spec(where, row)
    if isinstance(spec, BarycenterReference | GeodesicReference):
        return RawPoints(*head, spec, _points(where, arrays, head[0].space.dimension))
    found = _released(where, row, [released for released in asked if released[0] == spec])
    if _masked(row):
        number = int(row.get("number") or 1)
        return MaskedVector(*head, found, number, _words(where, head[1].name, number, arrays))
    try:
        summary = read_summary(arrays, found[0], head[0].space.dimension)
    except ValueError as error:
        raise RunFolderError(f"{path} is not what {where} says: {error}") from None
    return Recorded(*head, found, summary)


def _arrays(path: Path) -> Arrays:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise RunFolderError(f"{path} is not a readable summary: {error}") from error


def _spec(where: str, row: Row) -> ReferenceSpec:
    if row.get("reference") is None:
        raise RunFolderError(
            f"{where} does not say which reference was summarised: it is of an older version, run again"
        )
    try:
        return _SPEC.validate_python(row["reference"])
    except ValidationError as error:
        raise RunFolderError(f"{where}: reference is not readable: {error.errors()[0]['msg']}") from None


def _released(where: str, row: Row, fits: Sequence[Released]) -> Released:
    """Find what the message answers: its reference, at the epsilon logged.

    A message that was logged with an epsilon that nobody asked for is held against the strictest bounds that
    its reference was asked for with; that it claims another cost is then found out.
    """
    if not fits:
        raise RunFolderError(f"{where}: the config asks for no such reference: {row['reference']}")
    epsilon = (row.get("privacy") or {}).get("epsilon")
    exact = [released for released in fits if released[1].epsilon == epsilon]
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


def _points(where: str, arrays: Arrays, dimension: int) -> Floats:
    moved = arrays.get("moved")
    if moved is None or moved.ndim != 2 or moved.shape[1] != dimension or not len(moved):
        found = {name: array.shape for name, array in arrays.items()}
        raise RunFolderError(f"{where}: a transport message holds 'moved' (s, {dimension}), got {found}")
    return moved
