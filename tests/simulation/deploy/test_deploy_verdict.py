# SPDX-License-Identifier: Apache-2.0
import pytest

from tailweave.simulation.deploy.verdict import NotRunning, Verdict, failed, judged, lines


def look(outcome):
    def looking():
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return judged("server", "disk", "buy one", looking)


def test_outcomes_become_states():
    assert look("fine") == Verdict("ok", "server", "disk", "fine")
    assert look(NotRunning("later")) == Verdict("off", "server", "disk", "later", "buy one")
    assert look(ValueError("two\nlines")) == Verdict("FAIL", "server", "disk", "two lines", "buy one")
    assert look(OSError("gone")).state == "FAIL"
    with pytest.raises(KeyError):
        look(KeyError("a mistake of ours"))


def test_what_does_not_run_fails_only_when_it_must_run():
    off, bad, fine = look(NotRunning("later")), look(ValueError("bad")), look("fine")
    assert not failed([off, fine], running=False)
    assert failed([off, fine], running=True)
    assert failed([fine, bad], running=False)
    assert not failed([Verdict("skip", "a", "b", "c")], running=True)


def test_one_line_a_check_with_the_remedy_where_it_is_needed():
    verdicts = [look("fine"), look(NotRunning("later")), look(ValueError("bad"))]
    printed = list(lines(verdicts, running=False))
    assert [line.split()[0] for line in printed] == ["ok", "off", "FAIL", "3"]
    assert ["remedy: buy one" in line for line in printed] == [False, True, True, False]
    assert printed[-1] == "3 checks, 1 failed; 1 not running yet (off)"
    assert [line.split()[0] for line in lines(verdicts, running=True)] == ["ok", "FAIL", "FAIL", "3"]
