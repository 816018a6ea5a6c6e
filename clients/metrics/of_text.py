# SPDX-License-Identifier: Apache-2.0
"""All metrics of one generation of a language model beside true documents."""

from collections.abc import Mapping, Set

from tailweave.clients.metrics.modes import group_distance
from tailweave.clients.metrics.text.model_scores import Reader, concentration, perplexities
from tailweave.clients.metrics.text.word_network import word_network
from tailweave.clients.metrics.text.words import of_words
from tailweave.clients.metrics.yardstick import Yardstick
from tailweave.clients.samples import Samples
from tailweave.protocols.arrays import Floats
from tailweave.protocols.metrics import MODE_SHARE


def of_text(
    model: Reader,
    generated: Samples,
    truth: Yardstick,
    row: Mapping[str, float],
    own: Set[str] | None,
    training: Floats | None = None,
) -> dict[str, float]:
    """Measure the model itself, and the words of what it drew.

    Args:
        model: The generation's model.
        generated: Fresh documents of it.
        truth: True documents; without them nothing is measured.
        row: What was measured already; the shares of groups are taken from it.
        own: Groups that the silo has documents of; None where nobody may know.
        training: Features of what the model was trained on, shape (n, d), where these are known.

    Returns:
        Metrics by name.
    """
    if truth.samples is None:
        return {}
    documents = generated.values.tolist()
    found = perplexities(model, truth.samples, own) | concentration(model, truth.samples)
    if truth.judge is not None:
        shares = [row[f"{MODE_SHARE}{label}"] for label in truth.judge.labels]
        found["group_distance"] = group_distance(shares, truth.judge.truth_shares)
        if training is not None:
            picked = truth.judge.shares(training)
            found["picked_distance"] = group_distance(picked, truth.judge.truth_shares)
    return found | of_words(documents) | word_network(documents)
