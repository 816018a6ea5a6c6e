# SPDX-License-Identifier: Apache-2.0
"""Mechanisms: one file a kind of summary, each with its sensitivity derived in its docstring.

Unit of privacy: one row, added or removed. Every constant (clip radius, range, directions, grid) is public.
"""

from typing import Protocol, TypeVar

from tailweave.protocols.arrays import Floats
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.base import SummarisedReference
from tailweave.protocols.privacy.noise import Noise

Options = TypeVar("Options", bound=SummarisedReference, contravariant=True)
Released = TypeVar("Released", covariant=True)


class Mechanism(Protocol[Options, Released]):
    """What a module of this folder holds.

    Attributes:
        NAME: As the ledger keeps it.
        WORDS: What a report says of it.
    """

    NAME: str
    WORDS: str

    def multiplier(self, z: float, spec: Options, privacy: PrivacySpec) -> float:
        """Return the z that it needs to keep epsilon and delta where real-valued noise needs ``z``."""
        ...

    def noise_variance(self, spec: Options, z: float) -> Floats | None:
        """Return the noise variance of each coefficient of a sum; None if it releases no linear sum."""
        ...

    def privatise(
        self, rows: Floats, spec: Options, space: PublicSpace, z: float, *, noise: Noise
    ) -> Released:
        """Summarise features (n, d) with noise of ``z`` sensitivities."""
        ...
