# SPDX-License-Identifier: Apache-2.0
"""The language model: scoring against a slow loop, drawing from prompts, and going on from the one before."""

import numpy as np
import pytest
from later import later
from tiny_language_model import WORDS, corpus, fitted, spec_of

from tailweave.clients import generators
from tailweave.clients.data.sources import load_rows
from tailweave.clients.generators.language_model.drawing import cycled
from tailweave.clients.generators.language_model.measure import size_of, speeds
from tailweave.clients.generators.language_model.scoring import hidden_states, log_probabilities, next_token
from tailweave.clients.samples import TEXT, Samples
from tailweave.protocols.kinds.generators.language_model import TransformerSpec
from tailweave.protocols.kinds.sources.python_docs import PythonDocs
from tailweave.protocols.streams import stream

torch = later("torch")


@pytest.fixture(scope="module")
def model():
    return fitted(spec_of())


def mean_by_loop(model, document: list[int]) -> float:
    """Oracle: one token after another, each alone in its batch, without padding or mask."""
    before, total = [model.tokens.begin], 0.0
    with torch.inference_mode():
        for token in document:
            logits = model._network(input_ids=torch.tensor([before])).logits[0, -1].double()
            total += float(torch.log_softmax(logits, dim=-1)[token])
            before.append(token)
    return total / len(document)


def test_a_document_is_scored_as_a_slow_loop_over_its_tokens_does(model):
    documents = corpus(5, seed=1).values.tolist() + ["a", "the the the the the the"]
    encoded = model.encode(documents)
    assert len({len(one) for one in encoded}) > 1, "documents of one length would hide wrong padding"
    found = model.log_probabilities(Samples.of(documents, sort=TEXT))
    np.testing.assert_allclose(found, [mean_by_loop(model, one) for one in encoded], atol=1e-5)


def test_padding_changes_nothing(model):
    """A short document beside a long one, and alone; the long one forces padding."""
    short, long = model.encode(["a file", " ".join(WORDS)])
    alone = log_probabilities(model._network, model.tokens, [short], model._place)
    beside = log_probabilities(model._network, model.tokens, [short, long], model._place)
    np.testing.assert_allclose(beside[0], alone[0], atol=1e-6)
    states = [
        hidden_states(model._network, model.tokens, part, model._place, 8)[0]
        for part in ([short], [short, long])
    ]
    np.testing.assert_allclose(states[0], states[1], atol=1e-5)
    nexts = [
        next_token(model._network, model.tokens, part, model._place)[0] for part in ([short], [short, long])
    ]
    np.testing.assert_allclose(nexts[0], nexts[1], atol=1e-6)


def test_next_token_probabilities_sum_to_one_and_are_those_that_score(model):
    (document,) = model.encode(["the loop reads"])
    after = next_token(
        model._network, model.tokens, [document[:k] for k in range(len(document))], model._place
    )
    np.testing.assert_allclose(after.sum(axis=1), 1.0)
    chosen = np.log([row[token] for row, token in zip(after, document, strict=True)])
    found = model.log_probabilities(Samples.of(["the loop reads"], sort=TEXT))
    np.testing.assert_allclose(found[0], chosen.mean(), atol=1e-5)


def test_what_is_not_text_for_it_is_scored_all_the_same(model):
    odd = ["", "\ud7ff", "日本語 🎉", "<|endoftext|>", "a" * 5000]
    samples = Samples.of(odd, sort=TEXT)
    assert np.isfinite(model.log_probabilities(samples)).all()
    assert np.isfinite(model.hidden_states(odd)).all()
    (quoted,) = model.encode(["<|endoftext|>"])
    assert model.tokens.end not in quoted, "a document that quotes the end must not end there"


@pytest.mark.parametrize("prompts", ["nothing", "public", "own"])
def test_documents_begin_as_asked(prompts):
    spec = spec_of(prompts=prompts)
    own = corpus(10, seed=5)
    model = generators.primed(spec, fitted(spec), generators.Around(own))
    drawn = model.sample(30, rng=stream(0, "draw"))
    beginnings = {
        "public": {tuple(one[:6]) for one in model.encode(corpus(24).values.tolist())},
        "own": {tuple(one[:6]) for one in model.encode(own.values.tolist())},
    }
    decoded = {model.tokens.decode([one])[0] for one in beginnings.get(prompts, ())}
    texts = drawn.values.tolist()
    assert len(texts) == 30
    assert drawn.sort == TEXT
    assert drawn.labels is None
    if prompts != "nothing":
        assert all(any(text.startswith(begin) for begin in decoded) for text in texts)


def test_the_same_stream_draws_the_same_and_global_generators_stay(model):
    before = torch.get_rng_state()
    one, two = (model.sample(5, rng=stream(3, "draw")).values.tolist() for _ in range(2))
    assert one == two
    assert one != model.sample(5, rng=stream(4, "draw")).values.tolist()
    assert torch.equal(before, torch.get_rng_state())


def test_a_model_comes_back_from_its_arrays_without_own_prompts():
    for prompts, kept in (("public", True), ("own", False), ("nothing", False)):
        spec = spec_of(prompts=prompts)
        model = generators.primed(spec, fitted(spec), generators.Around(corpus(10, seed=5)))
        arrays = model.arrays()
        assert ("prompts" in arrays) == kept, prompts
        again = generators.primed(
            spec, generators.from_arrays(spec, arrays, TEXT), generators.Around(corpus(10, seed=5))
        )
        texts = (one.sample(4, rng=stream(0, "draw")).values.tolist() for one in (model, again))
        assert next(texts) == next(texts)


def test_a_refit_goes_on_from_the_model_before_and_learns(model):
    held = corpus(30, seed=9)
    again = fitted(spec_of(epochs=5), previous=model)
    assert again.tokens == model.tokens
    assert again.log_probabilities(held).mean() > model.log_probabilities(held).mean()
    assert fitted(spec_of()).arrays()["tokenizer"].tolist() == model.arrays()["tokenizer"].tolist()


def test_the_first_tokens_alone_are_looked_at(model):
    long = " ".join(WORDS * 50)
    (seen,) = model.encode([long])
    assert len(seen) == 12
    found = model.log_probabilities(Samples.of([long, long + " more"], sort=TEXT))
    assert found[0] == found[1]


REFUSED = {
    "no document is long enough": (
        spec_of(prompts="public", real_tokens=500),
        "none of 24 documents has 500",
    ),
    "astray": (spec_of(learning_rate=1e30), "astray at step 2 of 6: loss .*learning-rate"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_fit_is_refused(name):
    spec, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        fitted(spec)


def test_odd_arrays_are_refused(model):
    good, spec = model.arrays(), spec_of()
    weight = next(name for name in good if name.startswith("weights/"))
    for change, message in (
        ({weight: np.zeros((2, 2))}, "must have shape"),
        ({weight: None}, "missing"),
        ({"weights/more": np.zeros(1)}, "unknown"),
        ({"tokenizer": None}, "lacks array tokenizer"),
        ({"tokenizer": np.array([1.0, 255.0])}, "not a tokenizer"),
        ({"tokenizer": np.array([0.5])}, "bytes"),
    ):
        arrays = {name: part for name, part in (good | change).items() if part is not None}
        with pytest.raises(ValueError, match=message):
            generators.from_arrays(spec, arrays, TEXT)
    prompted = spec_of(prompts="public")
    arrays = fitted(prompted).arrays()
    with pytest.raises(ValueError, match="lacks array prompts"):
        generators.from_arrays(prompted, good, TEXT)
    for odd in (np.zeros((2, 5)), np.full((2, 6), 0.5), np.full((2, 6), 1e6), np.full((2, 6), -1.0)):
        with pytest.raises(ValueError, match="whole token numbers"):
            generators.from_arrays(prompted, arrays | {"prompts": odd}, TEXT)


def test_own_prompts_need_own_rows(model):
    with pytest.raises(ValueError, match=r"generator\.prompts: own needs the silo's own rows"):
        generators.primed(spec_of(prompts="own"), model, generators.Around(None))


@pytest.mark.gpu
@pytest.mark.skipif("not torch.cuda.is_available()", reason="needs a CUDA device")
def test_cpu_and_cuda_agree_and_a_middle_sized_model_trains_and_draws():
    held = corpus(20, seed=3)
    on = {device: fitted(spec_of(device=device, precision="float32")) for device in ("cpu", "cuda")}
    scores = [model.log_probabilities(held) for model in on.values()]
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-3)
    network = TransformerSpec(vocabulary=300, width=768, layers=12, heads=12)
    model = fitted(spec_of(network=network, device="cuda", real_tokens=64, synthetic_tokens=64))
    assert len(model.sample(64, rng=stream(0, "draw"))) == 64


@pytest.mark.slow
def test_refits_on_human_documents_do_not_raise_perplexity():
    """Calibration: what rises in a recursion is then due to its own words, not to the rate of learning."""
    rows = PythonDocs(source="python-docs", groups=("language",))
    documents = load_rows(rows, seed=0)[0]
    order = stream(0, "order").permutation(len(documents))
    held, human = documents.take(order[:150]), documents.take(order[150:])
    spec = spec_of(
        network=TransformerSpec(vocabulary=512, width=64, layers=2, heads=4),
        real_tokens=24,
        synthetic_tokens=24,
        first_epochs=6,
        first_learning_rate=2e-3,
        epochs=2,
        batch_size=16,
    )
    model = generators.fit(spec, human, rng=stream(0, "base"))
    found = [-model.log_probabilities(held).mean()]
    for t in range(3):
        drawn = human.take(stream(t, "pick").permutation(len(human))[:256])
        model = generators.fit(spec, drawn, rng=stream(t, "fit"), previous=model)
        found.append(-model.log_probabilities(held).mean())
    assert found[-1] <= found[0] + 0.02


def test_an_ending_is_scored_after_its_context_as_a_slow_loop_does(model):
    contexts = ["the loop", "a", "the loop reads every line of", "日本語の文章"]
    endings = ["reads every", "line", "a file", "a"]
    found = model.ending_means(contexts, endings)
    for context, ending, mean in zip(contexts, endings, found, strict=True):
        (before,), (after,) = model.tokens.encode([context]), model.encode([f" {ending}"])
        whole, total = [*before, *after][-12:], 0.0
        assert len(after) < len(whole)
        with torch.inference_mode():
            for place in range(len(whole) - len(after), len(whole)):
                ids = torch.tensor([[model.tokens.begin, *whole[:place]]])
                logits = model._network(input_ids=ids).logits[0, -1].double()
                total += float(torch.log_softmax(logits, dim=-1)[whole[place]])
        assert mean == pytest.approx(total / len(after), abs=1e-5)


def test_each_beginning_is_taken_as_often_as_any_other():
    beginnings = np.arange(14).reshape(7, 2)
    for count in (1, 7, 24):
        taken = cycled(beginnings, count, stream(0, "prompts"))
        times = [taken.count(list(one)) for one in beginnings.tolist()]
        assert sum(times) == count
        assert max(times) - min(times) <= 1
    assert taken != cycled(beginnings, 24, stream(1, "prompts"))


def test_its_size_is_that_of_its_weights(model):
    spec = model.spec
    size = size_of(spec, ())
    assert size.parameters == size.trained <= spec.parameters(1)
    assert size.activation_bytes > 0
    (speed, *_) = speeds(spec, ())
    assert speed.step_seconds > 0.0
    assert speed.row_seconds > 0.0
