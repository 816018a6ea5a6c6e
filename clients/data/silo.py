# SPDX-License-Identifier: Apache-2.0
"""What each silo holds: cut from a simulated world, or read from a node's own file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import overload

from tailweave.clients.data.digest import digest_of
from tailweave.clients.data.held_out import split, stratified
from tailweave.clients.data.partitions import Cut, partition
from tailweave.clients.data.public import public_rows
from tailweave.clients.data.sources import load_rows
from tailweave.clients.samples import UNLABELLED, DataError, Samples
from tailweave.protocols.config.data import DataSpec, PublicSpec, SilosSpec
from tailweave.protocols.streams import stream

MOST_EVALUATION = 10_000
"""Most rows of the truth that a simulation measures by: each generation on each silo is compared with all."""


@dataclass(frozen=True)
class Silo:
    """The private rows of one client.

    Attributes:
        name: Name of the silo.
        train: Samples that the silo summarises and trains on.
        heldout: Samples that it keeps aside to measure itself.
    """

    name: str
    train: Samples
    heldout: Samples

    @cached_property
    def digest(self) -> str:
        """By what its rows are known again on this node; never sent."""
        return digest_of(self.train, self.heldout)


@dataclass(frozen=True, eq=False)
class Silos(Sequence[Silo]):
    """The silos of a simulation, each cut out of all rows when it is looked at: a thousand fill no memory.

    Attributes:
        rows: All training rows.
        cut: Which of them each silo has.
        spec: How many silos there are, and what each holds.
        seed: Root seed of the run.
    """

    rows: Samples
    cut: Cut
    spec: SilosSpec
    seed: int

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.cut.parts)

    @overload
    def __getitem__(self, index: int) -> Silo: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Silo]: ...

    def __getitem__(self, index: int | slice) -> Silo | Sequence[Silo]:
        """Cut out one silo, or several."""
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        name, rows = self.cut.names[index], self.rows.take(self.cut.parts[index])
        silo = _silo(name, rows, self.spec.heldout_fraction, self.seed)
        return _labelled(silo, self.spec, self.seed)

    def __iter__(self) -> Iterator[Silo]:
        """Cut out one after another."""
        return (self[index] for index in range(len(self)))


@dataclass(frozen=True)
class World:
    """All rows of a simulation; only a simulation has one.

    Attributes:
        evaluation: The truth that metrics compare with; in no silo, not public; 10,000 rows at most.
        train: All other rows, including those that no silo holds: the oracle's reference.
        public: Those of ``train`` that the public base generator was fitted on.
        silos: The silos, disjoint parts of ``train``.
        draws: How often the partition into silos was drawn until each had rows enough.
        unmeasured: Rows that were held out besides ``evaluation``, which nothing is compared with.
    """

    evaluation: Samples
    train: Samples
    public: Samples
    silos: Sequence[Silo]
    draws: int = 1
    unmeasured: int = 0

    @property
    def silo_names(self) -> tuple[str, ...]:
        """Names of the silos."""
        return self.silos.cut.names if isinstance(self.silos, Silos) else tuple(s.name for s in self.silos)


def simulated_world(data: DataSpec, silos: SilosSpec, public: PublicSpec, *, seed: int) -> World:
    """Cut the truth into evaluation rows, public rows and silos.

    The same arguments give the same (cached) world, so all arms of a seed share it; a table that changes on
    disk is read again after ``forget_worlds``.

    Args:
        data: Where the rows come from, and the share kept for evaluation.
        silos: Number and kind of silos, and the share that each holds out.
        public: The share of the training rows that is public.
        seed: Root seed of the run.

    Returns:
        The world; a share of n rows is rounded to a whole number between 1 and n - 1, and the evaluation rows
        are such a share of every class.

    Raises:
        DataError: If the rows cannot be read or cut as asked.
    """
    return _world(data, silos, public.model_dump_json(), seed)


def forget_worlds() -> None:
    """Read and cut all data anew from now on: for whoever begins something in a process that lives on."""
    _world.cache_clear()


@lru_cache(maxsize=8)
def _world(data: DataSpec, silos: SilosSpec, public: str, seed: int) -> World:
    # The public spec comes as JSON because the mapping inside it cannot be hashed.
    train, evaluation, unmeasured = _held_out(data, seed)
    cut = partition(train, silos, rng=stream(seed, "data", "partition"))
    found = Silos(train, cut, silos, seed)
    for _ in found:  # refuses what cannot be cut
        pass
    return World(
        evaluation=evaluation,
        train=train,
        public=public_rows(train, PublicSpec.model_validate_json(public), rng=stream(seed, "data", "public")),
        silos=found,
        draws=cut.draws,
        unmeasured=unmeasured,
    )


def _labelled(silo: Silo, silos: SilosSpec, seed: int) -> Silo:
    """Return a silo of whose training rows so many have a label; of its held-out rows all have one."""
    if silos.labelled is None:
        return silo
    rows = silo.train
    if rows.labels is None:
        raise DataError("silos.labelled needs labels, but the data has none")
    if silos.labelled > len(rows):
        raise DataError(
            f"silos.labelled must be at most the {len(rows)} training rows of {silo.name}, got "
            f"{silos.labelled}"
        )
    order = stream(seed, "data", "labelled", silo.name).permutation(len(rows))
    labels = rows.labels.copy()
    labels[order[silos.labelled :]] = UNLABELLED
    return replace(silo, train=replace(rows, labels=labels))


def _held_out(data: DataSpec, seed: int) -> tuple[Samples, Samples, int]:
    """Return all training rows, the truth that metrics compare with, and how many more were held out."""
    rows, held_out = load_rows(data, seed=seed)
    if held_out is None:
        rng = stream(seed, "data", "evaluation")
        rows, held_out = stratified(rows, data.held_out_share, "the data", rng=rng)
    every = len(held_out)
    if every > MOST_EVALUATION:
        rng = stream(seed, "data", "evaluation", "some")
        held_out = stratified(held_out, MOST_EVALUATION / every, "the evaluation rows", rng=rng)[1]
    return rows, held_out, every - len(held_out)


def silo_of(name: str, rows: Samples, heldout_fraction: float, *, seed: int) -> Silo:
    """Make the silo of a real node.

    Values stay as they are: a node that scaled by its own rows would no longer measure in the units of the
    others.

    Args:
        name: Name of the silo.
        rows: All its rows.
        heldout_fraction: Share of the rows to hold out, above 0 and below 1.
        seed: Root seed of the run.

    Returns:
        The silo.

    Raises:
        DataError: If there are fewer than 2 rows, or the share is out of range.
    """
    if not 0.0 < heldout_fraction < 1.0:
        raise DataError(f"heldout-fraction must be above 0 and below 1, got {heldout_fraction}")
    return _silo(name, rows, heldout_fraction, seed)


def check_silo_size(world: World, minimum: int) -> None:
    """Refuse a world in which a silo has too few training rows.

    Args:
        world: The world.
        minimum: Rows that each silo must have to train on.

    Raises:
        DataError: Naming the first silo with fewer.
    """
    for silo in world.silos:
        if len(silo.train) < minimum:
            raise DataError(
                f"every silo needs at least {minimum} training rows, but {silo.name} has {len(silo.train)}: "
                "use fewer silos, more rows or a smaller heldout-fraction"
            )


def _silo(name: str, rows: Samples, heldout_fraction: float, seed: int) -> Silo:
    train, heldout = split(rows, heldout_fraction, name, rng=stream(seed, "data", "heldout", name))
    return Silo(name, train, heldout)
