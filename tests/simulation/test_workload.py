# SPDX-License-Identifier: Apache-2.0
"""Counting the work of an experiment, against the tiny run's own record of what it did."""

import json

import pytest

from tailweave.protocols.config.load import load_experiment
from tailweave.simulation.workload import sizes, workload


def test_the_tiny_runs_work_is_what_it_did(tiny, finished):
    experiment = load_experiment(tiny())
    work = workload(experiment, sizes(experiment))
    lines = (finished / "metrics.jsonl").read_text().splitlines()
    later = sum(json.loads(line)["generation"] > 0 for line in lines)
    assert work.refits == later
    assert work.bases == 2
    assert work.measured == 60
    # Candidates of each later generation, samples to measure all generations, public samples of each seed.
    assert work.draws == later * 180 + len(lines) * 60 + 2 * 4000
    answers = (finished / "wire.jsonl").read_text().splitlines()
    assert work.messages == len(answers)


def test_sizes_are_those_of_the_data(tiny):
    found = sizes(load_experiment(tiny()))
    assert (found.columns, found.public, found.evaluation, found.missing) == (64, 1617, 180, None)


def test_a_local_start_fits_a_base_in_every_arm_and_silo(tiny):
    experiment = load_experiment(tiny(generator={"kind": "gaussian", "start": "local"}))
    assert workload(experiment, sizes(experiment)).bases == 2 * (1 + 4 * 3)


@pytest.mark.parametrize(
    ("data", "columns", "public", "evaluation"),
    [
        ({"source": "cifar10", "path": "nowhere"}, 3072, 50_000, 10_000),
        ({"source": "cifar10", "path": "nowhere", "rows": 500, "evaluation-rows": 100}, 3072, 500, 100),
        ({"source": "image-folder", "path": "nowhere", "image": [1, 4, 4]}, 16, 60, 24),
        ({"source": "hashed-text", "path": "nowhere", "columns": 32}, 32, 60, 24),
    ],
)
def test_images_that_are_not_there_are_counted_as_published(tiny, data, columns, public, evaluation):
    features = {"kind": "pca", "dimensions": 6}
    found = sizes(load_experiment(tiny(data=data, features=features)))
    assert (found.columns, found.public, found.evaluation) == (columns, public, evaluation)
    assert "nowhere" in found.missing


def test_rows_that_are_not_there_and_not_known_are_refused(tiny):
    with pytest.raises(ValueError, match="own.csv: there is no such file"):
        sizes(load_experiment(tiny(data={"source": "csv", "path": "own.csv"})))


def test_more_candidates_take_more_memory(tiny):
    few, many = (load_experiment(tiny(recursion={"generations": 3, "samples": n})) for n in (60, 600))
    found = sizes(few)
    # 540 more selected rows, 2 x 4 x 540 more candidates of 64 columns; their features of 6, basis of 96.
    more = (540 + 2 * 2160) * 64 * 8 + 2160 * (6 * 8 + 96 * 4)
    assert workload(many, found).row_bytes - workload(few, found).row_bytes == more


@pytest.mark.parametrize(
    ("paradigm", "rows"),
    # Of the last refit: 60 selected of 180 candidates, 3 generations.
    [("accumulate", 180), ("accumulate-subsample", 180), ("accumulate-select", 540)],
)
def test_what_a_refit_may_see_takes_memory(tiny, paradigm, rows):
    held = {}
    for name in ("replace", paradigm):
        experiment = load_experiment(
            tiny(recursion={"generations": 3, "samples": 60, "candidates-per-sample": 3, "paradigm": name})
        )
        held[name] = workload(experiment, sizes(experiment)).row_bytes
    assert held[paradigm] - held["replace"] == (rows - 60) * 64 * 8
