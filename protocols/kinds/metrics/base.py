# SPDX-License-Identifier: Apache-2.0
"""What every metric says of itself."""

from typing import Any, ClassVar, Literal

from tailweave.protocols.config.base import Spec, first_paragraph
from tailweave.protocols.sorts import SORTS, SortName

FARTHEST = 1e100
"""Of a distance, squared or not: means and variances over silos stay finite."""
LAST = 1000
DECLARED = ("title", "meaning", "better", "decimals", "role", "rank", "takes")
"""What a report needs to know of a metric."""


class MetricKind(Spec):
    """A metric of one generation against the truth; the docstring's first paragraph is its meaning.

    Attributes:
        kind: Its name in ``metrics.jsonl``; with ``per_class`` what stands before the slash.
        per_class: Whether there is one for each class, ``kind/<class>``; only tailweave's own may be such.
        title: Short name, as a column head.
        better: Which way is better; ``one`` is nearest to 1; None if neither way is.
        decimals: Decimals shown; None shows three digits of the largest value.
        role: ``main`` stands in every table of a report, ``other`` in that of all metrics, ``part`` in none.
        low: Smallest value that a silo may report.
        high: Largest one; together they keep one silo from ruling a mean.
        takes: Sorts of sample that it is for.
        sees: ``generated`` is computed of generated rows and the truth alone, ``training`` also of the rows
            that the model was trained on, ``report`` by the report, of other metrics: no silo sends it.
        place: Where it stands in a row of ``metrics.jsonl``.
        rank: Where it stands in a report.
    """

    kind: str
    per_class: ClassVar[bool] = False
    title: ClassVar[str] = ""
    better: ClassVar[Literal["higher", "lower", "one"] | None] = None
    decimals: ClassVar[int | None] = None
    role: ClassVar[Literal["main", "other", "part"]] = "other"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = FARTHEST
    takes: ClassVar[tuple[SortName, ...]] = SORTS
    sees: ClassVar[Literal["generated", "training", "report"]] = "generated"
    place: ClassVar[int] = LAST
    rank: ClassVar[int] = LAST

    @classmethod
    def declaration(cls) -> dict[str, Any]:
        """Return what a report needs to know of it, as JSON."""
        return {key: first_paragraph(cls) if key == "meaning" else getattr(cls, key) for key in DECLARED}
