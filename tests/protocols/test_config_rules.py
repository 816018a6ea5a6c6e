# SPDX-License-Identifier: Apache-2.0
"""What each rule needs is checked when the configuration is read."""

import pytest
from pydantic import TypeAdapter, ValidationError

from tailweave.protocols.config.data import SilosSpec
from tailweave.protocols.config.experiment import ArmSpec, Experiment
from tailweave.protocols.config.references import REFERENCES
from tailweave.protocols.config.rules import RULES, check_candidates, check_reference

NEEDS = {rule: spec.compares for rule, spec in RULES.kinds.items()}
WITHOUT_REFERENCE = [rule for rule, needs in NEEDS.items() if needs == "nothing"]
ON_SKETCHES = [rule for rule, needs in NEEDS.items() if needs == "potential"]
ON_SAMPLES = [rule for rule, spec in RULES.kinds.items() if spec.compares_samples]
ON_POINTS = [rule for rule, needs in NEEDS.items() if needs == "points" and rule not in ON_SAMPLES]
SAMPLE_KINDS = ("local", "oracle", "public")
POINT_KINDS = ("barycenter", "geodesic", "local", "oracle", "public", "quantized")
FEWEST_CANDIDATES = {"fid-batches": 100, "latent-density": 5}


def arm(**keys) -> ArmSpec:
    return TypeAdapter(ArmSpec).validate_python({"name": "a", **keys})


def experiment(rule: str, samples: int, ratio: float, **keys) -> Experiment:
    return Experiment.model_validate(
        {
            "name": "small",
            "data": {"source": "wine"},
            "silos": {"count": 2, "partition": {"kind": "iid"}},
            "generator": {"kind": "gaussian"},
            "recursion": {"generations": 1, "samples": samples, "candidates-per-sample": ratio},
            "arms": [{"name": "one", "rule": rule, **keys}],
        }
    )


def test_every_published_rule_has_a_name():
    assert {
        *("random", "k-means", "center-matching", "center-sampling", "covariance-matching"),
        *(
            "matching-alpha",
            "fid-batches",
            "ds3",
            "latent-density",
            "threshold-decay",
            "top-potential",
            "nash",
        ),
    } <= set(RULES.kinds)


def test_every_kind_of_reference_is_a_sketch_or_has_points():
    assert [kind for kind, spec in REFERENCES.kinds.items() if spec.points] == list(POINT_KINDS)
    assert set(REFERENCES.kinds) == {*POINT_KINDS, "sliced"}


@pytest.mark.parametrize("rule", WITHOUT_REFERENCE)
def test_rules_without_a_reference_refuse_one(rule):
    assert arm(rule=rule).reference is None
    with pytest.raises(ValidationError, match=f"rule {rule} compares with nothing: remove reference"):
        arm(rule=rule, reference="local")


@pytest.mark.parametrize("rule", [*ON_POINTS, *ON_SKETCHES])
@pytest.mark.parametrize("kind", POINT_KINDS)
def test_rules_that_compare_take_every_reference_with_points(rule, kind):
    check_reference(RULES.kinds[rule](kind=rule), REFERENCES.kinds[kind](kind=kind))
    assert arm(rule=rule, reference=kind).reference.kind == kind


@pytest.mark.parametrize("rule", [*ON_POINTS, *ON_SKETCHES, *ON_SAMPLES])
def test_rules_that_compare_need_a_reference(rule):
    with pytest.raises(ValidationError, match=rf"rule {rule} needs a reference\b(?! with)"):
        arm(rule=rule)


@pytest.mark.parametrize("rule", ON_POINTS)
def test_rules_on_points_refuse_a_sketch_and_name_what_is_allowed(rule):
    allowed = r"\(barycenter, geodesic, local, oracle, public, quantized\)"
    message = rf"rule {rule} needs a reference with points {allowed}, got sliced; "
    with pytest.raises(
        ValidationError,
        match=message + "on a sketch works rule class-balanced, confident-herding, gated-herding, herding",
    ):
        arm(rule=rule, reference={"kind": "sliced"})


@pytest.mark.parametrize("rule", ON_SAMPLES)
@pytest.mark.parametrize("kind", REFERENCES.kinds)
def test_rules_that_read_samples_need_those_that_the_reference_was_made_of(rule, kind):
    if kind in SAMPLE_KINDS:
        assert arm(rule=rule, reference=kind).reference.kind == kind
        return
    with pytest.raises(
        ValidationError,
        match=rf"rule {rule} reads .* one made on the silo's node \(local, oracle, public\), got {kind}",
    ):
        arm(rule=rule, reference=kind)


@pytest.mark.parametrize("rule", ON_SKETCHES)
def test_rules_on_sketches_take_one(rule):
    assert arm(rule=rule, reference="sliced").reference.kind == "sliced"


@pytest.mark.parametrize(("rule", "fewest"), FEWEST_CANDIDATES.items())
def test_rules_on_batches_need_candidates_enough_for_one(rule, fewest):
    check_candidates(RULES.kinds[rule](kind=rule), fewest)
    message = rf"rule {rule} needs at least {fewest} candidates \(samples x candidates-per-sample\), got"
    with pytest.raises(ValueError, match=f"{message} {fewest - 1}"):
        check_candidates(RULES.kinds[rule](kind=rule), fewest - 1)
    keys = {} if rule in WITHOUT_REFERENCE else {"reference": "local"}
    assert experiment(rule, 25, 4.0, **keys).recursion.candidates == 100
    with pytest.raises(ValidationError, match=f"arm one: {message} 4"):
        experiment(rule, 2, 2.0, **keys)


def test_other_rules_choose_from_any_number_and_options_change_how_few():
    fewest = {rule: spec(kind=rule).fewest for rule, spec in RULES.kinds.items()}
    assert {rule: few for rule, few in fewest.items() if few > 1} == FEWEST_CANDIDATES
    assert arm(rule={"kind": "fid-batches", "batch": 40}, reference="local").rule.fewest == 40


def test_silos_to_follow_are_at_most_all():
    partition = {"kind": "iid"}
    assert SilosSpec(count=4, partition=partition).followed == 4
    assert SilosSpec(count=4, follow=1, partition=partition).followed == 1
    assert SilosSpec(count=4, follow=4, partition=partition).followed == 4
    with pytest.raises(ValidationError, match="follow must be at most count = 4, got 5"):
        SilosSpec(count=4, follow=5, partition=partition)
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        SilosSpec(count=4, follow=0, partition=partition)


@pytest.mark.parametrize(
    "rule", [name for name, spec in RULES.kinds.items() if spec.scores and not spec.reads_labels]
)
def test_rules_on_scores_need_a_generator_that_gives_them(rule):
    keys = {} if rule in WITHOUT_REFERENCE else {"reference": "local"}
    raw = experiment("random", 20, 4.0).model_dump(mode="json", by_alias=True)
    raw["arms"] = [{"name": "one", "rule": rule, **keys}]
    needs = f"a score {RULES.kinds[rule].scores[0]}"
    with pytest.raises(
        ValidationError, match=rf"arm one: rule {rule} needs {needs} .*, generator diffusion gives none"
    ):
        Experiment.model_validate(raw | {"generator": {"kind": "diffusion"}})


def test_kinds_are_held_against_the_sort_of_the_data():
    raw = experiment("random", 20, 4.0).model_dump(mode="json", by_alias=True)
    encoder = {"kind": "encoder", "dimensions": 4, "model": "small-conv"}
    for key, wrong in {
        "features": {"features": encoder},
        "evaluation.features": {"evaluation": {"features": encoder}},
    }.items():
        with pytest.raises(
            ValidationError,
            match=f"error, {key}: kind encoder takes samples of sort image; data gives numbers .source wine.",
        ):
            Experiment.model_validate(raw | wrong)
        assert Experiment.model_validate(raw | wrong | {"data": {"source": "digits"}}).data.gives == "image"


DOCUMENTS = {
    "generator": {"kind": "language-model", "temperature": 0.8},
    "features": {"kind": "tf-idf"},
    "silos": {"count": 2, "partition": {"kind": "by-class", "classes-per-silo": 1}},
}
TAKES_ROWS = "takes samples of sort numbers, image, table"


@pytest.mark.parametrize("source", ["python-docs", "text-folder", "jsonl"])
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"generator": {"kind": "gaussian"}}, f"generator: kind gaussian {TAKES_ROWS}"),
        ({"generator": {"kind": "diffusion"}}, f"generator: kind diffusion {TAKES_ROWS}"),
        ({"features": {"kind": "standard"}}, f"features: kind standard {TAKES_ROWS}"),
        (
            {"evaluation": {"features": {"kind": "standard"}}},
            f"evaluation.features: kind standard {TAKES_ROWS}",
        ),
        (
            {"silos": {"count": 2, "partition": {"kind": "by-quantile"}}},
            f"silos.partition: kind by-quantile {TAKES_ROWS}",
        ),
        (
            {"generator": {"kind": "gaussian"}, "features": {"kind": "identity"}},
            f"generator: kind gaussian {TAKES_ROWS}; features: kind identity {TAKES_ROWS}",
        ),
    ],
)
def test_what_takes_rows_takes_no_documents(source, wrong, said):
    raw = experiment("random", 20, 4.0).model_dump(mode="json", by_alias=True) | DOCUMENTS
    raw["data"] = {"source": source} | ({} if source == "python-docs" else {"path": "p.jsonl"})
    assert Experiment.model_validate(raw).data.gives == "text"
    with pytest.raises(ValidationError, match=f"error, {said}; data gives text .source {source}."):
        Experiment.model_validate(raw | wrong)


@pytest.mark.parametrize("kind", ["hidden-states", "tf-idf"])
def test_what_takes_documents_takes_no_rows(kind):
    raw = experiment("random", 20, 4.0).model_dump(mode="json", by_alias=True)
    with pytest.raises(
        ValidationError, match=f"error, features: kind {kind} takes samples of sort text; data gives numbers"
    ):
        Experiment.model_validate(raw | {"features": {"kind": kind}})


@pytest.mark.parametrize("rule", [name for name, spec in RULES.kinds.items() if spec.takes == ("text",)])
def test_rules_are_held_against_the_sort_of_the_data(rule):
    keys = {"reference": "local"} if rule in ON_SAMPLES else {}
    with pytest.raises(
        ValidationError, match=f"arm one: rule {rule} takes samples of sort text; data gives numbers"
    ):
        experiment(rule, 20, 4.0, **keys)


POOL = {"paradigm": "accumulate-select"}
REAL = {"include-real": True}


@pytest.mark.parametrize(
    ("rule", "keys"), [("fresh", POOL | REAL), ("last-generation", POOL), ("last-generation", POOL | REAL)]
)
def test_rules_on_birth_take_a_pool_of_all_generations(rule, keys):
    assert experiment(rule, 20, 4.0, **keys).arms[0].rule.kind == rule
    raw = experiment("random", 20, 4.0).model_dump(mode="json", by_alias=True)
    raw["recursion"] |= keys
    raw["arms"] = [{"name": "one", "rule": rule}]  # the experiment's own paradigm counts as well
    assert Experiment.model_validate(raw).recursion.paradigm == "accumulate-select"


@pytest.mark.parametrize(
    ("rule", "keys", "message"),
    [
        ("fresh", {}, "rule fresh chooses .*: it needs paradigm: accumulate-select, got replace, where all"),
        ("fresh", REAL | {"paradigm": "accumulate"}, "needs paradigm: accumulate-select, got accumulate,"),
        ("fresh", POOL, "rule fresh needs include-real: true; with include-real: false no candidate is real"),
        ("last-generation", REAL, r"last-generation chooses .* got replace, .* \(rule random draws from"),
    ],
)
def test_rules_on_birth_refuse_where_birth_says_nothing(rule, keys, message):
    with pytest.raises(ValidationError, match=f"arm one: .*{message}"):
        experiment(rule, 20, 4.0, **keys)


@pytest.mark.parametrize("gate", [0.5, 1001.0])
def test_a_gate_is_one_or_more(gate):
    assert arm(rule="gated-herding", reference="sliced").rule.gate == 2.0
    with pytest.raises(ValidationError, match="gate"):
        arm(rule={"kind": "gated-herding", "gate": gate}, reference="sliced")
