# SPDX-License-Identifier: Apache-2.0
"""Encoder from a pretrained vision model of the ``transformers`` library, such as DINOv2 or CLIP.

Only its name and a digest of its weights travel. A node never downloads what a server names: its owner puts
the model there, and it must be the very one that the server has.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from tailweave.clients.encoders.torch_use import ImageShape, encoded, encoded_alike, image_of
from tailweave.clients.neural.extra import neural
from tailweave.protocols.arrays import Floats
from tailweave.protocols.sorts import SortName

if TYPE_CHECKING:
    import torch

BATCH = 64
"""Images at a time."""
LONGEST_NAME = 300
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and deviation of the three colours where a model does not say what it was trained with."""


@dataclass(frozen=True, eq=False)
class _Network:
    """A loaded model, and how it wants its images."""

    model: Any
    digest: bytes
    side: tuple[int, int]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class PretrainedEncoder:
    """A frozen vision model.

    Pixels are cut to [0, 1], grey is repeated for the three colours, images are scaled to the model's own
    size (bicubic) and standardized as the model says. The code is what the model itself pools: CLIP's
    projected image, else the pooled output, else the mean over tokens.

    Attributes:
        name: Folder or hub name.
        image: (channels, height, width) of the data; one or three channels.
        network: The loaded model.
    """

    sort: ClassVar[SortName] = "image"
    name: str
    image: ImageShape
    network: _Network

    @classmethod
    def download(cls, name: str, image: ImageShape) -> Self:
        """Load a model, from the hub if it is neither a folder nor in the cache.

        Raises:
            ValueError: If it cannot be loaded, or images have neither one nor three channels.
        """
        if len(name.encode()) > LONGEST_NAME:
            raise ValueError(f"features.model must have at most {LONGEST_NAME} bytes, got {name[:60]}...")
        return cls(name, _colours(image), _network(name, local=False))

    def __call__(self, rows: Floats) -> Floats:
        """Encode images (n, p) as codes (n, e)."""
        encode, device = self._encode()
        return encoded(rows, self.image, BATCH, encode, device)

    def alike(self, rows: Floats) -> Floats:
        """Encode images one by one; as a call, but the same bits for the same image on the same machine."""
        encode, device = self._encode()
        return encoded_alike(rows, self.image, encode, device)

    def _encode(self) -> "tuple[Callable[[torch.Tensor], torch.Tensor], str]":
        device = "cuda" if neural("torch").cuda.is_available() else "cpu"
        model = self.network.model.to(device)
        return lambda x: _pooled(model, _prepared(self.network, x)), device

    @property
    def columns(self) -> int:
        """p, the number of data columns."""
        return math.prod(self.image)

    def arrays(self) -> dict[str, Floats]:
        """Return image shape, the name as UTF-8 codes, and the digest of all weights (32 bytes)."""
        return {
            "image": np.array(self.image, dtype=np.float64),
            "model": np.frombuffer(self.name.encode(), dtype=np.uint8).astype(np.float64),
            "digest": np.frombuffer(self.network.digest, dtype=np.uint8).astype(np.float64),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> Self:
        """Open an encoder from ``arrays()`` with the model that this node has; nothing is downloaded.

        Raises:
            ValueError: If parts are missing or odd, the node lacks the model, or has another one.
        """
        image = _colours(image_of(arrays, ("model", "digest")))
        name = name_in(arrays["model"])
        network = _network(name, local=True)
        if bytes_in(arrays["digest"], "digest") != network.digest:
            raise ValueError(f"features.model {name}: this node has other weights under that name")
        return cls(name, image, network)


def name_in(array: Floats) -> str:
    """Return the model's name from array ``model`` of ``PretrainedEncoder.arrays``.

    Raises:
        ValueError: If it holds no bytes, or too many.
    """
    return bytes_in(array, "model").decode("utf-8", errors="replace")


def _colours(image: ImageShape) -> ImageShape:
    if image[0] not in (1, 3):
        raise ValueError(f"a pretrained encoder takes images of 1 or 3 channels, got {image[0]}")
    return image


def bytes_in(array: Floats, name: str) -> bytes:
    """Return the bytes that an array holds as numbers; raises ``ValueError`` if none, or too many."""
    if array.ndim != 1 or not 1 <= len(array) <= LONGEST_NAME or not np.isin(array, np.arange(256)).all():
        raise ValueError(f"encoder array {name} must hold 1 to {LONGEST_NAME} bytes")
    return array.astype(np.uint8).tobytes()


@lru_cache(maxsize=2)
def _network(name: str, *, local: bool) -> _Network:
    """Load a model; only safetensors, so that no file can run code."""
    transformers = neural("transformers")
    local = local or Path(name).is_dir()
    try:
        model = transformers.AutoModel.from_pretrained(
            name, use_safetensors=True, trust_remote_code=False, local_files_only=local
        )
        find = neural("transformers.utils").cached_file
        absent_is_none = {"_raise_exceptions_for_missing_entries": False, "local_files_only": local}
        path = find(name, "preprocessor_config.json", **absent_is_none)
        options = json.loads(Path(path).read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            f"features.model {name}: cannot be loaded ({reason}); give a folder with config.json and "
            "model.safetensors, or a hub name; on a silo the model must be there already"
        ) from None
    model = model.eval().requires_grad_(False).float()
    mean, deviation = options.get("image_mean", _IMAGENET[0]), options.get("image_std", _IMAGENET[1])
    return _Network(model, digest_of(model), _side(model, options), tuple(mean), tuple(deviation))


def digest_of(model: Any) -> bytes:  # noqa: ANN401 - a module of an optional package
    """Return the SHA-256 of all weights."""
    found = hashlib.sha256()
    for name, part in sorted(model.state_dict().items()):
        found.update(name.encode())
        found.update(part.cpu().contiguous().numpy().tobytes())
    return found.digest()


def _side(model: Any, options: Mapping[str, Any]) -> tuple[int, int]:  # noqa: ANN401 - as above
    """Return height and width of the images that the model wants."""
    config = getattr(model.config, "vision_config", model.config)
    size: Any = options.get("crop_size") or options.get("size") or getattr(config, "image_size", 224)
    if isinstance(size, Mapping):
        size = size.get("height") or size["shortest_edge"], size.get("width") or size["shortest_edge"]
    if isinstance(size, int):
        size = (size, size)
    return int(size[0]), int(size[1])


def _prepared(network: _Network, x: "torch.Tensor") -> "torch.Tensor":
    """Return images (b, 3, h, w) as the model wants them."""
    x = x.clamp(0.0, 1.0).expand(-1, 3, -1, -1)
    if x.shape[2:] != network.side:
        x = neural("torch.nn.functional").interpolate(
            x, size=network.side, mode="bicubic", align_corners=False, antialias=True
        )
    mean, deviation = (x.new_tensor(part).reshape(1, 3, 1, 1) for part in (network.mean, network.deviation))
    return (x - mean) / deviation


def _pooled(model: Any, pixels: "torch.Tensor") -> "torch.Tensor":  # noqa: ANN401 - as above
    encode = getattr(model, "get_image_features", model)
    found = encode(pixel_values=pixels)
    codes: torch.Tensor = found
    if not hasattr(found, "last_hidden_state"):  # CLIP's projected image, or a pooled tensor
        return codes
    if getattr(found, "pooler_output", None) is None:
        codes = found.last_hidden_state.mean(dim=1)
    else:
        codes = found.pooler_output.flatten(1)
    return codes
