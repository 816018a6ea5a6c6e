# SPDX-License-Identifier: Apache-2.0
"""Encoder of documents: the mean hidden state of the public base of generator ``language-model``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.generators.language_model.model import LanguageModel
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.generators.language_model import LanguageModelSpec
from tailweave.protocols.sorts import SortName
from tailweave.protocols.texts import packed, unpacked

_SPEC = "language-model"


@dataclass(frozen=True, eq=False)
class BaseStates:
    """The public base, which all silos are given."""

    model: LanguageModel
    sort: ClassVar[SortName] = "text"

    def __call__(self, rows: NDArray[Any]) -> Floats:
        """Encode documents (n,) as codes (n, width)."""
        return self.model.hidden_states(rows.tolist())

    def alike(self, rows: NDArray[Any]) -> Floats:
        """Encode documents one by one; as a call, but the same bits for the same one on the same machine."""
        return self.model.hidden_states(rows.tolist(), batch=1)

    @property
    def columns(self) -> int:
        """A document is one column."""
        return 1

    def arrays(self) -> dict[str, Floats]:
        """Return the model's options, weights and tokenizer; without prompts, which encode nothing."""
        named = {
            name: part.astype(np.float64) for name, part in self.model.arrays().items() if name != "prompts"
        }
        return {_SPEC: packed([self.model.spec.model_dump_json(by_alias=True)]), **named}

    @classmethod
    def of(cls, model: LanguageModel) -> "BaseStates":
        """Return the encoder of a base, which draws nothing and so needs no prompts."""
        spec = model.spec.model_copy(update={"prompts": "nothing", "start": "shared"})
        return cls(LanguageModel(spec, model.tokens, model.weights))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> "BaseStates":
        """Open an encoder that came over the wire.

        Raises:
            ValueError: If a part is missing or does not fit, or this node lacks the base.
        """
        try:
            (text,) = unpacked(arrays[_SPEC])
            spec = LanguageModelSpec.model_validate_json(text)
        except (KeyError, ValueError) as error:
            raise ValueError(f"encoder of a language model: {' '.join(str(error).split())[:300]}") from None
        return cls(LanguageModel.from_arrays(spec, arrays))
