# SPDX-License-Identifier: Apache-2.0
"""What became of real rows in synthetic ones: groups that are lost, distances, copies."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from tailweave.clients.metrics.lost_groups import ALPHA, Group, lost_groups
from tailweave.simulation.report.wording import counted, listed
from tailweave.simulation.run_folder import write_json
from tailweave.simulation.score.distances import Copies, Distance, copies, distances
from tailweave.simulation.score.groups import count_groups
from tailweave.simulation.score.sides import Sides

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions, RenderableType

FORMAT = "tailweave-score/1"
"""Of the JSON; changes when a key is renamed or means something else."""
_NAMED = 10
"""Lost groups that the answer names."""


@dataclass(frozen=True, repr=False)
class Score:
    """Synthetic rows beside real ones.

    Attributes:
        real_rows: How many real rows there are.
        synthetic_rows: How many synthetic rows there are.
        compared: What a row is.
        alpha: Chance that any group is called lost or thinner where synthetic rows are drawn as real ones.
        groups: Those that were looked for; a pair with a level that is lost itself says nothing more.
        distances: Metrics by name, beside those of one half of the real rows against the other.
        copied: Synthetic rows that equal a real one in every column.
        repeated: Real rows that equal another real one.
        notes: What else should be known.
    """

    real_rows: int
    synthetic_rows: int
    compared: str
    alpha: float
    groups: tuple[Group, ...]
    distances: Mapping[str, Distance]
    copied: int
    repeated: int
    notes: tuple[str, ...]

    @property
    def lost(self) -> tuple[str, ...]:
        """Names of the groups that are lost."""
        return tuple(group.name for group in self.groups if group.verdict == "lost")

    @property
    def thinner(self) -> tuple[str, ...]:
        """Names of the groups that are rarer beyond chance, though not below half."""
        return tuple(group.name for group in self.groups if group.verdict == "thinner")

    @property
    def headline(self) -> str:
        """The answer in a sentence."""
        tested = sum(group.verdict != "too few rows" for group in self.groups)
        if not tested:
            return "No group can be judged: too few rows"
        if not self.lost:
            return f"No group of {tested} is lost"
        more = [f"{len(self.lost) - _NAMED} more"] if len(self.lost) > _NAMED else []
        names = listed([*self.lost[:_NAMED], *more])
        return f"{len(self.lost)} of {counted(tested, 'group')} lost: {names}"

    @property
    def rule(self) -> str:
        """What lost means, and how often that is said in error."""
        return (
            "Lost: below half of the real share, and Fisher's exact test (Tarone, Holm) rules out chance. "
            "Were the synthetic rows drawn as the real ones, any group at all would be called lost or "
            f"thinner with a probability of at most {self.alpha:g}."
        )

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it, numbers not rounded."""
        return {
            "format": FORMAT,
            "real-rows": self.real_rows,
            "synthetic-rows": self.synthetic_rows,
            "compared": self.compared,
            "false-alarm-rate": self.alpha,
            "lost": list(self.lost),
            "groups": [_told(group) for group in self.groups],
            "distances": {
                name: {"synthetic": vars(one.synthetic), "real-half": vars(one.real)}
                for name, one in self.distances.items()
            },
            "copies": {"synthetic-equal-to-real": self.copied, "real-equal-to-real": self.repeated},
            "notes": list(self.notes),
        }

    def write_json(self, path: Path) -> None:
        """Write ``as_json``, whole or not at all."""
        write_json(path, self.as_json())

    def write_page(self, path: Path) -> None:
        """Write a page of its own, that works offline."""
        from tailweave.simulation.score.page import write_page

        write_page(self, path)

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[RenderableType]":
        """Give rich the tables, and the answer."""
        from tailweave.simulation.score.terminal import drawn

        yield from drawn(self)

    def __repr__(self) -> str:
        """Return the answer."""
        return (
            f"Score({self.synthetic_rows:,} synthetic beside {self.real_rows:,} real rows: {self.headline})"
        )


def _told(group: Group) -> dict[str, Any]:
    low, high = group.interval or (None, None)
    return {
        "group": group.name,
        "real": group.real,
        "synthetic": group.synthetic,
        "real-share": group.real_share,
        "synthetic-share": group.synthetic_share,
        "kept": group.kept,
        "kept-interval": None if low is None else [low, high],
        "p-value": group.p_value,
        "verdict": group.verdict,
    }


def score(given: Sides, alpha: float = ALPHA) -> Score:
    """Compare synthetic rows with real ones.

    Args:
        given: Both sides.
        alpha: False-alarm rate of all groups together, in (0, 1).

    Raises:
        ValueError: If ``alpha`` is out of range.
    """
    real, synthetic = given.real, given.synthetic
    with threadpool_limits(1):  # sums would round otherwise on another number of cores
        found = count_groups(real, synthetic, given.label)
        judged = lost_groups(
            [one.name for one in found],
            [one.real for one in found],
            [one.synthetic for one in found],
            (len(real), len(synthetic)),
            alpha,
        )
        measured = distances(real, synthetic)
    gone = {group.name for group in judged if group.verdict == "lost"}
    told = [(group, one) for group, one in zip(judged, found, strict=True) if not gone & set(one.within)]
    groups = [group for group, _ in told if group.real]
    invented = [group.name for group, one in told if not group.real and not one.within]
    copied = copies(real, synthetic)
    return Score(
        len(real),
        len(synthetic),
        str(real.sort),
        alpha,
        tuple(sorted(groups, key=_first)),
        measured,
        copied.synthetic,
        copied.real,
        (*given.notes, *_on_invented(invented), *_on_copies(copied, len(real), len(synthetic))),
    )


def _on_invented(names: list[str]) -> list[str]:
    more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
    return [f"synthetic rows alone have {listed([*names[:_NAMED], *more])}"] if names else []


def _on_copies(copied: Copies, real: int, synthetic: int) -> list[str]:
    """Warn of copies; where many real rows are equal, others may well equal them too."""
    if copied.all_the_same:
        return ["both sides hold the same rows: is one file given for both?"]
    if copied.synthetic == synthetic and 2 * copied.real < real:
        return ["every synthetic row equals a real one, and most real rows differ: they are copies"]
    return []


_ORDER = ("lost", "thinner", "kept", "too few rows")


def _first(group: Group) -> tuple[int, float, str]:
    return _ORDER.index(group.verdict), group.real_share, group.name
