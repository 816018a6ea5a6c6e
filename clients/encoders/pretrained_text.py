# SPDX-License-Identifier: Apache-2.0
"""Encoder of documents from a pretrained text model of the ``transformers`` library.

Only its name and a digest of its weights travel. A node never downloads what a server names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.encoders.pretrained import LONGEST_NAME, bytes_in, digest_of
from tailweave.clients.encoders.torch_use import one_torch_thread
from tailweave.clients.generators.language_model.sequences import Batch, batches
from tailweave.clients.neural.extra import neural
from tailweave.clients.neural.hub import folder_of
from tailweave.protocols.arrays import Floats
from tailweave.protocols.sorts import SortName

BATCH = 64
"""Documents at a time."""
_LONGEST = 512
"""Most tokens of a document that are looked at."""


@dataclass(frozen=True, eq=False)
class PretrainedText:
    """A frozen text model; a document's code is the mean of its last hidden states.

    Attributes:
        name: Folder or hub name.
        network: The loaded model.
        tokenizer: Its own.
        digest: SHA-256 of its weights.
    """

    name: str
    network: Any
    tokenizer: Any
    digest: bytes
    sort: ClassVar[SortName] = "text"

    @classmethod
    def download(cls, name: str, *, local: bool = False) -> "PretrainedText":
        """Load a model, from the hub if it is neither a folder nor in the cache, and that is not forbidden.

        Raises:
            ValueError: If it cannot be loaded.
        """
        if len(name.encode()) > LONGEST_NAME:
            raise ValueError(f"features.model must have at most {LONGEST_NAME} bytes, got {name[:60]}...")
        try:
            return cls(name, *_opened(folder_of(name, local=local)))
        except (OSError, ValueError, KeyError, ImportError) as error:
            reason = " ".join(str(error).split())[:300]
            raise ValueError(
                f"features.model {name}: cannot be loaded ({reason}); give a folder with config.json, "
                "model.safetensors and a tokenizer, or a hub name; on a silo the model must be there already"
            ) from None

    def __call__(self, rows: NDArray[Any]) -> Floats:
        """Encode documents (n,) as codes (n, e)."""
        return self._encoded(rows, BATCH)

    def alike(self, rows: NDArray[Any]) -> Floats:
        """Encode documents one by one; as a call, but the same bits for the same one on the same machine."""
        return self._encoded(rows, 1)

    def _encoded(self, rows: NDArray[Any], batch: int) -> Floats:
        torch, found = neural("torch"), []
        device = "cuda" if torch.cuda.is_available() else "cpu"
        network, texts = self.network.to(device), rows.tolist()
        pad = self.tokenizer.pad_token_id or 0  # any will do: padding is masked
        with one_torch_thread(), torch.inference_mode():
            for span in batches(texts, batch):
                ids = self.tokenizer(texts[span], truncation=True, max_length=self._longest)["input_ids"]
                part = Batch.of([one or [pad] for one in ids], pad, device)
                states = network(input_ids=part.ids, attention_mask=part.mask).last_hidden_state.float()
                weights = part.mask[..., None].float()
                mean = (states * weights).sum(dim=1) / weights.sum(dim=1)
                found.append(mean.double().cpu().numpy())
        joined: Floats = np.concatenate(found)
        return joined

    @property
    def _longest(self) -> int:
        positions = getattr(self.network.config, "max_position_embeddings", None) or _LONGEST
        return int(min(_LONGEST, positions, self.tokenizer.model_max_length))

    @property
    def columns(self) -> int:
        """A document is one column."""
        return 1

    def arrays(self) -> dict[str, Floats]:
        """Return the name as UTF-8 codes, and the digest of all weights (32 bytes)."""
        return {
            "text-model": np.frombuffer(self.name.encode(), dtype=np.uint8).astype(np.float64),
            "digest": np.frombuffer(self.digest, dtype=np.uint8).astype(np.float64),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> "PretrainedText":
        """Open an encoder from ``arrays()`` with the model that this node has; nothing is downloaded.

        Raises:
            ValueError: If parts are missing or odd, the node lacks the model, or has another one.
        """
        if "digest" not in arrays:
            raise ValueError("an encoder of documents by a pretrained model lacks array digest")
        name = bytes_in(arrays["text-model"], "text-model").decode("utf-8", errors="replace")
        opened = cls.download(name, local=True)
        if bytes_in(arrays["digest"], "digest") != opened.digest:
            raise ValueError(f"features.model {name}: this node has other weights under that name")
        return opened


@lru_cache(maxsize=2)
def _opened(folder: Path) -> tuple[Any, Any, bytes]:
    """Load a model, its tokenizer and digest; only safetensors, so that no file can run code."""
    transformers = neural("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        folder, trust_remote_code=False, local_files_only=True
    )
    model = transformers.AutoModel.from_pretrained(
        folder, use_safetensors=True, trust_remote_code=False, local_files_only=True
    )
    return model.eval().requires_grad_(False).float(), tokenizer, digest_of(model)
