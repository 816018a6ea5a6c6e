# SPDX-License-Identifier: Apache-2.0
"""Token sequences of different lengths as one batch, in which padding is never looked at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tailweave.clients.neural.extra import neural

if TYPE_CHECKING:
    import torch

Sequences = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Batch:
    """Sequences of one batch, padded at their ends.

    Attributes:
        ids: Token numbers, shape (b, t).
        mask: 1 for a token and 0 for padding, shape (b, t).
    """

    ids: "torch.Tensor"
    mask: "torch.Tensor"

    @classmethod
    def of(cls, sequences: Sequences, pad: int, device: str) -> "Batch":
        """Pad sequences to the longest of them; ``pad`` is any token, for it is masked."""
        torch = neural("torch")
        longest = max(len(one) for one in sequences)
        ids = torch.tensor([[*one, *[pad] * (longest - len(one))] for one in sequences], device=device)
        lengths = torch.tensor([len(one) for one in sequences], device=device)
        mask = (torch.arange(longest, device=device)[None] < lengths[:, None]).long()
        return cls(ids, mask)


def batches(sequences: Sequences, size: int) -> Iterator[slice]:
    """Return spans of at most ``size`` sequences."""
    yield from (slice(start, start + size) for start in range(0, len(sequences), size))
