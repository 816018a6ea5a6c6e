# SPDX-License-Identifier: Apache-2.0
"""What is measured of a model that labels inputs, on true inputs whose labels are known."""

from typing import ClassVar, Literal

from tailweave.protocols.kinds.metrics.base import MetricKind


class _OfLabels(MetricKind):
    decimals: ClassVar = 3
    high: ClassVar = 1.0


class Accuracy(_OfLabels):
    """Share of true inputs that the model labels right."""

    kind: Literal["accuracy"]
    title: ClassVar = "accuracy"
    better: ClassVar = "higher"
    role: ClassVar = "main"
    place: ClassVar = 60
    rank: ClassVar = -1


class MinorityRecall(_OfLabels):
    """Mean recall of the classes that a silo has less than half their true share of."""

    kind: Literal["minority_recall"]
    title: ClassVar = "minority recall"
    better: ClassVar = "higher"
    role: ClassVar = "main"
    place: ClassVar = 61
    rank: ClassVar = -2


class BalancedAccuracy(_OfLabels):
    """Mean recall of all classes."""

    kind: Literal["balanced_accuracy"]
    title: ClassVar = "balanced accuracy"
    better: ClassVar = "higher"
    place: ClassVar = 62
    rank: ClassVar = 30


class PredictedEntropy(_OfLabels):
    """Entropy of the shares of the classes that the model predicts, in nats."""

    kind: Literal["predicted_entropy"]
    title: ClassVar = "entropy of predictions"
    high: ClassVar = 100.0
    place: ClassVar = 63
    rank: ClassVar = 31


class CalibrationError(_OfLabels):
    """Mean distance between how sure the model is and how often it is right, over ten bins."""

    kind: Literal["calibration_error"]
    title: ClassVar = "calibration error"
    better: ClassVar = "lower"
    place: ClassVar = 64
    rank: ClassVar = 32


class ClassRecall(_OfLabels):
    """Share of one class's true inputs that the model gives to it."""

    kind: Literal["class_recall"]
    per_class: ClassVar = True
    title: ClassVar = "recall of a class"
    better: ClassVar = "higher"
    role: ClassVar = "part"
    place: ClassVar = 65
