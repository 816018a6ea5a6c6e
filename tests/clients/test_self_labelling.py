# SPDX-License-Identifier: Apache-2.0
"""Generator ``self-labelling`` and the metrics of what labels inputs."""

from dataclasses import replace

import numpy as np
import pytest

from tailweave.clients import generators
from tailweave.clients.generators import Around
from tailweave.clients.metrics.of_labels import calibration_error, of_labels
from tailweave.clients.samples import TEXT, DataError, Samples
from tailweave.protocols.kinds.generators.self_labelling import SelfLabelling
from tailweave.protocols.streams import stream

SPEC = SelfLabelling(kind="self-labelling")
CENTRES = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])


def inputs(per_class=(20, 20, 20), seed=0) -> Samples:
    labels = np.repeat(["a", "b", "c"], per_class)
    noise = stream(seed, "inputs").normal(size=(len(labels), 2))
    return Samples.of(np.repeat(CENTRES, per_class, axis=0) + noise, labels)


def fitted(spec=SPEC, samples=None):
    return generators.fit(spec, samples or inputs(), rng=stream(0, "fit"))


def test_a_candidate_is_a_real_input_with_the_label_that_the_model_gives_it():
    base = fitted(samples=inputs(seed=1))
    model = generators.primed(SPEC, fitted(), Around(None, base))
    drawn = model.sample(30, rng=stream(0, "draw"))
    known = {row.tobytes() for row in base.known.values}
    assert {row.tobytes() for row in drawn.values} <= known
    assert len({row.tobytes() for row in drawn.values}) == 30
    assert drawn.labels.tolist() == model.judged(drawn)[0].tolist()
    assert len(model.sample(100, rng=stream(0, "draw"))) == 100


def test_the_truth_labels_as_the_public_rows_do():
    base = fitted(samples=inputs(seed=1))
    spec = SPEC.varied({"labeller": "truth"})
    drawn = generators.primed(spec, fitted(spec), Around(None, base)).sample(60, rng=stream(0, "draw"))
    true = {row.tobytes(): label for row, label in zip(base.known.values, base.known.labels, strict=True)}
    assert [true[row.tobytes()] for row in drawn.values] == drawn.labels.tolist()


def test_a_silo_may_label_its_own_rows_without_a_label():
    own = inputs()
    labels = own.labels.copy()
    labels[::2] = ""
    silo = replace(own, labels=labels)
    spec = SelfLabelling(kind="self-labelling", inputs="own")
    model = generators.primed(spec, fitted(spec, silo), Around(silo))
    assert len(model.known) == 30
    drawn = model.sample(30, rng=stream(0, "draw"))
    assert {row.tobytes() for row in drawn.values} == {row.tobytes() for row in own.values[::2]}
    assert set(drawn.labels) <= {"a", "b", "c"}
    with pytest.raises(DataError, match="generator.inputs: own needs rows without a label"):
        generators.primed(spec, model, Around(own))
    with pytest.raises(ValueError, match="generator.inputs: own needs the silo's own rows"):
        generators.primed(spec, model, Around(None))


def test_the_prior_divides_by_the_shares_of_training_and_multiplies_by_those_given():
    skewed = inputs((40, 10, 10))
    spec = SPEC.varied({"prior": "reference"})
    plain = fitted(samples=skewed)
    shares = {"a": 0.2, "b": 0.3, "c": 0.5}
    model = generators.primed(spec, fitted(spec, skewed), Around(None, plain, shares))
    raw = plain.probabilities(skewed) * (np.array([0.2, 0.3, 0.5]) / np.array([40, 10, 10]) * 60)
    np.testing.assert_allclose(model.probabilities(skewed), raw / raw.sum(axis=1, keepdims=True), atol=1e-12)
    base = fitted(samples=inputs((10, 10, 40), seed=1))
    public = SPEC.varied({"prior": "public"})
    assert generators.primed(public, plain, Around(None, base)).spec.prior == "none"  # the model's own spec
    primed = generators.primed(public, fitted(public, skewed), Around(None, base))
    assert primed.shares == {"a": 1 / 6, "b": 1 / 6, "c": 2 / 3}
    with pytest.raises(ValueError, match="prior: reference needs an arm with a reference"):
        generators.primed(spec, fitted(spec), Around(None, base))
    with pytest.raises(ValueError, match="needs the public base"):
        generators.primed(spec, fitted(spec), Around(None))


@pytest.mark.parametrize("sort", ["numbers", "text"])
def test_a_model_comes_back_from_its_arrays(sort):
    samples = inputs()
    if sort == "text":
        words = np.array(["one red", "two green", "three blue"])[np.repeat(range(3), 20)]
        samples = Samples.of(words, samples.labels, TEXT)
    spec = SelfLabelling(
        kind="self-labelling", classifier={"name": "random-forest", "options": {"n-estimators": 5}}
    )
    model = generators.fit(spec, samples, rng=stream(0, "fit"))
    again = generators.from_arrays(spec, model.arrays(), samples.sort)
    np.testing.assert_array_equal(again.probabilities(samples), model.probabilities(samples))
    with pytest.raises(ValueError, match="a self-labelling model needs arrays"):
        generators.from_arrays(spec, {"labels": np.zeros(1)}, samples.sort)


def test_the_confidence_in_a_candidate_is_that_in_its_own_label():
    samples = inputs()
    labels, sure = fitted().judged(samples)
    np.testing.assert_array_equal(fitted().confidence(replace(samples, labels=labels)), sure)
    assert (fitted().confidence(replace(samples, labels=np.full(len(samples), "z"))) == 0.0).all()


def test_it_goes_on_with_the_same_inputs_and_shares():
    base = fitted(samples=inputs(seed=1))
    model = generators.primed(SPEC, fitted(), Around(None, base))
    later = generators.fit(SPEC, inputs(seed=2), rng=stream(1, "fit"), previous=model)
    assert later.inputs is base.known
    assert later.known.values.tobytes() == inputs(seed=2).values.tobytes()


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (Samples.of(np.zeros((3, 2))), "needs labels, but the data has none"),
        (Samples.of(np.zeros((3, 2)), ["a", "a", ""]), "two or more classes to learn from, got 2 of a alone"),
    ],
)
def test_what_nothing_can_be_learnt_from_is_refused(samples, message):
    with pytest.raises(DataError, match=message):
        fitted(samples=samples)


def test_a_classifier_must_say_probabilities():
    spec = SelfLabelling(kind="self-labelling", classifier="linear-svc")
    with pytest.raises(ValueError, match="classifier linear-svc says no probabilities"):
        fitted(spec).judged(inputs())


class Fixed:
    """Says what it is told to."""

    def __init__(self, labels, sure):
        self.labels, self.sure = np.array(labels), np.array(sure)

    def judged(self, inputs):
        return self.labels, self.sure


def test_metrics_of_labels_are_those_of_a_table_by_hand():
    truth = Samples.of(np.zeros((6, 1)), ["a", "a", "a", "b", "b", "c"])
    model = Fixed(["a", "a", "b", "b", "a", "a"], [0.95, 0.95, 0.6, 0.6, 0.6, 0.6])
    own = np.array(["a"] * 8 + ["b"] * 2)
    found = of_labels(model, truth, own)
    assert found["accuracy"] == pytest.approx(0.5)
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert found["class_recall/a"] == pytest.approx(2 / 3)
    # b has .2 of the silo's labels and 1/3 of the truth, more than half of that; c has none
    assert found["minority_recall"] == 0.0
    assert found["predicted_entropy"] == pytest.approx(-(2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3)))
    # two at .95, both right: gap .05; four at .6, one right: gap .35
    assert found["calibration_error"] == pytest.approx((2 * 0.05 + 4 * 0.35) / 6)
    assert of_labels(model, None, own) == {}
    assert "minority_recall" not in of_labels(model, truth, None)


def test_calibration_of_what_is_as_sure_as_it_is_right_is_nothing():
    assert calibration_error(np.array([1.0, 1.0, 0.5, 0.5]), np.array([True, True, True, False])) == 0.0
