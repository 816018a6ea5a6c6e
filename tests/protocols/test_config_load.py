# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
import yaml

from tailweave.protocols.config.load import ConfigError, dump_experiment, load_experiment
from tailweave.protocols.config.yaml_file import parse_yaml
from tailweave.simulation.studies.config import is_study

CONFIGS = sorted(
    path for path in (Path(__file__).parents[2] / "configs").glob("*.yaml") if not is_study(path)
)
TEXT = """
name: demo
seeds: 2
data: {source: digits, evaluation-fraction: 0.4}
features: {kind: pca, dimensions: 20}
silos: {count: 5, partition: {kind: by-class, classes-per-silo: 2}}
public: {fraction: 1.0, class-weights: {5: 0.11}}
generator: {kind: gaussian-mixture, components: 20}
recursion: {generations: 8, samples: 400, candidates-per-sample: 4}
arms:
  - {name: no-selection, rule: random}
  - {name: siloed, rule: herding, reference: local}
  - {name: collaborative, rule: herding, reference: {kind: sliced, basis: cosine}}
privacy: {min-rows: 200}
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "demo.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_every_shipped_config_survives_a_round_trip(path, tmp_path):
    experiment = load_experiment(path)
    assert experiment.name == path.stem
    text = dump_experiment(experiment)
    assert load_experiment(write(tmp_path / "again.yaml", text)) == experiment
    assert dump_experiment(load_experiment(tmp_path / "again.yaml")) == text


def test_there_are_shipped_configs():
    assert {"quickstart", "digits-silos"} <= {path.stem for path in CONFIGS}


def test_dump_has_kebab_keys_and_every_default(config):
    raw = yaml.safe_load(dump_experiment(load_experiment(config)))
    assert raw["recursion"]["candidates-per-sample"] == 4.0
    assert raw["federation"]["generations-per-message"] is None
    assert raw["seeds"] == [0, 1]
    assert raw["privacy"]["epsilon"] is None


@pytest.mark.parametrize(
    ("override", "read", "value"),
    [
        ("recursion.generations=3", lambda e: e.recursion.generations, 3),
        ("arms.collaborative.reference.directions=7", lambda e: e.arms[2].reference.directions, 7),
        ("arms.2.reference.directions=7", lambda e: e.arms[2].reference.directions, 7),
        ("arms.siloed.name=alone", lambda e: e.arms[1].name, "alone"),
        ("arms.1.reference=public", lambda e: e.arms[1].reference.kind, "public"),
        ("arms=[{name: only, rule: random}]", lambda e: len(e.arms), 1),
        ("seeds=[4, 9]", lambda e: e.seeds, (4, 9)),
        ("federation.min-clients=3", lambda e: e.min_clients, 3),
        ("federation={min-clients: 3}", lambda e: e.min_clients, 3),
        ("public.class-weights.5=0.5", lambda e: e.public.class_weights, {"5": 0.5}),
        ("features={kind: identity}", lambda e: e.features.reduces_to, None),
    ],
)
def test_overrides_reach_their_place(config, override, read, value):
    assert read(load_experiment(config, [override])) == value


@pytest.mark.parametrize(
    "word", ["no", "Yes", "on", "OFF", "True", "2020", "007", "1e3", "0x10", "2024-01-01"]
)
def test_what_names_a_class_or_a_column_stays_as_it_is_written(config, word):
    text = TEXT.replace("{source: digits", f"{{source: csv, path: a.csv, label: {word}")
    text = text.replace("class-weights: {5:", f"class-weights: {{{word}:")
    found = load_experiment(write(config, text))
    assert found.data.label == word
    assert word in found.public.class_weights
    again = write(config, dump_experiment(found))
    assert load_experiment(again) == found
    assert load_experiment(again, [f"data.label={word}"]).data.label == word
    assert load_experiment(again, [f"public.class-weights.{word}=0.5"]).public.class_weights[word] == 0.5


def test_lists_of_cells_are_text_and_a_missing_list_is_none():
    text = "values: [no, 01, true, null]\nmissing: [NA, -999, .nan, '']\nlabel: null\nother: [no, true, 01]"
    assert parse_yaml(text, "text:") == {
        "values": ["no", "01", "true", "null"],
        "missing": ["NA", "-999", ".nan", ""],
        "label": None,
        "other": ["no", True, 1],
    }


@pytest.mark.parametrize(("word", "value"), [("no", False), ("Off", False), ("yes", True), ("TRUE", True)])
def test_a_key_that_is_a_boolean_takes_the_words_still(config, word, value):
    assert load_experiment(config, [f"privacy.shrink={word}"]).privacy.shrink is value


def test_later_overrides_win_and_the_file_stays_as_it_is(config):
    found = load_experiment(config, ["recursion.generations=3", "recursion.generations=4"])
    assert found.recursion.generations == 4
    assert config.read_text(encoding="utf-8") == TEXT
    assert load_experiment(config).recursion.generations == 8


def test_overrides_reach_into_a_section_left_empty(config):
    path = write(config, TEXT + "federation:\n")
    assert load_experiment(path, ["federation.min-clients=3"]).min_clients == 3


def test_values_may_hold_an_equals_sign(config):
    found = load_experiment(config, ["data={source: csv, path: /a=b.csv}"])
    assert found.data.path == "/a=b.csv"


REFERENCES = "allowed: barycenter, geodesic, local, oracle, public, quantized, sliced"
WRONG = [
    # override, key path, what was found, what is allowed or the nearest key
    ("recursion.generatons=3", "recursion.generatons: unknown key", "did you mean 'generations'", "paradigm"),
    (
        "recursion.candidates_per_sample=9",
        "recursion.candidates_per_sample",
        "did you mean 'candidates-per-sample'",
        "",
    ),
    ("privcy.min-rows=8", "privcy: unknown key", "did you mean 'privacy'", "federation, evaluation"),
    (
        "generator.componets=3",
        "generator.componets: unknown",
        "did you mean 'components'",
        "allowed: kind, start, ridge, federated-rounds",
    ),
    ("data.path=x", "data.path: unknown key", "allowed: source, evaluation-fraction", ""),
    (
        "arms.collaborative.reference.directons=3",
        "arms.2.reference.directons",
        "mean 'directions'",
        "bins, range",
    ),
    (
        "silos.partition.clases-per-silo=1",
        "silos.partition.clases-per-silo",
        "mean 'classes-per-silo'",
        "allowed: kind,",
    ),
    ("arms.siloed.reference=slicd", "arms.1.reference: 'slicd'", "did you mean 'sliced'", REFERENCES),
    ("arms.siloed.reference={}", "arms.1.reference.kind: missing in {}", "", ""),
    ("arms.siloed.reference=[1]", "arms.1.reference: must be a mapping", "got [1]", ""),
    (
        "arms.siloed.rule=hearding",
        "arms.1.rule: 'hearding'",
        "did you mean 'herding'",
        "allowed: center-matching, center-sampling,",
    ),
    (
        "data.source=digit",
        "data.source: 'digit'",
        "did you mean 'digits'",
        "breast-cancer, wine, cifar10, csv, feather, npz, parquet, fasttext, gaussian-modes",
    ),
    ("data={source: csv}", "data.path: missing; it must be given", "", ""),
    ("data={}", "data.source: missing in {}", "", ""),
    ("data=3", "data: must be a mapping", "got 3", ""),
    (
        "generator.kind=gaus",
        "generator.kind: 'gaus'",
        "did you mean 'gaussian'",
        "gaussian, gaussian-mixture",
    ),
    ("features.kind=pcaa", "features.kind: 'pcaa'", "did you mean 'pca'", "random-projection"),
    ("recursion.paradigm=xyz", "recursion.paradigm: 'xyz' is unknown; allowed: replace, accumulate,", "", ""),
    ("silos.count=0", "silos.count", "greater than or equal to 1", "got 0"),
    ("silos.count=10001", "silos.count", "less than or equal to 10000", "got 10001"),
    ("recursion.generations=2.5", "recursion.generations", "valid integer", "got 2.5"),
    ("recursion.samples=many", "recursion.samples", "valid integer", "got 'many'"),
    ("public.fraction=0", "public.fraction", "greater than 0", "got 0"),
    ("public.class-weights.5=2", "public.class-weights.5", "less than or equal to 1", "got 2"),
    ("evaluation.samples=2", "evaluation.samples", "greater than or equal to 20", "got 2"),
    ("privacy.delta=.inf", "privacy.delta", "finite number", "got inf"),
    ("name=Two Words", "name: string should match pattern", "[a-z0-9]", "got 'Two Words'"),
    ("name=", "name: input should be a valid string", "got None", ""),
    ("seeds=0", "seeds: a count of seeds must be at least 1", "got 0", ""),
    ("seeds=[1, 1]", "seeds: seeds must be one or more different", "got [1, 1]", ""),
    ("seeds=[1, -2]", "seeds.1", "greater than or equal to 0", "got -2"),
    ("arms=[]", "arms: tuple should have at least 1 item", "got []", ""),
    ("arms.siloed=3", "arms.1: must be a mapping", "got 3", ""),
    ("federation.min-clients=9", "federation.min-clients is 9", "only 5 silos", ""),
]


@pytest.mark.parametrize(("override", "place", "one", "two"), WRONG, ids=[w[0] for w in WRONG])
def test_wrong_values_are_named_with_file_key_value_and_what_is_allowed(config, override, place, one, two):
    with pytest.raises(ConfigError) as caught:
        load_experiment(config, [override])
    line = next(line for line in str(caught.value).splitlines() if place in line)
    assert line.startswith(f"{config}: ")
    assert one in line
    assert two in line


def test_every_mistake_is_told_at_once(config):
    with pytest.raises(ConfigError) as caught:
        load_experiment(config, ["silos.count=0", "nmae=x", "recursion.samples=0"])
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == [
        "silos.count",
        "recursion.samples",
        "nmae",
    ]


def test_a_hundred_mistakes_are_told_twenty_at_a_time(config):
    with pytest.raises(ConfigError) as caught:
        load_experiment(config, [f"key-{i}=1" for i in range(100)])
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == f"{config}: and 80 more"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("recursion", "write it as key.path=value"),
        ("=3", "write it as key.path=value"),
        ("name={", "the value is not valid YAML"),
        ("data={source: digits, source: wine}", "the value is not valid YAML: key 'source' stands twice"),
        ("arms.9.rule=random", "no item '9' in a list of 3 (there are: no-selection, siloed, collaborative)"),
        (
            "arms.sieled.rule=random",
            "no item 'sieled' in a list of 3 (there are: no-selection, siloed, collab",
        ),
        ("arms.-1.rule=random", "no item '-1' in a list of 3"),
        ("arms.\u00b2.rule=random", "no item '\u00b2' in a list of 3"),
        ("arms.7=3", "no item '7' in a list of 3"),
        ("name.first=x", "name is 'demo', it has no keys"),
        ("name.first.letter=x", "name.first leads into 'demo', which has no keys"),
    ],
)
def test_overrides_that_lead_nowhere_are_refused(config, override, message):
    with pytest.raises(ConfigError) as caught:
        load_experiment(config, [override])
    assert str(caught.value).startswith(f"--set {override}: ")
    assert message in str(caught.value)


def test_lists_without_names_are_addressed_by_number(config):
    with pytest.raises(ConfigError, match=r"no item '5' in a list of 2 \(there are: 0 to 1\)"):
        load_experiment(config, ["seeds=[3, 4]", "seeds.5=1"])
    assert load_experiment(config, ["seeds=[3, 4]", "seeds.1=8"]).seeds == (3, 8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nname: b\n", "not valid YAML: key 'name' stands twice .* line 2"),
        (TEXT.replace("count: 5,", "count: 5, count: 6,"), "key 'count' stands twice"),
        (TEXT.replace("{5: 0.11}", "{5: 0.11, 5: 0.2}"), "key '5' stands twice"),
        (TEXT.replace("rule: random", "rule: random, rule: herding"), "key 'rule' stands twice"),
        ("- 1", "an experiment is a mapping of keys, found list"),
        ("", "an experiment is a mapping of keys, found NoneType"),
        ("name: [", "not valid YAML"),
        ("? [1]\n: 2\n", "not valid YAML: .*unhashable key"),
        ("name: !!python/object/apply:os.system [true]", "not valid YAML: could not determine a constructor"),
        ("1: 2\n", "1: unknown key; allowed: name"),
        ("seeds: 1\n", "name: missing; it must be given"),
    ],
)
def test_files_that_are_no_experiment_are_refused_by_name(tmp_path, text, message):
    path = write(tmp_path / "broken.yaml", text)
    with pytest.raises(ConfigError, match=rf"broken\.yaml: (.|\n)*{message}"):
        load_experiment(path)


def test_missing_unreadable_and_binary_files_are_refused_by_name(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: no such file"):
        load_experiment(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_experiment(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9")
    with pytest.raises(ConfigError, match=r"latin\.yaml: cannot be read: .*utf-8"):
        load_experiment(tmp_path / "latin.yaml")


def test_anchors_and_merge_keys_are_yaml_too(config):
    text = TEXT.replace("{name: siloed, rule: herding,", "{&rule <<: {rule: herding}, name: siloed,")
    text = text.replace("&rule ", "")
    assert load_experiment(write(config, text)).arms[1].rule.kind == "herding"


@pytest.mark.parametrize("source", ["csv", "npz"])
def test_relative_data_paths_start_at_the_folder_of_the_config(tmp_path, monkeypatch, source):
    folder, elsewhere = tmp_path / "experiments", tmp_path / "quite" / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir(parents=True)
    path = write(folder / "own.yaml", TEXT)
    monkeypatch.chdir(elsewhere)
    found = load_experiment(path, [f"data={{source: {source}, path: ../tables/rows.{source}}}"])
    assert found.data.path == str((tmp_path / "tables" / f"rows.{source}").resolve())
    again = write(elsewhere / "resolved.yaml", dump_experiment(found))
    assert load_experiment(again) == found  # the resolved config may be moved


def test_relative_config_path_still_gives_an_absolute_data_path(tmp_path, monkeypatch):
    write(tmp_path / "own.yaml", TEXT)
    monkeypatch.chdir(tmp_path)
    found = load_experiment(Path("own.yaml"), ["data={source: csv, path: rows.csv}"])
    assert found.data.path == str((tmp_path / "rows.csv").resolve())


def test_absolute_data_paths_stay(config):
    found = load_experiment(config, ["data={source: csv, path: /data/rows.csv}"])
    assert found.data.path == "/data/rows.csv"


def test_a_base_that_is_a_folder_beside_the_file_is_taken_from_there(tiny, tmp_path):
    (tmp_path / "models" / "own").mkdir(parents=True)
    for base, wanted in (("models/own", str(tmp_path / "models" / "own")), ("google/ddpm-cifar10-32",) * 2):
        experiment = load_experiment(tiny(generator={"kind": "diffusion", "base": base}))
        assert experiment.generator.base == wanted
