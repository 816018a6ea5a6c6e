# SPDX-License-Identifier: Apache-2.0
"""Named random streams: every draw in a run descends from one root seed and a path of names."""

import hashlib

import numpy as np


def stream(seed: int, *path: str | int) -> np.random.Generator:
    """Return the generator that belongs to one purpose.

    The same seed and path give the same stream on every machine, process and engine; different paths
    give independent streams. Arms share paths, which pairs their randomness.

    Args:
        seed: Root seed of the run, a non-negative integer.
        *path: Names of the purpose, such as ``"silo", "silo-3", "generation", 7, "candidates"``.

    Returns:
        A PCG64 generator.

    Raises:
        ValueError: If ``seed`` is negative or ``path`` is empty.

    Source:
        Spawning by hashed keys: ``numpy.random.SeedSequence``; the key is SHA-256 of the path.
    """
    if seed < 0:
        raise ValueError(f"seed must be non-negative, got {seed}")
    if not path:
        raise ValueError("path must name the purpose of the stream, got nothing")
    escaped = (str(part).replace("\\", "\\\\").replace("/", "\\/") for part in path)
    text = "/".join(f"{type(part).__name__}:{name}" for part, name in zip(path, escaped, strict=True))
    digest = hashlib.sha256(text.encode()).digest()
    key = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 32, 4)]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *key])))
