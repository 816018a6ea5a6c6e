# SPDX-License-Identifier: Apache-2.0
"""A silo that was lost on the way is asked again when it is back, and not waited for for ever."""

import threading
import time

import pytest
from flwr.app import Error, Message

from protocols.config.experiment import FederationSpec
from protocols.messages import Hello
from protocols.records import encode
from server.federation import RunFailed
from server.returns import Away, exchange_with_returns
from server.rounds import greet


def question(node: int) -> Message:
    return Message(encode(Hello(run="r", seed=0)), node, Hello.type)


@pytest.fixture
def grid(scene):
    return scene(silos=3).grid


def losing(grid, node: int, code: int, times: int, *, until: float | None = None):
    """Let the first answers of a node be errors; it is away then, for ``until`` seconds or for good."""
    left = iter(range(times))

    def lost(message: Message, content) -> list[Message]:
        if next(left, None) is None:
            return [Message(content, reply_to=message)]
        if until is not None:
            grid.nodes.remove(node)
            threading.Timer(until, grid.nodes.append, [node]).start()
        return [Message(Error(code, "gone"), reply_to=message)]

    grid.tampers[node, "hello"] = lost
    return grid


def ask(grid, patience: float, away: Away | None = None, deadline: float = 20.0) -> list[list[int]]:
    limits = FederationSpec(deadline_seconds=deadline, return_seconds=patience)
    replies = exchange_with_returns(grid, [0, 1, 2], question, limits, away or Away())
    return [[r.error.code if r.has_error() else -1 for r in replies[position]] for position in range(3)]


def asked(grid) -> list[int]:
    return [node for node, _ in grid.asked]


@pytest.mark.parametrize("code", [3, 4, 5, 8])
def test_what_was_lost_is_asked_again_and_nobody_else(grid, code):
    assert ask(losing(grid, 1, code, 1), 5.0) == [[-1], [-1], [-1]]
    assert asked(grid) == [0, 1, 2, 1]


@pytest.mark.parametrize("code", [0, 1, 2, 6, 7])
def test_what_a_silo_says_itself_is_its_answer(grid, code):
    assert ask(losing(grid, 1, code, 1), 5.0) == [[-1], [code], [-1]]
    assert asked(grid) == [0, 1, 2]


def test_a_silo_that_is_away_is_waited_for(grid):
    away = Away()
    begun = time.monotonic()
    assert ask(losing(grid, 2, 5, 1, until=0.4), 10.0, away) == [[-1], [-1], [-1]]
    assert time.monotonic() - begun >= 0.4
    assert away.nodes == set()


def test_a_silo_that_does_not_come_back_is_given_up_once_and_for_all(grid):
    away = Away()
    losing(grid, 2, 5, 99, until=99.0)
    assert ask(grid, 0.5, away) == [[-1], [-1], [5]]
    assert away.nodes == {2}
    grid.tampers[2, "hello"] = lambda message, content: [Message(Error(5, ""), reply_to=message)]
    assert ask(grid, 1000.0, away, deadline=500.0) == [[-1], [-1], [5]]  # asked, and not waited for


def test_a_silo_that_answers_after_all_is_waited_for_again(grid):
    away = Away({1})
    assert ask(grid, 5.0, away) == [[-1], [-1], [-1]]
    assert away.nodes == set()


def test_a_process_that_dies_at_each_attempt_is_left_after_four(grid):
    assert ask(losing(grid, 1, 8, 99), 5.0) == [[-1], [8], [-1]]
    assert asked(grid).count(1) == 4


def test_the_deadline_holds_for_all_attempts_together(grid):
    losing(grid, 1, 5, 1, until=99.0)
    begun = time.monotonic()
    assert ask(grid, 1000.0, deadline=0.5) == [[-1], [5], [-1]]
    assert time.monotonic() - begun < 30.0


def test_a_simulation_that_lost_an_actor_ends_with_a_remedy(scene, monkeypatch):
    made = scene(silos=3)
    monkeypatch.setattr("server.returns.InMemoryGrid", type(made.grid))  # Flower's, for its simulation
    losing(made.grid, 1, 0, 99)
    with pytest.raises(RunFailed, match=r"a process of the simulation died \(error 0 \(gone\)\); .*--resume"):
        greet(made.federation, 0, made.kit)
    assert made.lines("events") == []
