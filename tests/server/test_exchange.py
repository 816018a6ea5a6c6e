# SPDX-License-Identifier: Apache-2.0
"""One exchange: every reply finds its question, and nobody waits longer than the deadline."""

import time

import pytest
from flwr.app import Message

from protocols.messages import Hello
from protocols.records import encode
from server.exchange import exchange


def questions(count: int) -> list[Message]:
    return [Message(encode(Hello(run="r", seed=0)), node, Hello.type) for node in range(count)]


@pytest.fixture
def grid(scene):
    return scene(silos=4).grid


def answering_at(due: dict[int, float]):
    """Let nodes answer only when their time has come."""

    def delay(grid):
        begun = time.monotonic()
        pull = grid.pull_messages

        def later(ids):
            arrived = pull(ids)
            now = time.monotonic() - begun
            early = [reply for reply in arrived if due.get(reply.metadata.src_node_id, 0.0) > now]
            grid._ready += early
            return [reply for reply in arrived if reply not in early]

        grid.pull_messages = later
        return grid

    return delay


def test_each_question_gets_its_own_reply(grid):
    asked = questions(4)
    replies = exchange(grid, asked, 1.0)
    assert sorted(replies) == [0, 1, 2, 3]
    for position, question in enumerate(asked):
        assert [r.metadata.reply_to_message_id for r in replies[position]] == [question.metadata.message_id]


def test_nothing_asked_is_nothing_answered(grid):
    assert exchange(grid, [], 1.0) == {}


def test_late_answers_are_left_out_at_the_deadline(grid):
    grid = answering_at({1: 10.0})(grid)
    begun = time.monotonic()
    replies = exchange(grid, questions(3), 0.05)
    assert [len(replies[position]) for position in range(3)] == [1, 0, 1]
    assert 0.05 <= time.monotonic() - begun < 1.0


def test_slow_answers_are_waited_for(grid):
    grid = answering_at({0: 0.02, 2: 0.1})(grid)
    replies = exchange(grid, questions(3), 5.0)
    assert [len(replies[position]) for position in range(3)] == [1, 1, 1]


def test_it_returns_as_soon_as_all_are_there(grid):
    begun = time.monotonic()
    exchange(grid, questions(4), 60.0)
    assert time.monotonic() - begun < 5.0


def test_answers_given_twice_are_both_returned(grid):
    grid.tampers[1, "hello"] = lambda message, content: [Message(content, reply_to=message)] * 2
    replies = exchange(grid, questions(2), 1.0)
    assert [len(replies[position]) for position in range(2)] == [1, 2]


def test_a_message_that_could_not_be_sent_has_no_reply(grid):
    push = grid.push_messages
    grid.push_messages = lambda messages: ["", *push(list(messages)[1:])]
    begun = time.monotonic()
    replies = exchange(grid, questions(2), 5.0)
    assert [len(replies[position]) for position in range(2)] == [0, 1]
    assert time.monotonic() - begun < 2.0  # nobody waits for it


def test_answers_to_other_questions_are_left_alone(grid):
    stranger = Message(encode(Hello(run="r", seed=0)), 3, Hello.type)
    grid.push_messages([stranger])
    pull = grid.pull_messages
    grid.pull_messages = lambda ids: pull([*ids, stranger.metadata.message_id])
    replies = exchange(grid, questions(2), 1.0)
    assert [len(replies[position]) for position in range(2)] == [1, 1]
