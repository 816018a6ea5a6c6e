# SPDX-License-Identifier: Apache-2.0
"""Documents as token numbers, and back: a byte-level BPE of the corpus's own, or a pretrained model's."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tailweave.clients.neural.extra import neural

END = "<|endoftext|>"
"""Ends a document, and stands before its first token."""


@dataclass(frozen=True)
class Tokens:
    """A tokenizer.

    Attributes:
        json: The tokenizer, as the ``tokenizers`` library writes it.
        end: Number of the token that ends a document.
        begin: Number of the token before the first one.
    """

    json: str
    end: int
    begin: int

    @classmethod
    def trained(cls, documents: Sequence[str], vocabulary: int) -> "Tokens":
        """Train a byte-level BPE of at most ``vocabulary`` tokens; every string has tokens under it.

        Source:
            Sennrich, Haddow & Birch (2016), arXiv 1508.07909; on bytes as Radford et al. (2019).
        """
        tokenizers = neural("tokenizers")
        model = tokenizers.Tokenizer(tokenizers.models.BPE())
        model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        model.decoder = tokenizers.decoders.ByteLevel()
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=[END],
            initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # or it complains after a fork
        model.train_from_iterator(documents, trainer)
        return cls.read(model.to_str())

    @classmethod
    def read(cls, json: str) -> "Tokens":
        """Open what ``trained`` made.

        Raises:
            ValueError: If it is no tokenizer, or has no token that ends a document.
        """
        try:
            end = neural("tokenizers").Tokenizer.from_str(json).token_to_id(END)
        except Exception as error:  # noqa: BLE001 - what the library raises
            raise ValueError(f"not a tokenizer: {' '.join(str(error).split())[:200]}") from None
        if end is None:
            raise ValueError(f"the tokenizer has no token {END}")
        return cls(json, end, end)

    @cached_property
    def _model(self) -> Any:  # noqa: ANN401 - tokenizers has no types
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        model = neural("tokenizers").Tokenizer.from_str(self.json)
        model.encode_special_tokens = True  # a document that quotes the end does not end there
        return model

    @property
    def size(self) -> int:
        """Number of tokens."""
        return int(self._model.get_vocab_size())

    def encode(self, documents: Sequence[str], most: int | None = None) -> list[list[int]]:
        """Return the first ``most`` tokens of each document (None: all), without begin and end."""
        found = self._model.encode_batch_fast(list(documents), add_special_tokens=False)
        return [one.ids[:most] for one in found]

    def decode(self, sequences: Sequence[Sequence[int]]) -> list[str]:
        """Return the documents; half a character becomes the replacement character."""
        decoded: list[str] = self._model.decode_batch([list(one) for one in sequences])
        return decoded
