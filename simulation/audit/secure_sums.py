# SPDX-License-Identifier: Apache-2.0
"""Masked vectors on the wire: that they look like nothing, and the sum, which is all that the server sees."""

from collections.abc import Sequence

import numpy as np

from tailweave.clients.data.silo import Silo
from tailweave.clients.samples import Samples
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.secure_sum.masks import Words
from tailweave.protocols.secure_sum.sketches import from_words, pooled_summary
from tailweave.simulation.audit.findings import Promise
from tailweave.simulation.audit.wire_log import MaskedVector, Recorded
from tailweave.simulation.run_folder import RunFolderError

UNIFORM = "masked vectors look uniform, so none says anything by itself"
_ERRORS = 6.0
"""Standard errors allowed; a false alarm has probability 2e-9 a vector."""


def masked_promises(vectors: Sequence[MaskedVector]) -> list[Promise]:
    """Look up whether all masked vectors look uniform; of vectors that were not kept nothing can be said."""
    words = [vector.words for vector in vectors if vector.words is not None]
    return [Promise(UNIFORM, all(map(looks_uniform, words)))] if words else []


def looks_uniform(words: Words) -> bool:
    """Say whether words (n,) could be uniform: their highest byte, by the chi-square of its 256 values.

    An unmasked sketch is small beside 2^32: its highest byte is 0 or 255 throughout.
    """
    high = (words >> np.uint32(24)).astype(np.int64)
    expected = len(words) / 256.0
    chi_sq = float(((np.bincount(high, minlength=256) - expected) ** 2).sum() / expected)
    return bool(chi_sq < 255.0 + _ERRORS * np.sqrt(2.0 * 255.0) + _ERRORS**2)


def sums(vectors: Sequence[MaskedVector]) -> list[Recorded]:
    """Add up the last attempt at every sum: one release of one silo that holds the rows of all that sent.

    Returns:
        One a seed; none where the words of a vector were not kept.

    Raises:
        RunFolderError: If vectors of one sum differ in length or do not fit their reference.
    """
    found = []
    for seed in dict.fromkeys(vector.scene.seed for vector in vectors):
        mine = [vector for vector in vectors if vector.scene.seed == seed]
        last = max(vector.number for vector in mine)
        parts = [vector for vector in mine if vector.number == last]
        if all(vector.words is not None for vector in parts):
            found.append(_sum(parts))
    return found


def _sum(parts: Sequence[MaskedVector]) -> Recorded:
    first, words = parts[0], [part.words for part in parts if part.words is not None]
    spec, _ = first.released
    if not isinstance(spec, SlicedReference) or len({w.shape for w in words}) != 1:
        raise RunFolderError(f"masked vectors of {spec.kind} do not add up: {[w.shape for w in words]}")
    total = words[0].copy()
    for vector in words[1:]:
        total = total + vector
    try:
        summary = pooled_summary(from_words(total), spec)
    except ValueError as error:
        raise RunFolderError(f"masked vectors do not fit their reference: {error}") from None
    silos = tuple(part.silo for part in parts)
    return Recorded(first.scene, _pooled(silos), first.epsilon, first.released, summary, silos)


def _pooled(silos: Sequence[Silo]) -> Silo:
    name = "sum of " + ", ".join(silo.name for silo in silos)
    train, heldout = (
        Samples.joined(parts) for parts in ([silo.train for silo in silos], [silo.heldout for silo in silos])
    )
    return Silo(name, train, heldout)
