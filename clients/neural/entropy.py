# SPDX-License-Identifier: Apache-2.0
"""What test-time adaptation minimises: the entropy of predictions, plain or evened out over classes."""

from typing import TYPE_CHECKING

from tailweave.clients.neural.extra import neural
from tailweave.clients.running_shares import RunningShares

if TYPE_CHECKING:
    from torch import Tensor


def entropies(logits: "Tensor") -> "Tensor":
    r"""Entropy of the softmax of each row.

    .. math:: h_i = -\sum_c p_{ic} \log p_{ic}, \quad p_i = softmax(z_i)

    Args:
        logits: z, shape (n, C).

    Returns:
        Nats, 0 to log C, shape (n,), with gradient.

    Source:
        Wang et al. (2021), Tent, arXiv 2006.10726, equation 1: its loss is their mean.
    """
    logs = neural("torch").log_softmax(logits, dim=1)
    found: Tensor = -(logs.exp() * logs).sum(dim=1)
    return found


class BalancedEntropy:
    r"""Mean entropy of predictions, weighed by how rare the predicted class has been (DSBR).

    .. math:: L = \frac1n \sum_i \frac{h_i}{C \hat\pi_{\hat y_i}}, \quad \hat y_i = argmax_c z_{ic}

    with the shares of predicted classes after this batch (``RunningShares``). No gradient goes through them.
    Plain entropy falls fastest if all rows become the class that is named most already; here a class named
    often counts little. That holds classes to equal shares, right or wrong: where the truth is uneven, rows
    of frequent classes are pushed away from them.

    Source:
        DSBR (arXiv 2606.02339), public code.
    """

    def __init__(self, classes: int, *, momentum: float = 0.9) -> None:
        """Begin with equal shares: see ``RunningShares``, whose ``ValueError`` it raises."""
        self._shares = RunningShares(classes, momentum=momentum)

    def __call__(self, logits: "Tensor") -> "Tensor":
        """Take a batch, and return its loss.

        Args:
            logits: Shape (n, C), n at least 1.

        Returns:
            A scalar, with gradient.

        Raises:
            ValueError: If there is no row, or the columns are more than the classes.
        """
        predicted = logits.detach().argmax(dim=1).cpu().numpy()
        self._shares.take(predicted)
        weights = logits.new_tensor(self._shares.weights(predicted))
        loss: Tensor = (entropies(logits) * weights).mean()
        return loss

    @property
    def shares(self) -> list[float]:
        """The running shares, of sum 1."""
        found: list[float] = self._shares.shares.tolist()
        return found

    def reset(self) -> None:
        """Begin again with equal shares."""
        self._shares.reset()
