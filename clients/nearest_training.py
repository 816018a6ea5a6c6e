# SPDX-License-Identifier: Apache-2.0
"""A few generated samples, each with the training sample nearest to it: what memorisation looks like."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from tailweave.clients.samples import Samples
from tailweave.protocols.arrays import Floats
from tailweave.protocols.sorts import SortName

SHOWN_AS: Mapping[SortName, str] = {"image": "images", "text": "texts"}
"""Sorts that a report shows samples of, and how the files are called that hold them."""
SHOWN = 8
"""Samples that are kept of each generation."""
SHOWN_TEXTS = 4
"""Documents are kept of it: they take more of a page."""


def beside_nearest(
    generated: Samples, training: Samples, features: Floats, training_features: Floats
) -> dict[str, NDArray[Any]]:
    """Take the first generated samples and find the training sample nearest to each.

    The result holds real rows where the training rows are real: it must not leave the silo.

    Args:
        generated: Fresh samples, m of them, in random order.
        training: Training samples of the same generation, n of them.
        features: Of the generated in the space in which distances are measured, shape (m, d).
        training_features: Of the training samples, shape (n, d).

    Returns:
        ``generated`` and ``nearest``, each as the sort stores k = min(8, m) samples (of documents 4), and
        ``distance`` (k,), units of the space. Of training samples equally near the first is taken.
    """
    most = SHOWN_TEXTS if generated.sort.name == "text" else SHOWN
    shown = np.arange(min(most, len(generated)))
    distances = cdist(features[shown], training_features)  # (k, n)
    nearest = distances.argmin(axis=1)
    return {
        "generated": _stored(generated.take(shown)),
        "nearest": _stored(training.take(nearest)),
        "distance": distances[shown, nearest],
    }


def _stored(samples: Samples) -> NDArray[Any]:
    return samples.sort.stored(samples.values)["values"]
