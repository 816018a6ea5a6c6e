# SPDX-License-Identifier: Apache-2.0
"""Options of the generator ``language-model``: network, prompts, drawing, training, and what it runs on."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tailweave.protocols.config.base import Spec
from tailweave.protocols.config.starts import UnaveragedStart, anchored_start
from tailweave.protocols.kinds.generators.base import GeneratorKind, anchored_base, check_base
from tailweave.protocols.kinds.rules.base import SURPRISE

if TYPE_CHECKING:
    from numpy.typing import NDArray

Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0.0)]
_BYTES = 256
_SPECIAL = 1
"""Tokens that a byte-level vocabulary always has: every byte, and the end of a document."""
ADAPTER = "lora_"
"""Stands in the name of every weight of an adapter."""
_MATRIX = 2
_AROUND = 2
"""Positions of a network of its own beside those of a document: its begin and its end."""
_BLOCK = re.compile(r"transformer\.h\.(\d{1,6})\.")


class TransformerSpec(Spec):
    """A transformer of GPT-2's form that begins with random weights, and a byte-level BPE of its own."""

    vocabulary: Annotated[int, Field(ge=_BYTES + _SPECIAL, le=200_000)] = 1024
    width: Annotated[int, Field(ge=4, le=16_384)] = 128
    layers: Annotated[int, Field(ge=1, le=200)] = 2
    heads: Annotated[int, Field(ge=1, le=256)] = 4

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width must be a multiple of heads = {self.heads}, got {self.width}")
        return self


class LoraSpec(Spec):
    """Low-rank adapters beside all linear layers: the only weights that later generations change."""

    rank: Annotated[int, Field(ge=1, le=1024)] = 16
    alpha: Rate = 16.0
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0


class LanguageModelSpec(GeneratorKind):
    """A causal language model of documents; each refit goes on from the one before.

    ``base`` is a folder or hub name of a pretrained model, which brings its own tokenizer. A document is its
    first ``real-tokens`` + ``synthetic-tokens`` tokens. What is drawn continues the beginning of a ``public``
    document or of one of the silo's ``own``, or comes from ``nothing``: then all its tokens are synthetic.
    ``temperature`` alone decides how fast probability concentrates, so it has no default.
    """

    kind: Literal["language-model"]
    large: ClassVar = True
    public_samples: ClassVar = 1000
    takes: ClassVar = ("text",)
    scores: ClassVar = (SURPRISE,)
    varies: ClassVar = ("prompts", "real_tokens", "synthetic_tokens", "temperature", "top_p")
    start: UnaveragedStart = "shared"
    network: TransformerSpec | None = None
    base: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    lora: LoraSpec | None = None
    prompts: Literal["nothing", "public", "own"] = "nothing"
    real_tokens: Positive = 32
    synthetic_tokens: Positive = 32
    temperature: Annotated[float, Field(gt=0.0, le=10.0)]
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    drawing_batch: Positive = 512
    first_epochs: Annotated[int, Field(ge=0)] = 30
    epochs: Positive = 2
    batch_size: Positive = 16
    first_learning_rate: Rate | None = None
    learning_rate: Rate = 5e-4
    learning_schedule: Literal["cosine", "linear", "constant"] = "cosine"
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.01
    gradient_clip: Rate = 1.0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    @property
    def tokens(self) -> int:
        """Most tokens of a document."""
        return self.real_tokens + self.synthetic_tokens

    @property
    def own_network(self) -> TransformerSpec:
        """The network where no base brings one."""
        return self.network or TransformerSpec()

    @property
    def sees_own(self) -> str | None:
        """What of it looks at the silo's own rows, beside a start that does."""
        return "generator.prompts: own" if self.prompts == "own" else None

    @property
    def opened_models(self) -> tuple[str, ...]:
        """The base: every silo opens it, for only what was trained is kept and sent."""
        return (self.base,) if self.base is not None else ()

    def anchored(self, folder: Path) -> Self:
        """Return the same with a base that is a folder there, and a file of the start, taken from it."""
        moved = {"start": anchored_start(self.start, folder), "base": anchored_base(self.base, folder)}
        return self.model_copy(update=moved)

    def varied(self, options: Mapping[str, Any]) -> Self:
        """As for all; a document must stay as long, and public beginnings are cut for the base alone.

        Raises:
            ValueError: If they do not, or an option may not differ or has a wrong value.
        """
        found = super().varied(options)
        if found.tokens != self.tokens:
            raise ValueError(
                f"generator.real-tokens + synthetic-tokens must be {self.tokens} in every arm, got "
                f"{found.tokens}"
            )
        beginnings = [(one.prompts, one.real_tokens) for one in (found, self)]
        if found.prompts == "public" and beginnings[0] != beginnings[1]:
            raise ValueError(
                "generator.prompts: public in an arm needs the same prompts and real-tokens as generator has"
            )
        return found

    def training_steps(self, rows: int, *, first: bool) -> int:
        """Return batches times epochs."""
        return -(-rows // self.batch_size) * (self.first_epochs if first else self.epochs)

    def misfit(self, parameters: "Mapping[str, NDArray[Any]]") -> str | None:
        """Say which size differs, in the words of the options."""
        adapted = any(ADAPTER in name for name in parameters)
        if (self.base is not None) != ("digest" in parameters):
            what = "a pretrained base" if "digest" in parameters else "a network of its own"
            return f"is of {what}, generator.base is {self.base or 'not given'}"
        if adapted != (self.lora is not None):
            return (
                f"has {'' if adapted else 'no '}adapters, generator.lora is {self.lora and 'given' or 'not'}"
            )
        if self.prompts == "public" and "prompts" not in parameters:
            return "has no beginnings of public documents, generator.prompts is public"
        return self._of_other_sizes(parameters) if self.base is None else None

    def _of_other_sizes(self, parameters: "Mapping[str, NDArray[Any]]") -> str | None:
        """Compare the sizes that weights show with the options; a small corpus has fewer tokens."""
        own, found = self.own_network, _sizes(parameters)
        wanted = {
            "network.width": own.width,
            "network.layers": own.layers,
            "network.heads": own.heads,
            "real-tokens + synthetic-tokens": self.tokens,
        }
        if found.get("network.vocabulary", 0) > own.vocabulary:
            wanted["network.vocabulary"] = own.vocabulary
        for name, size in wanted.items():
            if found.get(name, size) != size:
                return f"is of {found[name]} {name.removeprefix('network.')}, generator.{name} is {size}"
        return None

    @property
    def in_steps(self) -> str:
        """Documents of a step, and what drawing costs."""
        new = self.tokens if self.prompts == "nothing" else self.synthetic_tokens
        return f"{self.batch_size} documents a step, {new} network calls a document drawn"

    def parameters(self, columns: int) -> int | None:
        """Return the weights of a network of its own, at most: a small corpus has a smaller vocabulary."""
        if self.base is not None:
            return None
        own = self.own_network
        block = 12 * own.width**2 + 13 * own.width
        return own.width * (own.vocabulary + self.tokens + 2) + own.layers * block + 2 * own.width

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        check_base(self.base, self.network, self.first_epochs)
        return self


def _sizes(parameters: "Mapping[str, NDArray[Any]]") -> dict[str, int]:
    """Read the sizes of a network of its own off its parameters, as far as they are there, by option."""
    found, blocks = {}, [-1]
    for name, part in parameters.items():
        if name.endswith("transformer.wte.weight") and part.ndim == _MATRIX:
            found["network.vocabulary"], found["network.width"] = part.shape
        if name.endswith("transformer.wpe.weight") and part.ndim == _MATRIX:
            found["real-tokens + synthetic-tokens"] = len(part) - _AROUND
        if name == "heads" and part.size == 1:
            found["network.heads"] = int(part.sum())
        if block := _BLOCK.search(name):
            blocks.append(int(block[1]))
    return found | ({"network.layers": max(blocks) + 1} if len(blocks) > 1 else {})
