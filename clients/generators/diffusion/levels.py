# SPDX-License-Identifier: Apache-2.0
r"""Diffusion of levels: what stands in a block of columns goes to any level alike, and back.

A block of K levels (one more, where a row may have none of its columns) is a level at every time. Going
forth it stays with the chance that the Gaussian part keeps of its signal, else it is drawn anew:

.. math:: q(x_t | x_0) = \bar\alpha_t 1[x_t = x_0] + (1 - \bar\alpha_t) / K.

The network gives logits of the level at time 0; its loss is their cross entropy, mean over blocks, beside the
mean squared error of the columns of numbers. Going back from t to s, with p(x_0) what the network says,

.. math:: p(x_s | x_t) = \sum_{x_0} p(x_0) q(x_t | x_s) q(x_s | x_0) / q(x_t | x_0).

So a rare level comes back with its own chance: none is the nearest to a draw that lies between levels.

Source: Kotelnikov et al. (2023), TabDDPM, arXiv 2209.15421, sec. 3 (both parts beside each other); Hoogeboom
et al. (2021), arXiv 2102.05379, eqs. 11 to 13 (multinomial diffusion); Austin et al. (2021), arXiv
2107.03006, eq. 4 (the sum over x_0), which holds for any s < t, so that few steps will do.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tailweave.clients.neural.extra import neural
from tailweave.clients.sorts import Block

if TYPE_CHECKING:
    from torch import Tensor


def columns_of(blocks: Sequence[Block]) -> list[int]:
    """Return all columns of levels."""
    return [at for block in blocks for at in range(block.start, block.stop)]


def with_levels(noisy: "Tensor", clean: "Tensor", kept: "Tensor", blocks: Sequence[Block]) -> "Tensor":
    """Return noisy rows in which levels are levels, those of clean rows gone forth.

    Args:
        noisy: Standard normal in the columns of levels, of which the first of each block decides, (n, p).
        clean: Rows with 1 in the column of each level, shape (n, p).
        kept: What is left of the signal, in [0, 1], shape (n,).
        blocks: Columns of levels.
    """
    found = noisy.clone()
    for block in blocks:
        part = _with_none(clean[:, block.start : block.stop], block)
        chances = kept[:, None] * part + (1.0 - kept[:, None]) / part.shape[1]
        found[:, block.start : block.stop] = _drawn(chances, noisy[:, block.start], block)
    return found


def cross_entropy(logits: "Tensor", clean: "Tensor", blocks: Sequence[Block]) -> "Tensor":
    """Return the cross entropy of what the network says to the levels of clean rows, mean over blocks."""
    functional = neural("torch.nn.functional")
    losses = [
        functional.cross_entropy(
            _logits(logits, block), _with_none(clean[:, block.start : block.stop], block).argmax(dim=1)
        )
        for block in blocks
    ]
    mean: Tensor = neural("torch").stack(losses).mean()
    return mean


def earlier_levels(
    rows: "Tensor",
    logits: "Tensor",
    signal: tuple[float, float],
    noise: "Tensor",
    blocks: Sequence[Block],
) -> "Tensor":
    """Return rows with levels drawn for an earlier time, the other columns as they are.

    Args:
        rows: Rows at time t, shape (n, p).
        logits: What the network says of them, shape (n, p).
        signal: What is left of it at t and at the earlier time.
        noise: Standard normal, shape (n, b), a column a block.
        blocks: Columns of levels, b of them.
    """
    now, before = signal
    found = rows.clone()
    for place, block in enumerate(blocks):
        here = _with_none(rows[:, block.start : block.stop], block)
        count = here.shape[1]
        first = _logits(logits, block).softmax(dim=1) / (now * here + (1.0 - now) / count)
        stays = now / before
        reached = before * first + (1.0 - before) / count * first.sum(dim=1, keepdim=True)
        chances = (stays * here + (1.0 - stays) / count) * reached
        found[:, block.start : block.stop] = _drawn(chances, noise[:, place], block)
    return found


def _logits(said: "Tensor", block: Block) -> "Tensor":
    """Return the logits of a block's levels, 0 for none of its columns."""
    part: Tensor = said[:, block.start : block.stop].float()
    return part if block.whole else neural("torch.nn.functional").pad(part, (0, 1))


def _with_none(part: "Tensor", block: Block) -> "Tensor":
    """Return levels with one more for none of the columns, where that may be."""
    if block.whole:
        return part
    torch = neural("torch")
    found: Tensor = torch.cat([part, 1.0 - part.sum(dim=1, keepdim=True)], dim=1)
    return found


def _drawn(chances: "Tensor", noise: "Tensor", block: Block) -> "Tensor":
    """Return 1 in the column of a level drawn by its chance, by the place of a normal among all normals."""
    torch = neural("torch")
    ends = chances.cumsum(dim=1)
    place = torch.special.ndtr(noise.to(ends.dtype))[:, None] * ends[:, -1:]
    own = (place >= ends).sum(dim=1).clamp(max=ends.shape[1] - 1)
    found: Tensor = torch.nn.functional.one_hot(own, ends.shape[1])[:, : block.stop - block.start]
    return found.to(chances.dtype)
