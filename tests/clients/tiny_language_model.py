# SPDX-License-Identifier: Apache-2.0
"""A corpus and a language model so small that a fit takes a moment, and a pretrained one in a folder."""

from tailweave.clients import generators
from tailweave.clients.samples import TEXT, Samples
from tailweave.protocols.kinds.generators.language_model import LanguageModelSpec, TransformerSpec
from tailweave.protocols.streams import stream

WORDS = ("the", "loop", "reads", "every", "line", "of", "a", "file", "and", "returns", "its", "length")


def corpus(count: int, *, seed: int = 0, words: int = 12) -> Samples:
    """Return documents of random words."""
    rng = stream(seed, "corpus")
    return Samples.of([" ".join(rng.choice(WORDS, words)) for _ in range(count)], sort=TEXT)


def spec_of(**options) -> LanguageModelSpec:
    """Return options of a tiny model."""
    tiny = {
        "kind": "language-model",
        "temperature": 0.8,
        "real_tokens": 6,
        "synthetic_tokens": 6,
        "first_epochs": 2,
        "epochs": 1,
        "batch_size": 8,
        "device": "cpu",
    }
    if "base" not in options:
        tiny["network"] = TransformerSpec(vocabulary=300, width=16, layers=1, heads=2)
    return LanguageModelSpec(**(tiny | options))


def fitted(spec: LanguageModelSpec, *, seed: int = 0, previous=None):
    """Return a model of 24 documents."""
    return generators.fit(spec, corpus(24), rng=stream(seed, "fit"), previous=previous)


def save_pretrained(folder, *, end: bool = True) -> str:
    """Write a tiny GPT-2 with a tokenizer that has no token for padding."""
    import tokenizers
    import torch
    import transformers

    model = tokenizers.Tokenizer(tokenizers.models.BPE())
    model.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=280, special_tokens=["</s>"], initial_alphabet=alphabet, show_progress=False
    )
    model.train_from_iterator(corpus(8).values.tolist(), trainer)
    special = {"eos_token": "</s>"} if end else {}
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=model, **special)
    tokenizer.save_pretrained(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = transformers.GPT2Config(
            vocab_size=model.get_vocab_size(), n_positions=32, n_embd=16, n_layer=1, n_head=2
        )
        transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    return str(folder)
