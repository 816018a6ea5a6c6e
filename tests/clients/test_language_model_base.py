# SPDX-License-Identifier: Apache-2.0
"""Pretrained language models, full fits and adapters: a tiny GPT-2 that transformers itself saved."""

import numpy as np
import pytest
from tiny_language_model import corpus, fitted, save_pretrained, spec_of

from tailweave.clients import generators
from tailweave.clients.generators.language_model.measure import size_of
from tailweave.clients.samples import TEXT
from tailweave.protocols.kinds.generators.language_model import LoraSpec
from tailweave.protocols.streams import stream

LORA = LoraSpec(rank=2, alpha=4.0)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> str:
    return save_pretrained(tmp_path_factory.mktemp("base") / "tiny-gpt2")


def test_a_base_without_first_epochs_is_the_model_itself(base):
    """Oracle: transformers' own loss of one document, whose tokenizer has no token for padding."""
    import torch
    import transformers

    model = fitted(spec_of(base=base, first_epochs=0))
    network = transformers.AutoModelForCausalLM.from_pretrained(base)
    (document,) = model.encode(["the loop reads every line"])
    ids = torch.tensor([[model.tokens.begin, *document]])
    with torch.inference_mode():
        wanted = -float(network(input_ids=ids, labels=ids).loss)
    found = model.log_probabilities(corpus(1).take(np.array([0])))
    assert np.isfinite(found).all()
    sums, counts = model.token_sums(["the loop reads every line"])
    assert sums[0] / counts[0] == pytest.approx(wanted, abs=1e-5)


def test_adapters_are_all_that_is_trained_and_kept_of_a_base(base):
    spec = spec_of(base=base, lora=LORA, first_epochs=1)
    model = fitted(spec)
    assert all("lora_" in name for name in model.weights)
    arrays = model.arrays()
    assert set(arrays) == {"digest", *(f"weights/{name}" for name in model.weights)}
    again = generators.from_arrays(spec, arrays, TEXT)
    held = corpus(6, seed=4)
    np.testing.assert_array_equal(again.log_probabilities(held), model.log_probabilities(held))
    plain = fitted(spec_of(base=base, first_epochs=0))
    assert not np.allclose(plain.log_probabilities(held), model.log_probabilities(held))
    later = fitted(spec, previous=model)
    assert any((later.weights[name] != model.weights[name]).any() for name in model.weights)


def test_an_own_network_is_trained_whole_at_first_and_by_adapters_later():
    spec = spec_of(lora=LORA)
    first = fitted(spec)
    later = fitted(spec, previous=first)
    changed = {name for name in first.weights if (first.weights[name] != later.weights[name]).any()}
    assert changed
    assert all("lora_" in name for name in changed)
    assert any("lora_" not in name for name in first.weights)


def test_a_full_fit_of_a_base_keeps_all_weights_and_leaves_the_base_alone(base):
    spec = spec_of(base=base, first_epochs=1)
    model = fitted(spec)
    held = corpus(4, seed=2)
    untouched = fitted(spec_of(base=base, first_epochs=0)).log_probabilities(held)
    assert not np.allclose(model.log_probabilities(held), untouched)
    again = fitted(spec_of(base=base, first_epochs=0)).log_probabilities(held)
    np.testing.assert_array_equal(again, untouched)


def test_what_cannot_be_a_base_is_refused(base, tmp_path, monkeypatch):
    import transformers

    transformers.utils.logging.set_verbosity_error()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    network = transformers.GPT2Config(n_positions=8, n_embd=8, n_layer=1, n_head=1, vocab_size=20)
    (tmp_path / "no-tokenizer").mkdir()
    transformers.GPT2LMHeadModel(network).save_pretrained(tmp_path / "no-tokenizer")
    for name, options, message in (
        ("/no/such/folder", {}, "no such folder, and not a hub name"),
        ("nobody/has-this-model", {}, "nobody/has-this-model cannot be loaded as a causal language model"),
        (str(tmp_path / "no-tokenizer"), {}, "it has no tokenizer.json"),
        (save_pretrained(tmp_path / "endless", end=False), {}, "no token that ends a document"),
        (base, {"real_tokens": 30}, "36 tokens, with begin and end, do not fit the 32 positions"),
    ):
        with pytest.raises(ValueError, match=message):
            fitted(spec_of(base=name, first_epochs=0, **options))


def test_another_model_under_the_same_name_is_refused(base):
    spec = spec_of(base=base, lora=LORA, first_epochs=0)
    arrays = fitted(spec).arrays()
    other = arrays["digest"].copy()
    other[0] = 48.0 if other[0] != 48.0 else 49.0
    with pytest.raises(ValueError, match="this node has other weights under that name"):
        generators.from_arrays(spec, arrays | {"digest": other}, TEXT)


def test_a_drawn_document_is_the_same_for_the_same_stream(base):
    model = fitted(spec_of(base=base, lora=LORA, first_epochs=0))
    one, two = (model.sample(3, rng=stream(1, "draw")).values.tolist() for _ in range(2))
    assert one == two


def test_of_a_base_with_adapters_they_alone_are_trained_and_sent(base):
    spec = spec_of(base=base, lora=LORA, first_epochs=0)
    size = size_of(spec, ())
    assert size.trained == sum(part.size for part in fitted(spec).weights.values())
    assert size.trained < size.parameters
    assert size_of(spec_of(base="nobody/has-this", first_epochs=0), ()) is None
    with pytest.raises(ValueError, match="do not fit the 32 positions"):
        size_of(spec_of(base=base, first_epochs=0, real_tokens=30), ())
