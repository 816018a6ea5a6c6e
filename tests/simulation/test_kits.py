# SPDX-License-Identifier: Apache-2.0
"""Kits of several seeds, fitted side by side."""

import json

import numpy as np
import pytest

from tailweave.clients.generators.course import Course
from tailweave.protocols.config.experiment import Experiment
from tailweave.simulation.kits import fitted_kits


@pytest.fixture
def experiment(tmp_path) -> Experiment:
    lines = [
        {"text": f"{a} {b} {a} and {b}", "group": g}
        for g, a in zip("ab", ("red", "blue"), strict=True)
        for b in "wxyz" * 5
    ]
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Experiment.model_validate(
        {
            "name": "kits",
            "seeds": [3, 5],
            "data": {"source": "jsonl", "path": str(path)},
            "features": {"kind": "tf-idf", "dimensions": 2},
            "silos": {"count": 2, "partition": {"kind": "iid"}},
            "generator": {
                "kind": "language-model",
                "temperature": 0.8,
                "network": {"vocabulary": 300, "width": 16, "layers": 1, "heads": 2},
                "real-tokens": 4,
                "synthetic-tokens": 4,
                "first-epochs": 1,
                "epochs": 1,
            },
            "recursion": {"generations": 1, "samples": 4},
            "arms": [{"name": "one", "rule": "random"}],
        }
    )


@pytest.mark.slow
def test_side_by_side_they_are_the_same_and_told_of(experiment):
    told = []
    here = fitted_kits(experiment, [3, 5], Course(), 1)
    beside = fitted_kits(experiment, [3, 5], Course(lambda *steps: told.append(steps)), 2)
    assert list(beside) == [3, 5]
    assert told == [(1, 2), (2, 2)]
    for seed, kit in here.items():
        assert kit.features == beside[seed].features
        assert kit.base.keys() == beside[seed].base.keys()
        for name, part in kit.base.items():
            np.testing.assert_array_equal(part, beside[seed].base[name])


@pytest.mark.slow
def test_what_stops_a_fit_is_said_as_it_is_here(experiment, tmp_path):
    (tmp_path / "corpus.jsonl").write_text("")
    with pytest.raises(ValueError, match="corpus.jsonl"):
        fitted_kits(experiment, [3, 5], Course(), 2)
