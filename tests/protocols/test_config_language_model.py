# SPDX-License-Identifier: Apache-2.0
"""Options of a language model, and which of them an arm may have for itself."""

import pytest
import yaml

from tailweave.protocols.config.load import ConfigError, make_experiment

EXPERIMENT = """
name: words
seeds: 1
data: {source: python-docs}
features: {kind: hidden-states, dimensions: 8}
silos: {count: 4, partition: {kind: by-class, classes-per-silo: 1}}
generator: {kind: language-model, temperature: 0.8, real-tokens: 8, synthetic-tokens: 8}
recursion: {generations: 1, samples: 8}
arms: [{name: a, rule: random}, {name: b, rule: random}]
"""


def made(tmp_path, *overrides: str):
    return make_experiment(yaml.safe_load(EXPERIMENT), overrides, called="words", beside=tmp_path)


def test_an_arm_differs_in_what_it_draws(tmp_path):
    asked = made(tmp_path, "arms.b.generator={temperature: 1.0, real-tokens: 4, synthetic-tokens: 12}")
    one, two = (asked.generator_of(arm) for arm in asked.arms)
    assert one == asked.generator
    assert (two.temperature, two.real_tokens, two.synthetic_tokens) == (1.0, 4, 12)


REFUSED = {
    "temperature has no default": (
        ["generator={kind: language-model}"],
        "generator.temperature: missing; it must be given",
    ),
    "base and network": (["generator.base=gpt2", "generator.network={}"], "base brings its own network"),
    "no first epochs": (["generator.first-epochs=0"], "first-epochs may be 0 only with a base"),
    "heads": (["generator.network={width: 10, heads: 4}"], "width must be a multiple of heads = 4, got 10"),
    "start": (
        ["generator.start=federated"],
        "must be one of shared, local, or {path: FILE}, got 'federated'",
    ),
    "an arm's epochs": (
        ["arms.b.generator={epochs: 3}"],
        "arm b: generator.epochs may not differ between arms",
    ),
    "an arm's length": (["arms.b.generator={real-tokens: 9}"], "arm b: .* must be 16 in every arm, got 17"),
    "an arm's temperature": (["arms.b.generator={temperature: 0}"], "arm b: generator.temperature"),
    "public beginnings": (
        ["arms.b.generator={prompts: public}"],
        "arm b: generator.prompts: public in an arm",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(tmp_path, name):
    overrides, message = REFUSED[name]
    with pytest.raises(ConfigError, match=message):
        made(tmp_path, *overrides)


def test_arms_of_other_generators_may_not_differ(tmp_path):
    numbers = EXPERIMENT.replace("source: python-docs", "source: digits")
    numbers = numbers.replace("hidden-states, dimensions: 8", "identity").replace(
        "language-model, temperature: 0.8, real-tokens: 8, synthetic-tokens: 8", "gaussian"
    )
    with pytest.raises(
        ConfigError, match="generator.ridge may not differ between arms; those that may: none"
    ):
        make_experiment(
            yaml.safe_load(numbers), ["arms.b.generator={ridge: 1.0}"], called="x", beside=tmp_path
        )
