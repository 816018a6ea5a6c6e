# SPDX-License-Identifier: Apache-2.0
"""How likely a network finds documents, and what it expects next; padding is never scored."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tailweave.clients.generators.language_model.sequences import Batch, Sequences, batches
from tailweave.clients.generators.language_model.tokens import Tokens
from tailweave.clients.neural.device import Place
from tailweave.clients.neural.extra import neural
from tailweave.protocols.arrays import Floats

if TYPE_CHECKING:
    import torch

BATCH = 128
"""Documents at a time."""


def log_probabilities(network: Any, tokens: Tokens, documents: Sequences, place: Place) -> Floats:  # noqa: ANN401
    """Return the mean log probability of a document's tokens, shape (n,).

    The token that ends a document is trained on, not scored; only a document without tokens is scored by it.
    The mean over tokens, the logarithm of one over the perplexity, makes documents of different length
    comparable.

    Source:
        ``MPP`` of the public code of arXiv 2410.12341: exp(mean negative log likelihood) of a document.
    """
    sums, counts = token_sums(network, tokens, documents, place)
    mean: Floats = sums / counts
    return mean


def token_sums(network: Any, tokens: Tokens, documents: Sequences, place: Place) -> tuple[Floats, Floats]:  # noqa: ANN401
    """Return the sum of the log probabilities of each document's tokens, and their number, both (n,)."""
    torch = neural("torch")
    whole = [[tokens.begin, *one] if one else [tokens.begin, tokens.end] for one in documents]
    sums = []
    with place.at_work(), torch.inference_mode():
        for span in batches(whole, BATCH):
            batch = Batch.of(whole[span], tokens.end, place.device)
            logits = network(input_ids=batch.ids, attention_mask=batch.mask).logits.float()
            sums.append(_scored(logits, batch).sum(dim=1).double().cpu().numpy())
    return np.concatenate(sums), np.array([len(one) - 1.0 for one in whole])


def _scored(logits: "torch.Tensor", batch: Batch) -> "torch.Tensor":
    """Return the log probability of each token given those before it, 0 for padding, shape (b, t - 1)."""
    likely = neural("torch").log_softmax(logits[:, :-1], dim=-1)
    chosen: torch.Tensor = likely.gather(2, batch.ids[:, 1:, None]).squeeze(2)
    return chosen * batch.mask[:, 1:]


def ending_means(  # noqa: D417 - the first three as above
    network: Any,  # noqa: ANN401 - transformers has no types
    tokens: Tokens,
    parts: Sequence[tuple[Sequence[int], Sequence[int]]],
    most: int,
    place: Place,
) -> Floats:
    """Return the mean log probability of the tokens of each ending after its context, shape (n,).

    Args:
        parts: Tokens of each context and of its ending.
        most: Tokens that the network reads; of a longer whole the beginning is left out.
    """
    torch = neural("torch")
    whole = [[tokens.begin, *[*before, *after][-most:]] for before, after in parts]
    lengths = [min(len(after), most) for _, after in parts]
    found = []
    with place.at_work(), torch.inference_mode():
        for span in batches(whole, BATCH):
            batch = Batch.of(whole[span], tokens.end, place.device)
            logits = network(input_ids=batch.ids, attention_mask=batch.mask).logits.float()
            scored = _scored(logits, batch).double().cpu().numpy()
            for row, one, length in zip(scored, whole[span], lengths[span], strict=True):
                found.append(row[len(one) - 1 - length : len(one) - 1].mean())
    return np.array(found)


def next_token(network: Any, tokens: Tokens, contexts: Sequences, place: Place) -> Floats:  # noqa: ANN401
    """Return the probability of every token after each context, shape (n, V)."""
    torch = neural("torch")
    whole = [[tokens.begin, *one] for one in contexts]
    found = []
    with place.at_work(), torch.inference_mode():
        for span in batches(whole, BATCH):
            batch = Batch.of(whole[span], tokens.end, place.device)
            logits = network(input_ids=batch.ids, attention_mask=batch.mask).logits
            last = batch.mask.sum(dim=1) - 1
            at = logits[torch.arange(len(last), device=place.device), last]
            found.append(torch.softmax(at.double(), dim=-1).cpu().numpy())
    joined: Floats = np.concatenate(found)
    return joined


def hidden_states(network: Any, tokens: Tokens, documents: Sequences, place: Place, batch: int) -> Floats:  # noqa: ANN401
    """Return the mean over a document's tokens of the last hidden state, shape (n, width).

    Of a document without tokens it is the state at its beginning.
    """
    torch = neural("torch")
    found = []
    with place.at_work(), torch.inference_mode():
        for span in batches(documents, batch):
            part = [[tokens.begin, *one] for one in documents[span]]
            padded = Batch.of(part, tokens.end, place.device)
            out = network(input_ids=padded.ids, attention_mask=padded.mask, output_hidden_states=True)
            counted = padded.mask.clone()
            counted[padded.mask.sum(dim=1) > 1, 0] = 0
            weights = (counted / counted.sum(dim=1, keepdim=True))[..., None]
            found.append((out.hidden_states[-1].float() * weights).sum(dim=1).double().cpu().numpy())
    joined: Floats = np.concatenate(found)
    return joined
