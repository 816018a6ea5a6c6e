# SPDX-License-Identifier: Apache-2.0
"""How large a language model is and how fast it trains and draws here, measured by a few steps."""

import numpy as np

from tailweave.clients.generators.course import Course
from tailweave.clients.generators.language_model.drawing import Drawing, draw
from tailweave.clients.generators.language_model.network import built, pretrained, weights_of
from tailweave.clients.generators.language_model.tokens import Tokens
from tailweave.clients.generators.language_model.training import train
from tailweave.clients.neural.cost import Size, Speed, now, scaled
from tailweave.clients.neural.device import place_of
from tailweave.clients.neural.extra import neural
from tailweave.clients.neural.hub import folder_of
from tailweave.protocols.kinds.generators.language_model import LanguageModelSpec
from tailweave.protocols.streams import stream

_SOME_STEPS = 3
_FEW_TOKENS = 4
_FLOAT32 = 4
_COPIES = 5
"""Gradient, two moments of AdamW, and the generation before and after."""
_LAYER_WIDTHS = 17
"""Activations of a layer that its gradients need, in widths a token; attention adds heads x tokens, twice."""


def size_of(spec: LanguageModelSpec, shape: tuple[int, ...]) -> Size | None:
    """Count parameters, and estimate what a step keeps for its gradients.

    Returns:
        The size; None where the base is not on this machine: counting does not download it.
    """
    if not _is_here(spec):
        return None
    network = built(spec, _some_tokens(spec), 0)
    config = network.config
    layer = _LAYER_WIDTHS * config.hidden_size + 2 * config.num_attention_heads * spec.tokens
    token = config.num_hidden_layers * layer + 2 * config.vocab_size
    parameters = sum(parameter.numel() for parameter in network.parameters())
    trained = sum(part.size for part in weights_of(network, spec).values())
    return Size(parameters, trained, _COPIES, _FLOAT32 * spec.batch_size * (spec.tokens + 2) * token)


def speeds(spec: LanguageModelSpec, shape: tuple[int, ...]) -> list[Speed]:
    """Measure every device that torch finds here; a CPU with one thread, as in a run.

    None where the base is not on this machine.
    """
    if not _is_here(spec):
        return []
    devices = ["cpu", *(["cuda"] if neural("torch").cuda.is_available() else [])]
    return [_speed(spec.model_copy(update={"device": device})) for device in devices]


def _is_here(spec: LanguageModelSpec) -> bool:
    """Tell whether the base, if there is one, is on this machine."""
    try:
        return spec.base is None or folder_of(spec.base, local=True).is_dir()
    except OSError:
        return False


def _speed(spec: LanguageModelSpec) -> Speed:
    place, tokens, rng = place_of(spec), _some_tokens(spec), stream(0, "measure")
    name = neural("torch").cuda.get_device_name() if place.device == "cuda" else "cpu, one thread"
    network = built(spec, tokens, 0).to(place.device)

    def steps(batch: int) -> float:
        few = spec.model_copy(update={"batch_size": batch, "epochs": 1 + _SOME_STEPS})
        documents = rng.integers(tokens.size, size=(batch, spec.tokens)).tolist()
        times: list[float] = []
        beside = Course(tell=lambda done, total: times.append(now(place.device)))
        train(network, tokens, documents, few, place, (beside, rng, False))
        return float(np.median(np.diff(times)))

    def draws(batch: int) -> float:
        new = spec.tokens if spec.prompts == "nothing" else spec.synthetic_tokens
        how = Drawing(_FEW_TOKENS, spec.temperature, spec.top_p, batch)
        draw(network, tokens, [[]] * batch, how, place, 0)
        start = now(place.device)
        draw(network, tokens, [[]] * batch, how, place, 0)
        return (now(place.device) - start) / _FEW_TOKENS * new

    step = scaled(steps, spec.batch_size)
    return Speed(name, step, scaled(draws, spec.drawing_batch) / spec.drawing_batch)


def _some_tokens(spec: LanguageModelSpec) -> Tokens:
    """Return the base's tokenizer, or one of as many tokens as a corpus may give."""
    if spec.base is not None:
        return pretrained(spec.base).tokens
    wanted = spec.own_network.vocabulary
    rng = stream(0, "measure", "words")
    letters = list("abcdefghijklmnopqrstuvwxyz")
    words = ["".join(rng.choice(letters, 4)) for _ in range(wanted)]
    return Tokens.trained(words, wanted)
