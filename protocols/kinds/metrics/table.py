# SPDX-License-Identifier: Apache-2.0
"""What is measured of tables with declared columns: of their levels, their columns, and their rows."""

from typing import ClassVar, Literal

from tailweave.protocols.kinds.metrics.base import MetricKind

_SHARE = 1.0 + 1e-9
"""Highest of a share that is a mean or a sum."""


class _OfTable(MetricKind):
    takes: ClassVar = ("table",)


class RarestLevelRatio(_OfTable):
    """Least share that a rare level has kept, over its true share; rare is below 5 % of the true rows."""

    kind: Literal["rarest_level_ratio"]
    title: ClassVar = "rarest level kept"
    better: ClassVar = "higher"
    decimals: ClassVar = 2
    role: ClassVar = "main"
    place: ClassVar = 70
    rank: ClassVar = 40


class LevelsLost(_OfTable):
    """Rare levels that have less than a tenth of their true share."""

    kind: Literal["levels_lost"]
    title: ClassVar = "levels lost"
    better: ClassVar = "lower"
    decimals: ClassVar = 1
    role: ClassVar = "main"
    high: ClassVar = 1e6
    place: ClassVar = 71
    rank: ClassVar = 41


class LevelsUnmeasured(_OfTable):
    """Levels with so few true rows, below ten, that their share cannot be measured."""

    kind: Literal["levels_unmeasured"]
    title: ClassVar = "levels with too few rows"
    decimals: ClassVar = 1
    high: ClassVar = 1e9
    place: ClassVar = 72
    rank: ClassVar = 48


class RarestPairRatio(_OfTable):
    """Least share that a rare pair of levels has kept, over its true share; of the 20 rarest of ten rows."""

    kind: Literal["rarest_pair_ratio"]
    title: ClassVar = "rarest pair kept"
    better: ClassVar = "higher"
    decimals: ClassVar = 2
    place: ClassVar = 73
    rank: ClassVar = 46


class PairsLost(_OfTable):
    """Rare pairs of levels that have less than a tenth of their true share, of the 20 rarest."""

    kind: Literal["pairs_lost"]
    title: ClassVar = "pairs lost"
    better: ClassVar = "lower"
    decimals: ClassVar = 1
    role: ClassVar = "main"
    high: ClassVar = 20.0
    place: ClassVar = 74
    rank: ClassVar = 42


class ColumnDistance(_OfTable):
    """Total variation distance of a column's cells to the truth's, mean over columns; numbers by tenths."""

    kind: Literal["column_distance"]
    title: ClassVar = "distance of columns"
    better: ClassVar = "lower"
    decimals: ClassVar = 3
    role: ClassVar = "main"
    high: ClassVar = _SHARE
    place: ClassVar = 75
    rank: ClassVar = 43


class WorstColumnDistance(_OfTable):
    """Total variation distance to the truth of the column where it is largest."""

    kind: Literal["worst_column_distance"]
    title: ClassVar = "worst column"
    better: ClassVar = "lower"
    decimals: ClassVar = 3
    high: ClassVar = _SHARE
    place: ClassVar = 76
    rank: ClassVar = 45


class AssociationError(_OfTable):
    """How far the association of two columns is from the truth's, mean over pairs of columns."""

    kind: Literal["association_error"]
    title: ClassVar = "association error"
    better: ClassVar = "lower"
    decimals: ClassVar = 3
    role: ClassVar = "main"
    high: ClassVar = 2.0
    place: ClassVar = 77
    rank: ClassVar = 44


class SchemaViolations(_OfTable):
    """Rows in 10,000 that are not as the columns declare once written and read again: 0, or a fault."""

    kind: Literal["schema_violations"]
    title: ClassVar = "schema violations"
    better: ClassVar = "lower"
    decimals: ClassVar = 1
    high: ClassVar = 10_000.0
    place: ClassVar = 78
    rank: ClassVar = 47


class NovelShare(_OfTable):
    """Share of rows that equal none of the rows that their model was trained on."""

    kind: Literal["novel_share"]
    title: ClassVar = "rows never seen"
    decimals: ClassVar = 3
    high: ClassVar = 1.0
    sees: ClassVar = "training"
    place: ClassVar = 79
    rank: ClassVar = 49


class LevelShare(_OfTable):
    """Share of rows with one rare level."""

    kind: Literal["level_share"]
    per_class: ClassVar = True
    title: ClassVar = "share of a level"
    decimals: ClassVar = 4
    role: ClassVar = "part"
    high: ClassVar = 1.0
    place: ClassVar = 80


class LevelKept(_OfTable):
    """Share of rows with one rare level over its true share."""

    kind: Literal["level_kept"]
    per_class: ClassVar = True
    title: ClassVar = "kept of a level"
    better: ClassVar = "one"
    decimals: ClassVar = 2
    role: ClassVar = "part"
    place: ClassVar = 81


class PairShare(_OfTable):
    """Share of rows with one rare pair of levels."""

    kind: Literal["pair_share"]
    per_class: ClassVar = True
    title: ClassVar = "share of a pair"
    decimals: ClassVar = 4
    role: ClassVar = "part"
    high: ClassVar = 1.0
    place: ClassVar = 82


class PairKept(_OfTable):
    """Share of rows with one rare pair of levels over its true share."""

    kind: Literal["pair_kept"]
    per_class: ClassVar = True
    title: ClassVar = "kept of a pair"
    better: ClassVar = "one"
    decimals: ClassVar = 2
    role: ClassVar = "part"
    place: ClassVar = 83
