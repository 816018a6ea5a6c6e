# SPDX-License-Identifier: Apache-2.0
"""What a language model makes of true documents: perplexity, and how concentrated its next token is."""

from collections.abc import Set
from typing import Protocol

import numpy as np

from tailweave.clients.metrics.text.word_network import gini
from tailweave.clients.samples import Samples
from tailweave.protocols.arrays import Floats
from tailweave.protocols.metrics import GROUP_PERPLEXITY

CONTEXTS = 200
"""Beginnings of true documents after which the next token is looked at."""
_TOP, _LIKELIEST = 10, 100
_LARGEST = 100.0
"""Of the logarithm of a perplexity: the mean over silos stays finite."""


class Reader(Protocol):
    """What is asked of a model."""

    @property
    def context(self) -> int:
        """Tokens of a context."""
        ...

    def encode(self, documents: list[str]) -> list[list[int]]:
        """Return the tokens of each document."""
        ...

    def token_sums(self, documents: list[str]) -> tuple[Floats, Floats]:
        """Return the sum of the log probabilities of each document's tokens, and their number."""
        ...

    def next_token(self, contexts: list[list[int]]) -> Floats:
        """Return the probability of every token after each context, shape (n, V)."""
        ...


def perplexities(model: Reader, truth: Samples, own: Set[str] | None) -> dict[str, float]:
    r"""Return perplexity on true documents: of all, by group, and of a silo's own and unseen groups.

    .. math:: \exp\left(-\frac{\sum_i \log p(x_i)}{\sum_i |x_i|}\right)

    over the tokens of all documents together.

    Args:
        model: The model.
        truth: Held-out documents; their labels are their groups.
        own: Groups that the silo has documents of; None where nobody may know.

    Returns:
        ``perplexity``; with groups ``group_perplexity/<group>``; with ``own`` also ``perplexity_own`` and
        ``perplexity_unseen``, where there are such; none above e^100.
    """
    sums, counts = model.token_sums(truth.values.tolist())

    def of(chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
        return float(np.exp(min(-sums[chosen].sum() / counts[chosen].sum(), _LARGEST)))

    found = {"perplexity": of(np.ones(len(truth), dtype=np.bool_))}
    if truth.labels is None:
        return found
    if own is not None:
        mine = np.isin(truth.labels, sorted(own))
        parts = {"perplexity_own": mine, "perplexity_unseen": ~mine}
        found |= {name: of(chosen) for name, chosen in parts.items() if chosen.any()}
    groups = sorted({str(label) for label in truth.labels})
    return found | {f"{GROUP_PERPLEXITY}{group}": of(truth.labels == group) for group in groups}


def concentration(model: Reader, truth: Samples) -> dict[str, float]:
    """Return how much probability the likeliest next tokens have after fixed contexts.

    The contexts are the first tokens of the first 200 true documents that are long enough. Of the
    probabilities after each: the largest, the sum of the ten largest, and of the hundred largest, scaled to
    sum to 1, the entropy in nats and the Gini coefficient; each averaged over contexts.

    Args:
        model: The model.
        truth: Held-out documents.

    Returns:
        ``top1_mass``, ``top10_mass``, ``next_token_entropy``, ``next_token_gini``; nothing where no document
        is long enough.

    Source:
        arXiv 2410.12341 stores the 100 largest probabilities after fixed contexts; which number it made of
        them is in no public code, so all four stand here.
    """
    encoded = model.encode(truth.values.tolist())
    contexts = [one[: model.context] for one in encoded if len(one) >= model.context][:CONTEXTS]
    if not contexts:
        return {}
    likeliest = -np.sort(-model.next_token(contexts), axis=1)[:, :_LIKELIEST]
    shares = likeliest / likeliest.sum(axis=1, keepdims=True)
    logs = np.log(np.where(shares > 0.0, shares, 1.0))
    return {
        "top1_mass": float(likeliest[:, 0].mean()),
        "top10_mass": float(likeliest[:, :_TOP].sum(axis=1).mean()),
        "next_token_entropy": float(-(shares * logs).sum(axis=1).mean()),
        "next_token_gini": float(np.mean([gini(row) for row in shares])),
    }
