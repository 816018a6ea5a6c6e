# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tailweave.simulation.paper.transport import barycenter_row, fedwad_rows, toy_row


@pytest.mark.parametrize("seed", range(2))
def test_the_study_agrees_with_pot_to_one_percent(seed):
    assert barycenter_row(seed, samples=60)["to_pot"] <= 0.01


def test_nears_the_closed_form_as_rows_grow():
    gaps = [np.mean([barycenter_row(s, samples=n)["to_bures"] for s in range(2)]) for n in (20, 80, 320)]
    # sampling error of mean and covariance falls as the root of n: a factor 4 over all, half is asked
    assert gaps[2] < gaps[0] / 2
    assert gaps[2] < 0.1


def test_the_published_toy_is_reproduced():
    # public code of arXiv 2606.13732: 9 iterations, error .00875 (5 decimals printed)
    row = toy_row()
    assert row["iterations"] == 9
    assert row["error"] == pytest.approx(0.00875, abs=5e-6)


def test_fedwad_rows_tell_the_worst_rise():
    rows = fedwad_rows(0, samples=20, rounds=8)
    assert [row["generation"] for row in rows] == list(range(1, 9))
    assert all(row["rise"] == 0.0 for row in rows)
    assert rows[-1]["excess"] < rows[0]["excess"]
