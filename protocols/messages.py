# SPDX-License-Identifier: Apache-2.0
"""The messages of the protocol: questions of the server, and a silo's answer to each.

``hello``: who is there and does it fit? ``summarise``: release a summary of your features once.
Under secure aggregation instead ``offer`` and ``masked``, in ``secure_sum_messages.py``; ``fit``, for FedAvg
over the generator, is in ``fit_messages.py``.
``transport``: map the atoms of a support onto your rows, for the published references that leak them.
``retrain``: bring one arm to a generation and report its metrics. Scalars are checked by type and range,
arrays by name, shape and finiteness; what does not fit is refused by ``ValueError``.
"""

from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import AfterValidator, ConfigDict, Field, model_validator

from tailweave.protocols.arrays import Floats, part_of
from tailweave.protocols.config.base import Spec
from tailweave.protocols.config.experiment import ArmSpec, Name
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.config.references import SummarisedSpec, TransportedSpec
from tailweave.protocols.config.training import GeneratorSpec, RecursionSpec
from tailweave.protocols.kinds.sources.base import ImageShape
from tailweave.protocols.kinds.sources.hashed_text import TextColumns
from tailweave.protocols.metrics import check_metric
from tailweave.protocols.visible import visible

SCHEMA_VERSION = 10
"""Raised whenever a message changes; both ends must have the same."""

MOST_ROWS = 10**9
"""That a silo may claim to hold."""

Generation = Annotated[int, Field(ge=0, le=1_000_000)]
ColumnName = Annotated[str, Field(min_length=1)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
MetricName = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(visible)]
_MEASURED = ("generations", "metrics", "values")


class Message(Spec):
    """What every message carries.

    Attributes:
        run: Names the run; state and caches of other runs are never touched.
        seed: Root seed of this repetition.
        arrays: Arrays by name; ``a/b`` is part b of a. All float64, but those that ``single`` names.
        single: What the names of arrays begin with that may be float32: a network's parameters.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)
    kind: ClassVar[str]
    type: ClassVar[str]
    single: ClassVar[tuple[str, ...]] = ()

    schema_version: Annotated[int, Field(ge=SCHEMA_VERSION, le=SCHEMA_VERSION)] = SCHEMA_VERSION
    run: Name
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    arrays: dict[str, Floats] = Field(default_factory=dict, exclude=True)

    def part(self, name: str) -> dict[str, Floats]:
        """Return the arrays whose names begin with ``name/``, without that prefix."""
        return part_of(self.arrays, name)

    @model_validator(mode="after")
    def _arrays_are_finite(self) -> Self:
        for name, array in self.arrays.items():
            finite = np.isfinite(array)
            if not finite.all():  # one entry is looked up: a copy of all that are wrong may be large
                raise ValueError(f"array {name!r} must be finite, got {array.flat[finite.argmin()]}")
        return self


OthersKind = Annotated[str, Field(pattern=r"^[a-z]+ [A-Za-z0-9_.-]{1,64}$")]


class Hello(Message):
    """Server: who are you, and do your data fit?

    ``columns`` and ``label`` where the federation's have names; ``standardized`` where its values were
    brought to a common scale, which a silo could not repeat; ``image`` where rows are images,
    ``text_columns`` where they are documents as hashed words, ``documents`` where they are documents as they
    are, ``declared`` where columns are declared: a digest of the declarations. ``base_digest`` is of the base
    generator, where each node has a file of it. ``kinds`` are rules, generators and references of other
    packages that the experiment wants, such as ``rule every-nth``.
    """

    kind: ClassVar[str] = "hello"
    type: ClassVar[str] = "query.hello"
    columns: tuple[ColumnName, ...] | None = None
    label: ColumnName | None = None
    standardized: bool = False
    base_digest: Digest | None = None
    image: ImageShape | None = None
    text_columns: TextColumns | None = None
    documents: bool = False
    declared: Digest | None = None
    kinds: Annotated[tuple[OthersKind, ...], Field(max_length=100)] = ()

    @model_validator(mode="after")
    def _rows_are_of_one_kind(self) -> Self:
        said = {"image": self.image is not None, "text-columns": self.text_columns is not None}
        said |= {"documents": self.documents, "declared": self.declared is not None}
        named = [name for name, true in said.items() if true]
        if len(named) > 1:
            raise ValueError(f"{' and '.join(named)} exclude each other")
        return self


class HelloReply(Message):
    """Silo: my name, my number of data columns, and about how many rows I hold (1, 2 or 5 times 10^k)."""

    kind: ClassVar[str] = "hello"
    silo: Name
    columns: Annotated[int, Field(ge=1, le=1_000_000)]
    rows_at_least: Annotated[int, Field(ge=0, le=MOST_ROWS)]

    @model_validator(mode="after")
    def _rows_are_a_bucket(self) -> Self:
        if rows_bucket(self.rows_at_least) != self.rows_at_least:
            raise ValueError(
                f"rows-at-least must be 0 or 1, 2 or 5 times a power of ten, got {self.rows_at_least}"
            )
        return self


class Summarise(Message):
    """Server: release a summary for this reference. Arrays: ``features/...``."""

    kind: ClassVar[str] = "summarise"
    type: ClassVar[str] = "query.summarise"
    reference: SummarisedSpec
    privacy: PrivacySpec

    @model_validator(mode="after")
    def _no_masks_are_asked_for(self) -> Self:
        if self.privacy.secure_aggregation:
            raise ValueError("secure-aggregation: true is asked for by offer and masked, not by summarise")
        return self


class SummariseReply(Message):
    """Silo: the summary, under the privacy bounds asked for. Arrays: those of the reference kind."""

    kind: ClassVar[str] = "summarise"
    silo: Name
    reference: SummarisedSpec
    privacy: PrivacySpec
    noise: Literal["none", "seeded", "system"]

    @model_validator(mode="after")
    def _noise_goes_with_epsilon(self) -> Self:
        if ((epsilon := self.privacy.epsilon) is None) != (self.noise == "none"):
            asked = "null allows only none" if epsilon is None else f"{epsilon:g} needs seeded or system"
            raise ValueError(f"noise: epsilon {asked}, got {self.noise}")
        return self


class TransportSupport(Message):
    """Server: map these atoms onto your rows. Arrays: ``features/...``, ``support`` (s, d).

    For ``barycenter`` the whole way, for ``geodesic`` the share ``interpolation`` of it.
    """

    kind: ClassVar[str] = "transport"
    type: ClassVar[str] = "query.transport"
    reference: TransportedSpec
    privacy: PrivacySpec
    turn: Annotated[int, Field(ge=1, le=1000)]

    @model_validator(mode="after")
    def _support_fits(self) -> Self:
        support = self.arrays.get("support")
        if support is None or support.ndim != 2 or len(support) != self.reference.support:
            found = None if support is None else support.shape
            raise ValueError(f"array 'support' must have {self.reference.support} rows, got {found}")
        if self.privacy.epsilon is not None:
            raise ValueError(
                f"projections of rows carry no noise: epsilon must be null, got {self.privacy.epsilon:g}"
            )
        return self


class TransportSupportReply(Message):
    """Silo: where the atoms go. Arrays: ``moved`` (s, d). Reveals projections of real rows."""

    kind: ClassVar[str] = "transport"
    silo: Name
    reference: TransportedSpec
    turn: Annotated[int, Field(ge=1, le=1000)]

    @model_validator(mode="after")
    def _only_atoms(self) -> Self:
        moved = self.arrays.get("moved")
        if set(self.arrays) != {"moved"} or moved is None or moved.ndim != 2:
            raise ValueError(f"a transport reply needs one matrix 'moved', got arrays {sorted(self.arrays)}")
        return self


class Retrain(Message):
    """Server: bring this arm to generation ``stop``; report the metrics from ``start`` on, if ``measured``.

    Arrays: ``features/...``, ``base/...`` (parameters of the public base generator; where each node has a
    file of it, only ``base_digest`` is sent), ``start/...`` (those of generation 0, where FedAvg made them),
    ``reference/...``, and ``evaluation/...`` where generations are measured in another space than
    ``features``; ``held-out/features`` (h, d) where silos measure against public rows, not their own,
    and ``held-out/texts`` where these are documents (``protocols.texts``); ``choices/questions`` for a
    language model to answer, as JSON lines.
    """

    kind: ClassVar[str] = "retrain"
    type: ClassVar[str] = "train.retrain"
    single: ClassVar[tuple[str, ...]] = ("base/",)
    arm: ArmSpec
    generator: GeneratorSpec
    recursion: RecursionSpec
    evaluation_samples: Annotated[int, Field(ge=20, le=20_000)] | None = None
    measured: bool = True
    start: Generation
    stop: Generation
    snapshots: tuple[Generation, ...] = ()
    base_digest: Digest | None = None

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> Self:
        if self.stop < self.start:
            raise ValueError(f"stop must be at least start = {self.start}, got {self.stop}")
        return self


class RetrainReply(Message):
    """Silo: metrics of the generations from ``start`` to ``stop``.

    Arrays: ``generations``, ``metrics`` (places in ``names``) and ``values``, each (k,): one entry a
    measurement, by generation, then by name; not every metric can be measured in every generation.
    There are none where none were asked for, and none if ``kept``: model, picks or measurement have seen the
    silo's own rows, and its owner keeps the numbers, whatever came of them.
    """

    kind: ClassVar[str] = "retrain"
    silo: Name
    arm: Name
    start: Generation
    stop: Generation
    kept: bool = False
    names: tuple[MetricName, ...] = ()

    def rows(self) -> dict[int, dict[str, float]]:
        """Return metrics by name for each generation, in the order in which they were sent."""
        found: dict[int, dict[str, float]] = {}
        if self.names:
            for generation, place, value in zip(*self._columns(), strict=True):
                found.setdefault(int(generation), {})[self.names[int(place)]] = float(value)
        return found

    def _columns(self) -> list[Floats]:
        return [self.arrays[name] for name in _MEASURED]

    @model_validator(mode="after")
    def _entries_fit(self) -> Self:
        if not self.names and not self.arrays:
            return self
        if self.kept:
            raise ValueError("a reply whose numbers are kept must bring none")
        if set(self.arrays) != set(_MEASURED):
            raise ValueError(
                f"a retrain reply needs arrays {', '.join(_MEASURED)}, got {sorted(self.arrays)}"
            )
        generations, places, values = self._columns()
        if generations.ndim != 1 or not generations.shape == places.shape == values.shape:
            raise ValueError(f"{', '.join(_MEASURED)} must be vectors of one length")
        if len(set(self.names)) != len(self.names):
            raise ValueError("names must differ")
        self._check_order(generations, places)
        for place, name in enumerate(self.names):
            reported = values[places == place]
            if not len(reported):
                raise ValueError(f"metric {name!r} is named and never measured")
            check_metric(name, float(reported.min()), float(reported.max()))
        return self

    def _check_order(self, generations: Floats, places: Floats) -> None:
        """Refuse entries that are not by generation, then by name, of every generation that is reported."""
        most = len(self.names)
        if not np.isin(places, np.arange(most)).all():
            raise ValueError(f"metrics must be places in names, whole numbers from 0 to {most - 1}")
        if not np.array_equal(np.unique(generations), np.arange(self.start, self.stop + 1)):
            raise ValueError(f"generations must be all from {self.start} to {self.stop}, and no others")
        if (np.diff(generations * most + places) <= 0).any():
            raise ValueError("entries must be by generation, then by name, each once")


def rows_bucket(rows: int) -> int:
    """Return the largest 1, 2 or 5 times a power of ten that is at most ``rows`` (0 for no rows)."""
    steps = [base * 10**power for power in range(len(str(rows))) for base in (1, 2, 5)]
    return max((step for step in steps if step <= rows), default=0)
