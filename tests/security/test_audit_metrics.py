# SPDX-License-Identifier: Apache-2.0
"""Free questions with everything chosen by the server: nothing under the default policy, all with consent."""

from functools import partial

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from tailweave.clients.release.policy import Policy
from tailweave.protocols.streams import stream
from tailweave.simulation.audit.doors import metrics
from tailweave.simulation.audit.doors.metrics import KINKS, NEAREST, question_metrics
from tailweave.simulation.audit.doors.questions import anything
from tailweave.simulation.audit.doors.silo import AskedSilo, unheard
from tailweave.simulation.audit.doors.table import public_row, table

QUESTIONS = 1000
CONSENT = Policy(allow_own_metrics=True)
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _quiet():
    with unheard():
        yield


@pytest.fixture
def consenting(tmp_path):
    return AskedSilo(tmp_path / "silo", table(stream(0, "rows"), 230), CONSENT)


def test_a_thousand_free_questions_tell_nothing_of_a_row(tmp_path):
    learnt = question_metrics(tmp_path / "silo", Policy(), questions=QUESTIONS)
    assert learnt.questions == learnt.compared == QUESTIONS
    assert learnt.differing == 0  # byte for byte, of silos that differ in a training or a held-out row
    assert {a.name: (a.recovery.exact, a.recovery.close) for a in learnt.attacks} == {
        NEAREST: (0, 0),
        KINKS: (0, 0),
    }
    assert (learnt.membership.auc, learnt.membership.tpr) == (0.5, 0.0)


def test_with_consent_the_same_questions_take_rows(tmp_path):
    learnt = question_metrics(tmp_path / "silo", CONSENT, questions=1)
    found = {a.name: a.recovery for a in learnt.attacks}
    assert found[NEAREST].exact >= 30  # of 40 probes, some of which have one nearest row
    assert (found[KINKS].exact, found[KINKS].rows) == (23, 23)
    assert learnt.membership.auc > 0.99
    # those for held-out rows differ where one of these does, and every second one was asked of such a silo
    assert learnt.differing > learnt.compared / 3


@pytest.mark.parametrize("way", [metrics._from_local, metrics._from_real])
def test_a_way_reads_the_distance_to_the_nearest_training_row(consenting, way):
    rng = stream(0, "points")
    for point in (public_row(rng) for _ in range(5)):
        nearest = cdist(point[None, :], consenting.silo.train.values).min()
        np.testing.assert_allclose(way(consenting, point), nearest, atol=1e-9)  # two rows 1e-10 apart


def test_public_metrics_of_a_model_that_learnt_rows_by_heart_tell_members(consenting):
    blind = lambda point: None  # noqa: E731 - a server that has no distance
    public = partial(public_row, stream(0, "public"))
    game = metrics._membership(consenting, public, blind)
    assert game.auc > 0.8  # three members and three others


def test_questions_are_many_and_mostly_answered(consenting):
    rng = stream(0, "anything")
    public = partial(public_row, stream(0, "public"))
    answers = [consenting.ask(anything(public, rng).question(number)) for number in range(60)]
    assert sum(bool(answer.values) for answer in answers) > 30
    assert len({question.model_dump_json() for question, _ in consenting.asked}) == 60
