# SPDX-License-Identifier: Apache-2.0
"""A changed app at a node's Runtime API: refused by the silo's own program, run by Flower's."""

import pytest

from tailweave.simulation.audit.doors.code import by_flower, by_silo, send_foreign_app

pytestmark = pytest.mark.slow


def test_a_silo_refuses_it_and_no_row_is_read(tmp_path):
    sent = send_foreign_app(tmp_path / "door", by_silo)
    assert "is not the one installed at this silo: clients/app.py differs" in sent.said
    assert (sent.taken, sent.attack.recovery.close) == (False, 0)


def test_without_the_control_it_takes_every_row(tmp_path):
    sent = send_foreign_app(tmp_path / "door", by_flower)
    assert sent.taken
    assert sent.attack.recovery.exact == sent.attack.recovery.rows == 200
