# SPDX-License-Identifier: Apache-2.0
"""How much generated rows differ from each other."""

from typing import ClassVar, Literal

from tailweave.protocols.kinds.metrics.base import MetricKind


class Vendi(MetricKind):
    """Effective number of distinct samples."""

    kind: Literal["vendi"]
    title: ClassVar = "Vendi"
    better: ClassVar = "higher"
    role: ClassVar = "main"
    low: ClassVar = 1.0 - 1e-9
    high: ClassVar = 400.0 * (1.0 + 1e-9)  # rows among which different ones are looked for
    place: ClassVar = 8
    rank: ClassVar = 4


class VarianceRatio(MetricKind):
    """Total variance over that of the truth."""

    kind: Literal["variance_ratio"]
    title: ClassVar = "variance kept"
    better: ClassVar = "one"
    decimals: ClassVar = 2
    role: ClassVar = "main"
    place: ClassVar = 9
    rank: ClassVar = 5


class EntropyKl(MetricKind):
    """Differential entropy (Kozachenko–Leonenko), in nats."""

    kind: Literal["entropy_kl"]
    title: ClassVar = "entropy"
    low: ClassVar = -1e9  # of a million coordinates within 1e100, each adds at most 231 nats
    high: ClassVar = 1e9
    place: ClassVar = 10
    rank: ClassVar = 13
