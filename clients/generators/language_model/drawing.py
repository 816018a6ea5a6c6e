# SPDX-License-Identifier: Apache-2.0
"""Drawing documents: continuations of prompts, many at a time, with the network's cache."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tailweave.clients.generators.language_model.sequences import batches
from tailweave.clients.generators.language_model.tokens import Tokens
from tailweave.clients.neural.device import Place
from tailweave.clients.neural.extra import neural

SLACK = 8
"""Tokens that a continuation may be shorter than asked, as published."""


@dataclass(frozen=True)
class Drawing:
    """How documents are drawn.

    Attributes:
        new: Tokens that are drawn for each, at most.
        temperature: What logits are divided by.
        top_p: Share of the probability that is drawn from, the likeliest tokens first.
        batch: Documents at a time.
    """

    new: int
    temperature: float
    top_p: float
    batch: int


def draw(
    network: Any,  # noqa: ANN401 - transformers has no types
    tokens: Tokens,
    prompts: Sequence[Sequence[int]],
    how: Drawing,
    place: Place,
    seed: int,
) -> list[list[int]]:
    """Continue prompts.

    torch's global generators, from which transformers draws, are put back as they were. On a GPU other
    numbers are drawn than on the CPU.

    Args:
        network: On ``place``.
        tokens: Its tokenizer.
        prompts: Token numbers, of one length that may be 0.
        how: See ``Drawing``.
        place: Device and precision.
        seed: Of what is drawn.

    Returns:
        Prompt and continuation of each, without begin and end.

    Source:
        Holtzman et al. (2020), arXiv 1904.09751, for ``top_p``.
    """
    torch = neural("torch")
    config = neural("transformers").GenerationConfig(
        do_sample=True,
        temperature=how.temperature,
        top_p=how.top_p,
        top_k=0,
        max_new_tokens=how.new,
        min_new_tokens=max(1, how.new - SLACK),
        pad_token_id=tokens.end,
        eos_token_id=tokens.end,
        bos_token_id=tokens.begin,
    )
    devices = [torch.cuda.current_device()] if place.device == "cuda" else []
    found: list[list[int]] = []
    with torch.random.fork_rng(devices=devices), place.at_work(), torch.inference_mode():
        torch.manual_seed(seed)
        for span in batches(prompts, how.batch):
            ids = torch.tensor([[tokens.begin, *one] for one in prompts[span]], device=place.device)
            out = network.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)
            found += [_ended(row, tokens.end) for row in out[:, 1:].tolist()]
    return found


def _ended(row: list[int], end: int) -> list[int]:
    return row[: row.index(end)] if end in row else row


def cycled(prompts: np.ndarray[Any, Any], count: int, rng: np.random.Generator) -> list[list[int]]:
    """Take ``count`` prompts at random, each as often as any other, give or take one."""
    rounds = [rng.permutation(len(prompts)) for _ in range(-(-count // len(prompts)))]
    chosen: list[list[int]] = prompts[np.concatenate(rounds)[:count]].tolist()
    return chosen
