# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tailweave.protocols.config.data import DataSpec, PartitionSpec, PublicSpec, SilosSpec
from tailweave.protocols.config.experiment import ArmSpec, Experiment
from tailweave.protocols.config.features import FeaturesSpec
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.config.references import ReferenceSpec
from tailweave.protocols.config.training import GeneratorSpec, RecursionSpec
from tailweave.protocols.kinds.references.sliced import SlicedReference

SILOS = {"count": 4, "partition": {"kind": "iid"}}
SMALLEST = {
    "name": "small",
    "data": {"source": "wine"},
    "silos": SILOS,
    "generator": {"kind": "gaussian"},
    "recursion": {"generations": 1, "samples": 10},
    "arms": [{"name": "no-selection", "rule": "random"}],
}


def experiment(**changes):
    return Experiment.model_validate({**SMALLEST, **changes})


def read(kind, raw):
    return TypeAdapter(kind).validate_python(raw)


def test_smallest_experiment_has_the_documented_defaults():
    found = experiment()
    assert found.seeds == (0, 1, 2)
    assert found.features.kind == "identity"
    assert found.public.fraction == 1.0
    assert found.recursion.candidates == 40
    assert found.recursion.paradigm == "replace"
    assert (found.privacy.epsilon, found.privacy.delta) == (None, 1e-6)
    assert (found.privacy.min_rows, found.privacy.min_cluster_size) == (200, 10)


@pytest.mark.parametrize(
    ("raw", "seeds"), [(1, (0,)), (3, (0, 1, 2)), ([7], (7,)), ([5, 2], (5, 2)), ((9,), (9,))]
)
def test_seeds_are_a_count_or_a_list(raw, seeds):
    assert experiment(seeds=raw).seeds == seeds


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (0, "a count of seeds must be at least 1, got 0"),
        (-3, "a count of seeds must be at least 1, got -3"),
        (True, "a count or a list of seeds, got a boolean"),
        ([], r"one or more different integers, got \[\]"),
        ([1, 2, 1], r"one or more different integers, got \[1, 2, 1\]"),
        ([2**32], "less than 4294967296"),
        ([-1], "greater than or equal to 0"),
        ([0.5], "valid integer"),
        ("many", "valid tuple"),
    ],
)
def test_other_seeds_are_refused(raw, message):
    with pytest.raises(ValidationError, match=message):
        experiment(seeds=raw)


def test_keys_are_kebab_in_yaml_and_snake_in_python():
    kebab = read(RecursionSpec, {"generations": 1, "samples": 10, "candidates-per-sample": 2})
    assert kebab == RecursionSpec(generations=1, samples=10, candidates_per_sample=2)
    assert set(kebab.model_dump(by_alias=True)) == {
        "generations",
        "samples",
        "candidates-per-sample",
        "paradigm",
        "include-real",
    }


def test_experiments_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        experiment().name = "other"
    with pytest.raises(ValidationError, match="frozen"):
        experiment().recursion.samples = 3


@pytest.mark.parametrize("level", [{"more": 1}, {"silos": {**SILOS, "more": 1}}, {"privacy": {"more": 1}}])
def test_unknown_keys_are_refused_at_every_level(level):
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        experiment(**level)


@pytest.mark.parametrize("key", ["name", "data", "silos", "generator", "recursion", "arms"])
def test_missing_keys_are_refused(key):
    with pytest.raises(ValidationError, match="Field required"):
        Experiment.model_validate({k: v for k, v in SMALLEST.items() if k != key})


@pytest.mark.parametrize("kind", ["local", "oracle", "public", "quantized", "sliced"])
def test_a_reference_is_a_kind_alone_or_a_mapping(kind):
    assert read(ReferenceSpec, kind) == read(ReferenceSpec, {"kind": kind})
    assert read(ReferenceSpec, kind).kind == kind


def test_sliced_defaults_are_those_of_the_design():
    found = SlicedReference(kind="sliced")
    assert (found.basis, found.directions, found.coefficients, found.aggregate) == (
        "cosine",
        256,
        8,
        "mixture",
    )


def test_barycenter_needs_a_histogram():
    assert SlicedReference(kind="sliced", basis="histogram", aggregate="barycenter").aggregate == "barycenter"
    with pytest.raises(ValidationError, match="barycenter needs basis: histogram"):
        SlicedReference(kind="sliced", aggregate="barycenter")


POINTS = ["local", "public", "quantized", "oracle"]


@pytest.mark.parametrize("rule", ["herding", "partial-transport", "top-potential"])
@pytest.mark.parametrize("reference", POINTS)
def test_rules_that_compare_take_every_reference_with_points(rule, reference):
    assert read(ArmSpec, {"name": "a", "rule": rule, "reference": reference}).reference.kind == reference


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ({"rule": "random", "reference": "local"}, "rule random compares with nothing: remove reference"),
        ({"rule": "herding"}, "rule herding needs a reference"),
        (
            {"rule": "partial-transport", "reference": "sliced"},
            "partial-transport needs a reference with points",
        ),
        ({"rule": "top-potential", "reference": "sliced"}, "top-potential needs a reference with points"),
        ({"rule": "nearest", "reference": "local"}, "'nearest' is unknown; did you mean"),
    ],
)
def test_rules_and_references_that_do_not_go_together_are_refused(arm, message):
    with pytest.raises(ValidationError, match=message):
        read(ArmSpec, {"name": "a", **arm})


def test_arms_must_differ_in_name():
    arm = {"name": "twin", "rule": "random"}
    with pytest.raises(ValidationError, match="arm names must differ, found twice: twin"):
        experiment(arms=[arm, {"name": "other", "rule": "random"}, arm])


@pytest.mark.parametrize("name", ["", "-a", "A", "a b", "a/b", "..", "a" * 65, "a\n", "é"])
def test_names_are_safe_in_paths(name):
    with pytest.raises(ValidationError, match="should match pattern"):
        experiment(name=name)


def test_an_experiment_of_the_paper_names_its_page():
    assert experiment().paper is None
    assert experiment(paper="crossed").paper == "crossed"
    with pytest.raises(ValidationError, match="'biased-verification', 'crossed' or 'concentration'"):
        experiment(paper="gaussian")


def test_min_clients_is_two_unless_told_or_alone():
    assert experiment().min_clients == 2
    assert experiment(silos={**SILOS, "count": 1}).min_clients == 1
    assert experiment(federation={"min-clients": 4}).min_clients == 4
    with pytest.raises(ValidationError, match="federation.min-clients is 5 but there are only 4 silos"):
        experiment(federation={"min-clients": 5})


def test_class_weights_may_be_keyed_by_number():
    found = read(PublicSpec, {"class-weights": {5: 0.1, "six": 0.2}})
    assert found.class_weights == {"5": 0.1, "six": 0.2}
    assert PublicSpec(class_weights={5: 0.1}).class_weights == {"5": 0.1}


@given(st.integers(1, 5000), st.floats(1.0, 20.0))
@settings(max_examples=50, deadline=None)
def test_there_are_never_fewer_candidates_than_samples(samples, factor):
    found = RecursionSpec(generations=1, samples=samples, candidates_per_sample=factor)
    assert samples <= found.candidates <= samples * factor + 0.5


def test_too_few_candidates_are_refused():
    with pytest.raises(
        ValidationError, match="cannot select n = 100 samples from N = 90 candidates.*got 0.9"
    ):
        RecursionSpec(generations=1, samples=100, candidates_per_sample=0.9)


@pytest.mark.parametrize(
    ("kind", "raw", "message"),
    [
        (FeaturesSpec, {"kind": "pca"}, "Field required"),
        (FeaturesSpec, {"kind": "random-projection"}, "Field required"),
        (FeaturesSpec, {"kind": "standard", "dimensions": 3}, "Extra inputs are not permitted"),
        (FeaturesSpec, {"kind": "pca", "dimensions": 0}, "greater than or equal to 1"),
        (FeaturesSpec, {"kind": "pca", "dimensions": 2, "fit-on": "rows"}, "Extra inputs are not permitted"),
        (GeneratorSpec, {"kind": "gaussian", "ridge": 0.0}, "greater than 0"),
        (GeneratorSpec, {"kind": "gaussian", "components": 2}, "Extra inputs"),
        (DataSpec, {"source": "digits", "evaluation-fraction": 1.0}, "less than 1"),
        (DataSpec, {"source": "csv", "path": ""}, "at least 1 character"),
        (DataSpec, {"source": "jsonl", "path": "p", "group": ""}, "at least 1 character"),
        (DataSpec, {"source": "text-folder"}, "Field required"),
        (DataSpec, {"source": "python-docs", "groups": []}, "at least 1 item"),
        (DataSpec, {"source": "python-docs", "groups": ["net", "net"]}, "groups must differ, got net, net"),
        (DataSpec, {"source": "python-docs", "characters": 49}, "greater than or equal to 50"),
        (DataSpec, {"source": "python-docs", "path": "p"}, "Extra inputs are not permitted"),
        (DataSpec, {"source": "gaussian-modes", "modes": 3, "rare-modes": 3}, r"below modes \(3\), got 3"),
        (DataSpec, {"source": "gaussian-modes", "rare-modes": 4, "rare-mass": 0.25}, "below 1, got 1.0"),
        (PartitionSpec, {"kind": "dirichlet", "alpha": 0}, "greater than 0"),
        (PartitionSpec, {"kind": "by-class"}, "Field required"),
        (SilosSpec, {"count": 2}, "Field required"),
        (SilosSpec, {**SILOS, "heldout-fraction": 0}, "greater than 0"),
        (PublicSpec, {"fraction": 1.1}, "less than or equal to 1"),
        (PublicSpec, {"class-weights": {"a": -0.1}}, "greater than or equal to 0"),
        (PublicSpec, {"class-weights": [1]}, "valid dictionary"),
        (PublicSpec, [1], "valid dictionary"),
        (PrivacySpec, {"min-rows": 0}, "greater than or equal to 1"),
        (PrivacySpec, {"delta": 1.0}, "less than 1"),
        (ReferenceSpec, {"kind": "sliced", "range": 0}, "greater than or equal to 0.000001"),
        (ReferenceSpec, {"kind": "sliced", "directions": 8193}, "less than or equal to 8192"),
        (ReferenceSpec, {"kind": "quantized", "clusters": 0}, "greater than or equal to 1"),
        (RecursionSpec, {"generations": 0, "samples": 1}, "greater than or equal to 1"),
    ],
)
def test_out_of_range_values_are_refused(kind, raw, message):
    with pytest.raises(ValidationError, match=message):
        read(kind, raw)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_must_be_finite(value):
    with pytest.raises(ValidationError, match="finite number"):
        PublicSpec(fraction=value)


def test_a_copy_by_dump_is_equal():
    found = experiment(
        arms=[{"name": "a", "rule": "herding", "reference": "sliced"}], public={"class-weights": {1: 0.5}}
    )
    assert Experiment.model_validate(found.model_dump(mode="json", by_alias=True)) == found
    assert Experiment.model_validate_json(found.model_dump_json()) == found
