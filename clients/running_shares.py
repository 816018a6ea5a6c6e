# SPDX-License-Identifier: Apache-2.0
"""How often each class has been predicted of late, and the weights that even it out."""

import numpy as np
from numpy.typing import ArrayLike

from tailweave.protocols.arrays import Floats


class RunningShares:
    r"""A running share of predicted classes.

    .. math:: \hat\pi \leftarrow m \hat\pi + (1 - m) b, \quad \hat\pi_0 = 1 / C

    with b the shares of classes in a batch.

    Source:
        DSBR (arXiv 2606.02339), public code.
    """

    def __init__(self, classes: int, *, momentum: float = 0.9) -> None:
        """Begin with equal shares.

        Args:
            classes: C, at least 1.
            momentum: m, in [0, 1): how much of the shares so far is kept at each batch.

        Raises:
            ValueError: If either is out of range.
        """
        if classes < 1:
            raise ValueError(f"classes must be at least 1, got {classes}")
        if not 0.0 <= momentum < 1.0:
            raise ValueError(f"momentum must be in [0, 1), got {momentum}")
        self._classes, self._momentum = classes, momentum
        self.reset()

    def reset(self) -> None:
        """Begin again with equal shares."""
        self._shares = np.full(self._classes, 1.0 / self._classes)

    @property
    def shares(self) -> Floats:
        """Pi, shape (C,), of sum 1; a copy."""
        return self._shares.copy()

    def take(self, predicted: ArrayLike) -> None:
        """Update the shares by a batch.

        Args:
            predicted: Class of each row, 0 to C - 1, shape (n,), n at least 1.

        Raises:
            ValueError: If there is no row, or a class out of range.
        """
        found = np.asarray(predicted, dtype=np.int64)
        if found.ndim != 1 or not len(found):
            raise ValueError(f"predicted must be one class a row, got shape {found.shape}")
        if found.min() < 0 or found.max() >= self._classes:
            raise ValueError(
                f"predicted must be classes 0 to {self._classes - 1}, got {found.min()} to {found.max()}"
            )
        batch = np.bincount(found, minlength=self._classes) / len(found)
        self._shares = self._momentum * self._shares + (1.0 - self._momentum) * batch

    def weights(self, predicted: ArrayLike) -> Floats:
        r"""Weigh rows by how rare their predicted class has been.

        .. math:: w_i = 1 / (C \hat\pi_{\hat y_i})

        A class that a batch of n brings has a share of at least (1 - m) / n after it, so weights are at most
        n / ((1 - m) C) if the batch was taken before.

        Args:
            predicted: Class of each row, 0 to C - 1, shape (n,).

        Returns:
            Shape (n,): 1 where all classes are named alike.

        Raises:
            ValueError: If the share of one of the classes has become 0, as momentum 0 can make it.
        """
        shares = self._shares[np.asarray(predicted, dtype=np.int64)]
        if (shares == 0.0).any():
            raise ValueError("predicted holds a class whose share is 0: take the batch before weighing it")
        return 1.0 / (self._classes * shares)
