# SPDX-License-Identifier: Apache-2.0
"""The base generator of a run: fitted, or from a file that must fit the experiment."""

import numpy as np
import pytest

import tailweave
from tailweave.clients import generators
from tailweave.clients.generators.gaussian_mixture import Mixture
from tailweave.clients.samples import TEXT, Samples
from tailweave.protocols.base_file import save_base
from tailweave.protocols.config.load import ConfigError, load_experiment
from tailweave.protocols.kinds.generators.language_model import LanguageModelSpec
from tailweave.protocols.streams import stream
from tailweave.simulation.base import base_generator

ROWS = stream(0, "public").normal(size=(80, 3))
WORDS = ("the", "loop", "reads", "every", "line", "of", "a", "file", "and", "returns", "its", "length")
MIXTURE = {"kind": "gaussian-mixture", "components": 2}


def experiment(tiny, generator):
    return load_experiment(tiny(generator=generator))


def made(tmp_path, columns=3, components=2):
    spec = {"kind": "gaussian-mixture", "components": components}
    model = Mixture.fit(
        Samples.of(ROWS[:, :columns]), components=components, ridge=1e-3, rng=stream(1, "fit")
    )
    save_base(tmp_path / "base.npz", spec["kind"], model.arrays())
    return model


def test_a_file_is_taken_as_it_is_for_every_seed(tiny, tmp_path):
    model = made(tmp_path)
    loaded = experiment(tiny, MIXTURE | {"start": {"path": "base.npz"}})
    for seed in (0, 5):
        found = base_generator(loaded, Samples.of(ROWS), seed).arrays()
        assert all(found[name].tobytes() == array.tobytes() for name, array in model.arrays().items())


@pytest.mark.parametrize("start", ["shared", "local"])
def test_otherwise_it_is_fitted_on_the_public_rows(tiny, start):
    loaded = experiment(tiny, MIXTURE | {"start": start})
    expected = generators.fit(loaded.generator, Samples.of(ROWS), rng=stream(4, "base", "fit")).arrays()
    assert (
        base_generator(loaded, Samples.of(ROWS), 4).arrays()["means"].tobytes() == expected["means"].tobytes()
    )


@pytest.mark.parametrize(
    ("generator", "columns", "reason"),
    [
        ({"kind": "gaussian"}, 3, "base.npz: holds a gaussian-mixture, generator.kind is gaussian"),
        (MIXTURE | {"components": 5}, 3, "has 2 components, generator.components is 5"),
        (MIXTURE, 2, "is of 2 columns, the data have 3"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tiny, tmp_path, generator, columns, reason):
    made(tmp_path, columns=columns)
    loaded = experiment(tiny, generator | {"start": {"path": "base.npz"}})
    with pytest.raises(ConfigError, match=f"generator.start.path: .*{reason}"):
        base_generator(loaded, Samples.of(ROWS), 0)


@pytest.mark.parametrize(
    "arrays",
    [
        {"mean": np.zeros(3), "covariance": -np.eye(3)},
        {"mean": np.zeros(3)},
        {"mean": np.zeros((1, 3)), "covariance": np.eye(3)},
    ],
)
def test_parameters_that_are_no_generator_are_refused(tiny, tmp_path, arrays):
    save_base(tmp_path / "base.npz", "gaussian", arrays)
    loaded = experiment(tiny, {"kind": "gaussian", "start": {"path": "base.npz"}})
    with pytest.raises(ConfigError, match="generator.start.path: "):
        base_generator(loaded, Samples.of(ROWS), 0)


def test_a_file_that_is_not_there_is_refused(tiny):
    loaded = experiment(tiny, MIXTURE | {"start": {"path": "nowhere.npz"}})
    with pytest.raises(ConfigError, match="generator.start.path: .*nowhere.npz: not a readable"):
        base_generator(loaded, Samples.of(ROWS), 0)


TEXTS = Samples.of([" ".join(WORDS[i % 5 :]) for i in range(30)], sort=TEXT)
LANGUAGE = {
    "kind": "language-model",
    "temperature": 0.8,
    "network": {"vocabulary": 300, "width": 16, "layers": 1, "heads": 2},
    "real-tokens": 4,
    "synthetic-tokens": 6,
    "first-epochs": 1,
    "device": "cpu",
}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"network": LANGUAGE["network"] | {"width": 32}}, "16 width, generator.network.width is 32"),
        ({"network": LANGUAGE["network"] | {"layers": 2}}, "1 layers, generator.network.layers is 2"),
        ({"network": LANGUAGE["network"] | {"heads": 4}}, "2 heads, generator.network.heads is 4"),
        ({"network": LANGUAGE["network"] | {"vocabulary": 260}}, "vocabulary, .*network.vocabulary is 260"),
        ({"real-tokens": 5}, r"10 real-tokens \+ synthetic-tokens, .*synthetic-tokens is 11"),
        ({"lora": {"rank": 2}}, "has no adapters, generator.lora is given"),
        ({"network": None, "base": "a/b"}, "is of a network of its own, generator.base is a/b"),
        ({"prompts": "public"}, "has no beginnings of public documents, generator.prompts is public"),
    ],
)
def test_a_language_model_of_other_options_is_refused(tmp_path, changes, reason):
    spec = LanguageModelSpec.model_validate(LANGUAGE)
    save_base(tmp_path / "lm.npz", spec.kind, generators.fit(spec, TEXTS, rng=stream(0, "fit")).arrays())
    start = {"start": {"path": str(tmp_path / "lm.npz")}}
    config = {
        "name": "text",
        "seeds": 1,
        "data": {"source": "jsonl", "path": "nowhere.jsonl"},
        "features": {"kind": "tf-idf", "dimensions": 2},
        "silos": {"count": 2, "partition": {"kind": "iid"}},
        "generator": LANGUAGE | start,
        "recursion": {"generations": 1, "samples": 8},
        "arms": [{"name": "random", "rule": "random"}],
    }
    base_generator(tailweave.load(config), TEXTS, 0)
    other = tailweave.load(config | {"generator": LANGUAGE | start | changes})
    with pytest.raises(ConfigError, match=f"generator.start.path: .*lm.npz: .*{reason}"):
        base_generator(other, TEXTS, 0)
