# SPDX-License-Identifier: Apache-2.0
"""A fit that cannot go into memory is refused before it is tried, with what would fit."""

import re

import pytest

from tailweave.protocols.config.load import ConfigError
from tailweave.protocols.config.training import RecursionSpec
from tailweave.protocols.kinds.generators.gaussian import GaussianMixtureSpec, GaussianSpec
from tailweave.protocols.kinds.generators.self_labelling import SelfLabelling
from tailweave.simulation import dry_run, memory
from tailweave.simulation.memory import check_candidates, check_memory, in_bytes

GIB = 2**30


def test_twenty_components_of_five_thousand_columns_are_refused_with_what_fits():
    spec = GaussianMixtureSpec(kind="gaussian-mixture", components=20)
    with pytest.raises(
        ConfigError, match="needs at least 18.6 GiB of memory, this machine has 8.0 GiB"
    ) as got:
        check_memory(spec, 5000, 8 * GIB)
    components = int(re.search(r"components of at most (\d+)", str(got.value))[1])
    columns = int(re.search(r"at most about ([\d,]+) columns", str(got.value))[1].replace(",", ""))
    check_memory(spec.model_copy(update={"components": components}), 5000, 8 * GIB)
    check_memory(spec, columns, 8 * GIB)
    with pytest.raises(ConfigError, match="what fits: at most about"):
        check_memory(GaussianSpec(kind="gaussian"), 50_000, 8 * GIB)


def test_candidates_that_cannot_be_held_are_refused_with_what_fits():
    options = RecursionSpec(generations=5, samples=50_000)
    with pytest.raises(
        ConfigError, match="200,000 candidates of 12,288 columns need at least 18.3 GiB of memory"
    ) as got:
        check_candidates(options, 12_288, 8 * GIB)
    most = int(re.search(r"samples of at most ([\d,]+)", str(got.value))[1].replace(",", ""))
    check_candidates(options.model_copy(update={"samples": most}), 12_288, 8 * GIB)
    check_candidates(options, 12_288, 32 * GIB)
    grown = options.model_copy(update={"paradigm": "accumulate-select"})
    with pytest.raises(ConfigError, match="1,000,000 candidates of 5 generations of 12,288 columns"):
        check_candidates(grown, 12_288, 32 * GIB)


def test_what_nobody_can_count_is_not_refused():
    check_memory(SelfLabelling(kind="self-labelling"), 10**9, 1)


def test_bytes_are_said_in_the_unit_that_suits_them():
    assert [in_bytes(n) for n in (512, 2**20, 5 * GIB)] == ["0.5 KiB", "1.0 MiB", "5.0 GiB"]


@pytest.mark.parametrize("command", [("run",), ("run", "--dry-run"), ("audit",), ("base",)])
def test_every_command_refuses_it_and_makes_nothing(tailweave, tiny, tmp_path, monkeypatch, command):
    monkeypatch.setattr(memory, "machine_bytes", lambda: 100_000)
    out = tmp_path / "out"
    code, _, said = tailweave(command[0], tiny(seeds=1), *command[1:], "--out", out)
    assert (code, "needs at least 640.0 KiB of memory, this machine has 97.7 KiB" in said) == (2, True)
    assert not out.exists()


def test_a_dry_run_fits_nothing(tailweave, tiny, monkeypatch):
    def fitted(*_: object, **__: object) -> None:
        raise AssertionError("a dry run has fitted something")

    monkeypatch.setattr(dry_run.generators, "fit", fitted)
    monkeypatch.setattr("sklearn.mixture.GaussianMixture.fit", fitted)
    code, said, _ = tailweave("run", tiny(seeds=1), "--dry-run")
    assert (code, "time      cpu: about" in said) == (0, True)
