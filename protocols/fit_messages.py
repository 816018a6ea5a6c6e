# SPDX-License-Identifier: Apache-2.0
"""The two messages of FedAvg over the generator: fit from this model; here is what I came to."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from tailweave.protocols.config.experiment import Name
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.config.starts import StartedSpec
from tailweave.protocols.config.training import GeneratorSpec
from tailweave.protocols.messages import Message
from tailweave.protocols.parameters import check_shapes

Turn = Annotated[int, Field(ge=1, le=1000)]


class FitParameters(Message):
    """Server: go on from this model on your own rows. Arrays: ``model/...``, see ``protocols.parameters``."""

    kind: ClassVar[str] = "fit"
    type: ClassVar[str] = "train.fit"
    generator: GeneratorSpec
    privacy: PrivacySpec
    turn: Turn

    @model_validator(mode="after")
    def _parameters_may_be_asked_for(self) -> Self:
        if not isinstance(self.generator, StartedSpec) or self.generator.start != "federated":
            raise ValueError("parameters are asked for with generator.start: federated only")
        if not self.privacy.allow_parameter_release or self.privacy.epsilon is not None:
            raise ValueError(
                "parameters carry no noise: privacy must have allow-parameter-release: true and epsilon: null"
            )
        check_shapes(self.generator, self.part("model"))
        return self


class FitParametersReply(Message):
    """Silo: the parameters after local steps. Arrays: ``model/...``. Without noise."""

    kind: ClassVar[str] = "fit"
    silo: Name
    turn: Turn

    @model_validator(mode="after")
    def _only_a_model(self) -> Self:
        if not self.arrays or len(self.part("model")) != len(self.arrays):
            raise ValueError(
                f"a fit reply needs arrays 'model/...' and no others, got {sorted(self.arrays)[:8]}"
            )
        return self
