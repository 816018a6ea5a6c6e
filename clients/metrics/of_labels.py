# SPDX-License-Identifier: Apache-2.0
"""All metrics of one generation of a model that labels inputs, on true inputs whose labels are known."""

import numpy as np

from tailweave.clients.generators import Labeller
from tailweave.clients.samples import Labels, Samples
from tailweave.protocols.arrays import Floats
from tailweave.protocols.metrics import CLASS_RECALL

MINORITY = 0.5
"""A class is a minority of a silo where it has less than this times its share of the truth there."""
_BINS = 10


def of_labels(model: Labeller, truth: Samples | None, own: Labels | None) -> dict[str, float]:
    r"""Measure what a model says of true inputs.

    Recall of a class is the share of its true inputs that the model gives to it.

    Args:
        model: The generation's model.
        truth: True inputs with their labels; without them nothing is measured.
        own: Labels of the silo's own rows, shape (m,); None where nobody may know. A class is a *minority* of
            the silo where its share among these is less than half of that in the truth.

    Returns:
        ``accuracy``; ``balanced_accuracy``, the mean recall of all classes; ``minority_recall``, that of the
        silo's minorities, where there are such and it is known; ``predicted_entropy``, the entropy of the
        predicted shares, in nats; ``calibration_error``, the mean distance between confidence and accuracy in
        ten bins of confidence, weighted by the inputs in each (Guo et al. 2017, eq. 3); and
        ``class_recall/<class>`` for each class.
    """
    if truth is None or truth.labels is None:
        return {}
    found, sure = model.judged(truth)
    right = found == truth.labels
    names, counts = np.unique(truth.labels, return_counts=True)
    recalls = np.array([float(right[truth.labels == name].mean()) for name in names])
    _, predicted = np.unique(found, return_counts=True)
    shares = predicted / predicted.sum()
    row = {
        "accuracy": float(right.mean()),
        "balanced_accuracy": float(recalls.mean()),
        "predicted_entropy": float(-(shares * np.log(shares)).sum()) + 0.0,  # + 0 makes -0 a 0
        "calibration_error": calibration_error(sure, right),
    }
    if own is not None:
        mine = np.array([float((own == name).mean()) for name in names])
        few = mine < MINORITY * counts / counts.sum()
        if few.any():
            row["minority_recall"] = float(recalls[few].mean())
    return row | {f"{CLASS_RECALL}{name}": float(recall) for name, recall in zip(names, recalls, strict=True)}


def calibration_error(confidence: Floats, right: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float:
    """Return the expected calibration error of n confidences (n,), each right or not (n,)."""
    bins = np.minimum((confidence * _BINS).astype(np.int64), _BINS - 1)
    sums = np.bincount(bins, weights=confidence - right, minlength=_BINS)
    return float(np.abs(sums).sum() / len(confidence))
