# SPDX-License-Identifier: Apache-2.0
"""A fitted language model: trained weights, a tokenizer, and what its documents begin with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.generators import Around
from tailweave.clients.generators.course import NOTHING_BESIDE, Course
from tailweave.clients.generators.language_model.drawing import Drawing, cycled, draw
from tailweave.clients.generators.language_model.network import (
    Weights,
    built,
    pretrained,
    put_weights,
    weights_of,
)
from tailweave.clients.generators.language_model.scoring import (
    BATCH,
    ending_means,
    hidden_states,
    log_probabilities,
    next_token,
    token_sums,
)
from tailweave.clients.generators.language_model.tokens import Tokens
from tailweave.clients.generators.language_model.training import train
from tailweave.clients.neural.device import Place, place_of
from tailweave.clients.samples import TEXT, Samples, Sort
from tailweave.protocols.arrays import Floats, Ints, part_of
from tailweave.protocols.kinds.generators.language_model import LanguageModelSpec
from tailweave.protocols.texts import packed, unpacked

_WEIGHTS = "weights/"


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A causal language model.

    Attributes:
        spec: Options of training and drawing.
        tokens: Its tokenizer.
        weights: Trained parameters by torch's names, float32; with adapters on a base the adapters alone.
        prompts: Beginnings that drawing continues, shape (m, ``real-tokens``); None to draw from nothing.
    """

    spec: LanguageModelSpec
    tokens: Tokens
    weights: Weights
    prompts: Ints | None = None

    @classmethod
    def fit(
        cls,
        spec: LanguageModelSpec,
        samples: Samples,
        *,
        rng: np.random.Generator,
        previous: "LanguageModel | None" = None,
        course: Course = NOTHING_BESIDE,
    ) -> "LanguageModel":
        """Train on documents: from the base or from nothing at first, then on from the previous model.

        Args:
            spec: Options.
            samples: n >= 1 documents; of each the first ``spec.tokens`` tokens are learnt.
            rng: Stream of first weights and order.
            previous: Model of the generation before, whose tokenizer and prompts are kept.
            course: Whom to tell, and where to keep an unfinished state.

        Returns:
            The model.

        Raises:
            ValueError: If a base cannot be had, no document is long enough for a prompt, the loss is not
                finite, or a package is missing.
        """
        documents = samples.values.tolist()
        seed = int(rng.integers(2**31))  # drawn in any case: what follows must not depend on the start
        tokens = _tokens(spec, documents, course) if previous is None else previous.tokens
        place, network = place_of(spec), built(spec, tokens, seed)
        if previous is not None:
            put_weights(network, spec, previous.weights)
        network.to(place.device)
        sequences = tokens.encode(documents, spec.tokens)
        train(network, tokens, sequences, spec, place, (course, rng, previous is None))
        prompts = previous.prompts if previous is not None else None
        if previous is None and spec.prompts == "public":
            prompts = _prompts(sequences, spec.real_tokens)
        return cls(spec, tokens, weights_of(network, spec), prompts)

    def primed(self, around: Around) -> "LanguageModel":
        """Return the same; with ``prompts: own`` one whose documents begin as the silo's own do.

        Raises:
            ValueError: If none is long enough.
        """
        if self.spec.prompts != "own" or around.own is None:
            return self
        sequences = self.tokens.encode(around.own.values.tolist(), self.spec.real_tokens)
        return replace(self, prompts=_prompts(sequences, self.spec.real_tokens))

    @cached_property
    def _place(self) -> Place:
        return place_of(self.spec)

    @cached_property
    def _network(self) -> Any:  # noqa: ANN401 - transformers has no types
        network = built(self.spec, self.tokens, 0)
        put_weights(network, self.spec, self.weights)
        return network.to(self._place.device)

    def sample(self, count: int, *, rng: np.random.Generator) -> Samples:
        """Draw documents, shape (count,)."""
        spec = self.spec
        nothing = self.prompts is None
        how = Drawing(
            spec.tokens if nothing else spec.synthetic_tokens,
            spec.temperature,
            spec.top_p,
            spec.drawing_batch,
        )
        prompts: list[list[int]] = [[]] * count if self.prompts is None else cycled(self.prompts, count, rng)
        seed = int(rng.integers(2**63))
        drawn = draw(self._network, self.tokens, prompts, how, self._place, seed)
        return Samples.of(self.tokens.decode(drawn), sort=TEXT)

    @property
    def context(self) -> int:
        """Tokens after which the next one is looked at: half a document, whatever an arm's prompts are."""
        return self.spec.tokens // 2

    def encode(self, documents: Sequence[str]) -> list[list[int]]:
        """Return the tokens of each document that the model looks at."""
        return self.tokens.encode(documents, self.spec.tokens)

    def log_probabilities(self, samples: Samples) -> Floats:
        """Return the mean log probability of each document's tokens, shape (n,): comparable over lengths."""
        documents = self.encode(samples.values.tolist())
        return log_probabilities(self._network, self.tokens, documents, self._place)

    def token_sums(self, documents: Sequence[str]) -> tuple[Floats, Floats]:
        """Return the sum of the log probabilities of each document's tokens, and their number."""
        return token_sums(self._network, self.tokens, self.encode(documents), self._place)

    def ending_means(self, contexts: Sequence[str], endings: Sequence[str]) -> Floats:
        """Return the mean log probability of each ending's tokens after its context and a space, (n,)."""
        most = self.spec.tokens
        before = self.tokens.encode(contexts)
        after = self.tokens.encode([f" {ending}" for ending in endings], most)
        parts = list(zip(before, after, strict=True))
        return ending_means(self._network, self.tokens, parts, most, self._place)

    def next_token(self, contexts: Sequence[Sequence[int]]) -> Floats:
        """Return the probability of every token after each context, shape (n, V)."""
        return next_token(self._network, self.tokens, contexts, self._place)

    def hidden_states(self, documents: Sequence[str], *, batch: int = BATCH) -> Floats:
        """Return the mean last hidden state of each document, shape (n, width)."""
        return hidden_states(self._network, self.tokens, self.encode(documents), self._place, batch)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return weights, tokenizer and heads (or a base's digest), public prompts; never own ones."""
        spec = self.spec
        named: dict[str, NDArray[Any]] = {f"{_WEIGHTS}{name}": part for name, part in self.weights.items()}
        if spec.base is None:
            named["tokenizer"] = packed([self.tokens.json]).astype(np.float32)
            named["heads"] = np.array([spec.own_network.heads], dtype=np.float32)  # no weight tells them
        else:
            named["digest"] = packed([pretrained(spec.base).digest]).astype(np.float32)
        if self.prompts is not None and spec.prompts == "public":
            named["prompts"] = self.prompts.astype(np.float32)
        return named

    @classmethod
    def from_arrays(
        cls, spec: LanguageModelSpec, arrays: Mapping[str, NDArray[Any]], sort: Sort | None = None
    ) -> "LanguageModel":
        """Rebuild from ``arrays()``; whatever the sort, it draws documents.

        Raises:
            ValueError: If a part is missing or does not fit, or the base is another one here.
        """
        tokens = _tokens_in(spec, arrays)
        _check_size(spec, arrays)
        weights = {name: part.astype(np.float32) for name, part in part_of(arrays, _WEIGHTS[:-1]).items()}
        prompts = arrays.get("prompts") if spec.prompts == "public" else None  # a base's, for another arm
        if spec.prompts == "public" and prompts is None:
            raise ValueError("a language model of prompts: public lacks array prompts")
        model = cls(spec, tokens, weights, None if prompts is None else _checked(prompts, spec, tokens))
        _ = model._network  # refuses weights that do not fit
        return model


def _check_size(spec: LanguageModelSpec, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Refuse options of a larger network than was sent, before it is built."""
    sent = sum(part.size for name, part in arrays.items() if name.startswith(_WEIGHTS))
    own = spec.own_network
    wanted = own.layers * own.width**2 * 12 if spec.base is None else 0
    if wanted + (spec.lora.rank if spec.lora else 0) > sent:
        raise ValueError(f"weights do not fit the network: {sent} numbers, the options describe more")


def _tokens(spec: LanguageModelSpec, documents: Sequence[str], course: Course) -> Tokens:
    if spec.base is not None:
        return pretrained(spec.base, local=course.offline).tokens
    return Tokens.trained(documents, spec.own_network.vocabulary)


def _tokens_in(spec: LanguageModelSpec, arrays: Mapping[str, NDArray[Any]]) -> Tokens:
    name = "tokenizer" if spec.base is None else "digest"
    if name not in arrays:
        raise ValueError(f"a language model lacks array {name}")
    found = unpacked(arrays[name])
    if len(found) != 1:
        raise ValueError(f"language model array {name} must hold one text, got {len(found)}")
    if spec.base is None:
        return Tokens.read(found[0])
    base = pretrained(spec.base)
    if base.digest != found[0]:
        raise ValueError(f"generator.base {spec.base}: this node has other weights under that name")
    return base.tokens


def _prompts(sequences: Sequence[Sequence[int]], real: int) -> Ints:
    """Return the beginnings of the documents that are long enough, shape (m, real)."""
    long = [list(one[:real]) for one in sequences if len(one) >= real]
    if not long:
        raise ValueError(f"generator.real-tokens: none of {len(sequences)} documents has {real} tokens")
    return np.array(long, dtype=np.int64)


def _checked(prompts: NDArray[Any], spec: LanguageModelSpec, tokens: Tokens) -> Ints:
    whole = prompts.astype(np.int64)
    fits = prompts.ndim == 2 and prompts.shape[1] == spec.real_tokens and (whole == prompts).all()
    if not fits or not len(whole) or whole.min() < 0 or whole.max() >= tokens.size:
        raise ValueError(f"prompts must be whole token numbers (m, {spec.real_tokens}), got {prompts.shape}")
    return whole
