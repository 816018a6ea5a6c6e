# SPDX-License-Identifier: Apache-2.0
"""The network of a language model: built from sizes, or a pretrained one, with adapters or without.

Of a pretrained model only safetensors and JSON are read, and no code that it brings along is run.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.generators.language_model.tokens import Tokens
from tailweave.clients.neural.extra import neural
from tailweave.clients.neural.hub import folder_of
from tailweave.protocols.kinds.generators.language_model import ADAPTER, LanguageModelSpec, LoraSpec

Weights = dict[str, NDArray[np.float32]]
_TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class Pretrained:
    """A model that lies in a folder or in the hub's cache.

    Attributes:
        network: The module, on the CPU, float32.
        tokens: Its tokenizer.
        digest: SHA-256 of its weights and its tokenizer, 64 hex digits.
    """

    network: Any
    tokens: Tokens
    digest: str


def built(spec: LanguageModelSpec, tokens: Tokens, seed: int) -> Any:  # noqa: ANN401 - transformers has no types
    """Build a network of its own, or take the pretrained one, and put adapters beside its layers.

    Args:
        spec: Sizes, or the base.
        tokens: Its tokenizer.
        seed: Of the first weights; torch's global generator is put back as it was.

    Raises:
        ValueError: If a base cannot be had or is too short for the documents.
    """
    torch, transformers = neural("torch"), neural("transformers")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if spec.base is not None:
            network = _copy_of(pretrained(spec.base).network)
        else:
            own = spec.own_network
            config = transformers.GPT2Config(
                vocab_size=tokens.size,
                n_positions=spec.tokens + 2,
                n_embd=own.width,
                n_layer=own.layers,
                n_head=own.heads,
                resid_pdrop=0.0,
                embd_pdrop=0.0,
                attn_pdrop=0.0,
                bos_token_id=tokens.begin,
                eos_token_id=tokens.end,
            )
            network = transformers.GPT2LMHeadModel(config)
        _check_length(spec, network.config)
        return network.eval() if spec.lora is None else _adapted(network, spec.lora).eval()


def _adapted(network: Any, lora: LoraSpec) -> Any:  # noqa: ANN401 - as above
    """Put adapters beside all linear layers; they change nothing until they are trained.

    Source:
        Hu et al. (2021), arXiv 2106.09685.
    """
    peft = neural("peft")
    convolutions = network.config.model_type == "gpt2"  # keeps its weights transposed
    options = peft.LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        fan_in_fan_out=convolutions,
    )
    return peft.get_peft_model(network, options)


def _copy_of(network: Any) -> Any:  # noqa: ANN401 - as above
    """Return another module with the same weights: what is cached is never trained."""
    import copy

    return copy.deepcopy(network)


def _check_length(spec: LanguageModelSpec, config: Any) -> None:  # noqa: ANN401 - as above
    longest = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None)
    if longest is not None and spec.tokens + 2 > longest:
        raise ValueError(
            f"generator: documents of real-tokens + synthetic-tokens = {spec.tokens} tokens, with begin and "
            f"end, do not fit the {longest} positions of {spec.base}"
        )


def trainable(network: Any, spec: LanguageModelSpec, *, first: bool) -> list[Any]:  # noqa: ANN401 - as above
    """Return the parameters that a fit changes, and freeze the others.

    With adapters that is they alone, but for the first fit of a network that begins with random weights.
    """
    all_of_it = spec.lora is None or (first and spec.base is None)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(all_of_it or ADAPTER in name)
    return [parameter for parameter in network.parameters() if parameter.requires_grad]


def weights_of(network: Any, spec: LanguageModelSpec) -> Weights:  # noqa: ANN401 - as above
    """Return what makes the network this one: all weights, or the adapters where a base has the others."""
    return {
        name: parameter.detach().float().cpu().numpy().copy()
        for name, parameter in network.named_parameters()
        if _kept(name, spec)
    }


def put_weights(network: Any, spec: LanguageModelSpec, weights: Mapping[str, NDArray[Any]]) -> None:  # noqa: ANN401
    """Put back what ``weights_of`` returned.

    Raises:
        ValueError: If one is missing, unknown or of another shape.
    """
    torch = neural("torch")
    wanted = {name: part for name, part in network.named_parameters() if _kept(name, spec)}
    lacking, strange = sorted(wanted.keys() - weights), sorted(weights.keys() - wanted)
    if lacking or strange:
        raise ValueError(f"weights do not fit the network: missing {lacking[:3]}, unknown {strange[:3]}")
    with torch.no_grad():
        for name, parameter in wanted.items():
            if tuple(parameter.shape) != weights[name].shape:
                raise ValueError(
                    f"weights {name} must have shape {tuple(parameter.shape)}, got {weights[name].shape}"
                )
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(weights[name], dtype=np.float32)))


def _kept(name: str, spec: LanguageModelSpec) -> bool:
    return spec.base is None or spec.lora is None or ADAPTER in name


def pretrained(name: str, *, local: bool = True) -> Pretrained:
    """Open a pretrained model; one that is not on this machine is downloaded only where ``local`` is false.

    Raises:
        ValueError: If it is neither a folder nor a hub name that can be had, or has no causal language model
            or no tokenizer with a token that ends a document.
    """
    if not Path(name).exists() and (name.count("/") > 1 or name.startswith(("/", "."))):
        raise ValueError(f"generator.base: {name}: no such folder, and not a hub name (owner/name)")
    try:
        return _opened(folder_of(name, local=local))
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            f"generator.base: {name} cannot be loaded as a causal language model: {reason}; give a folder "
            "with config.json, model.safetensors and tokenizer.json, or a hub name (on a silo the model must "
            "be there already)"
        ) from None


@lru_cache(maxsize=1)
def _opened(folder: Path) -> Pretrained:
    transformers = neural("transformers")
    transformers.utils.logging.disable_progress_bar()
    if not (folder / _TOKENIZER).exists():
        raise ValueError(f"it has no {_TOKENIZER}")
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        folder, trust_remote_code=False, local_files_only=True
    )
    network = transformers.AutoModelForCausalLM.from_pretrained(
        folder, use_safetensors=True, trust_remote_code=False, local_files_only=True
    )
    end = tokenizer.eos_token_id
    if end is None:
        raise ValueError("its tokenizer has no token that ends a document")
    begin = end if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    tokens = Tokens(tokenizer.backend_tokenizer.to_str(), end, begin)
    network = network.float().eval().requires_grad_(False)
    return Pretrained(network, tokens, _digest(network, tokens))


def _digest(network: Any, tokens: Tokens) -> str:  # noqa: ANN401 - as above
    found = hashlib.sha256(tokens.json.encode())
    for name, part in sorted(network.named_parameters()):
        found.update(name.encode())
        found.update(part.detach().cpu().numpy().tobytes())
    return found.hexdigest()
