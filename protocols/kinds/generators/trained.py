# SPDX-License-Identifier: Apache-2.0
"""Options that all networks of rows share: how they are trained, and what they run on."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tailweave.protocols.kinds.generators.base import LocalOrShared

Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0.0)]


class Trained(LocalOrShared):
    """A network that is trained in epochs, each refit going on from the one before; no kind of its own."""

    large: ClassVar = True
    first_epochs: Annotated[int, Field(ge=0)] = 300
    epochs: Positive = 50
    batch_size: Positive = 128
    learning_rate: Rate = 1e-3
    learning_schedule: Literal["cosine", "constant"] = "cosine"
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.0
    gradient_clip: Rate = 1.0
    ema_decay: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.99
    warm_start: bool = True
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def training_steps(self, rows: int, *, first: bool) -> int:
        """Return batches times epochs."""
        return -(-rows // self.batch_size) * (
            self.first_epochs if first or not self.warm_start else self.epochs
        )
