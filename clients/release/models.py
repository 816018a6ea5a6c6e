# SPDX-License-Identifier: Apache-2.0
"""Pretrained models that a question names: opened on this node only if its owner has listed them."""

import json
from collections.abc import Iterator

from tailweave.clients.encoders.pretrained import name_in
from tailweave.clients.release.policy import Policy, PolicyError
from tailweave.protocols.arrays import Floats
from tailweave.protocols.kinds.generators.base import GeneratorKind
from tailweave.protocols.messages import Message
from tailweave.protocols.texts import unpacked

_ENCODERS = ("encoder/model", "encoder/text-model")
"""End the name of an array that holds a model's name, in whichever feature map of the message."""
_BASE = "encoder/language-model"
"""Ends that of one which holds a language model's options, of which one may be its base."""


def check_models(policy: Policy, question: Message) -> None:
    """Refuse a question that names a model which the owner did not list.

    Nothing is opened or looked for, and the refusal is the same for all names: whoever asks does not learn
    which files this node has.

    Raises:
        PolicyError: If it names any other model.
    """
    if any(name not in policy.models for name in _named(question)):
        raise PolicyError(
            "refused by the silo's policy: a pretrained model is to be opened (generator.base or "
            "features.model) that is not among its models"
        )


def _named(question: Message) -> Iterator[str | None]:
    """Yield each model that answering would open; None for a name that is none."""
    generator = getattr(question, "generator", None)
    if isinstance(generator, GeneratorKind):
        yield from generator.opened_models
    for name, array in question.arrays.items():
        try:
            if name.endswith(_ENCODERS):
                yield name_in(array)
            elif name.endswith(_BASE):
                yield from _base_in(array)
        except ValueError:
            yield None


def _base_in(array: Floats) -> Iterator[str | None]:
    """Yield the base that options name, if they name one; raises ``ValueError`` if they are none."""
    (options,) = unpacked(array)
    found = json.loads(options)
    base = found.get("base") if isinstance(found, dict) else False
    if base is not None:
        yield base if isinstance(base, str) else None
