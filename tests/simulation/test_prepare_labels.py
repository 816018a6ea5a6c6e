# SPDX-License-Identifier: Apache-2.0
"""Silos whose models are to label inputs, before a run folder is made."""

import pytest

from tailweave.clients.samples import DataError
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.load import ConfigError
from tailweave.simulation.prepare import prepare

SKETCH = {"kind": "sliced", "basis": "cosine", "directions": 16, "coefficients": 2}


def experiment(silos: dict, **keys) -> Experiment:
    raw = {
        "name": "small",
        "seeds": [0],
        "data": {"source": "wine"},
        "features": {"kind": "pca", "dimensions": 4, "label-weight": 2.0},
        "silos": {"count": 2, "partition": {"kind": "iid"}} | silos,
        "generator": {"kind": "self-labelling", "classifier": "gaussian-nb"},
        "recursion": {"generations": 1, "samples": 10, "include-real": True},
        "arms": [{"name": "one", "rule": "herding", "reference": SKETCH}],
    }
    return Experiment.model_validate(raw | keys)


def test_the_map_has_a_column_a_class_and_silos_the_labels_asked_for():
    prepared = prepare(experiment({"labelled": 20}))
    features = prepared.kits[0].features
    assert features.classes == ("class_0", "class_1", "class_2")
    assert features.dimension == 7


@pytest.mark.parametrize(
    ("silos", "message"),
    [
        (
            {"count": 3, "partition": {"kind": "by-class", "classes-per-silo": 1}},
            r"silo-0 has labels of 1 class \(class_0\), a model that learns to label needs two or more",
        ),
        (
            {"count": 1, "partition": {"kind": "by-class", "classes-per-silo": 2}},
            "no silo has a labelled row of class class_2, so no silo's model can ever name it",
        ),
        ({"labelled": 1000}, "silos.labelled must be at most the .* training rows of silo-0, got 1000"),
    ],
)
def test_silos_that_cannot_label_are_refused_with_what_to_change(silos, message):
    with pytest.raises((ConfigError, DataError), match=message):
        prepare(experiment(silos))


@pytest.mark.parametrize(
    ("classifier", "message"),
    [
        ("random-forrest", "no classifier 'random-forrest'; nearest: 'random-forest'"),
        ("linear-svc", "says no probabilities"),
        ({"name": "gaussian-nb", "options": {"depth": 2}}, "no option 'depth'"),
    ],
)
def test_classifiers_that_will_not_do_are_refused(classifier, message):
    with pytest.raises(ValueError, match=message):
        prepare(experiment({}, generator={"kind": "self-labelling", "classifier": classifier}))


def test_own_inputs_need_rows_without_a_label():
    with pytest.raises(ConfigError, match="silo-0, generator.inputs: own: .*needs rows without a label"):
        prepare(experiment({}, generator={"kind": "self-labelling", "inputs": "own"}))


def test_own_inputs_go_with_a_correction_by_the_reference():
    arm = {"name": "one", "rule": "herding", "reference": SKETCH, "generator": {"prior": "reference"}}
    generator = {"kind": "self-labelling", "classifier": "gaussian-nb", "inputs": "own"}
    prepared = prepare(experiment({"labelled": 20}, generator=generator, arms=[arm]))
    assert prepared.kits[0].features.classes == ("class_0", "class_1", "class_2")


def test_the_axes_of_the_classes_leave_directions_for_the_rest():
    arm = {"name": "one", "rule": "herding", "reference": SKETCH | {"directions": 3}}
    with pytest.raises(ConfigError, match="arm one: reference.directions must be more than the 3 classes"):
        prepare(experiment({}, arms=[arm]))
