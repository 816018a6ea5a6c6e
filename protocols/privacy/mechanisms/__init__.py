# SPDX-License-Identifier: Apache-2.0
"""Mechanisms: one file a kind of summary, each with its sensitivity derived in its docstring.

Unit of privacy: one row, added or removed. Every constant (clip radius, range, directions, grid) is public.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tailweave.protocols.arrays import Floats


@dataclass(frozen=True)
class Mechanism:
    """How summaries of one kind are noised.

    Attributes:
        name: As the ledger keeps it.
        words: What a report says of it.
        privatise: Summarises features (n, d) with noise of z sensitivities, drawn from ``noise``.
        noise_variance: Of each coefficient of a sum, by spec and z; None where there is no linear sum.
        multiplier: The z that keeps epsilon and delta where real-valued noise needs z, by (z, spec, privacy).
    """

    name: str
    words: str
    privatise: Callable[..., Any]
    noise_variance: Callable[..., Floats] | None = None
    multiplier: Callable[..., float] = lambda z, spec, privacy: z
