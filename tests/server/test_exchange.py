# SPDX-License-Identifier: Apache-2.0
"""One exchange: every reply finds its question, and nobody waits longer than the deadline."""

import time
from concurrent.futures.process import BrokenProcessPool

import httpx
import pytest
from flwr.app import Message

from tailweave.protocols.messages import Hello
from tailweave.protocols.records import encode
from tailweave.server.exchange import connected, exchange, wait_for_nodes


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
    assert 0.05 <= time.monotonic() - begun < 5.0  # it would have come at 10


def test_slow_answers_are_waited_for(grid):
    grid = answering_at({0: 0.02, 2: 0.1})(grid)
    replies = exchange(grid, questions(3), 5.0)
    assert [len(replies[position]) for position in range(3)] == [1, 1, 1]


def test_it_returns_as_soon_as_all_are_there(grid):
    begun = time.monotonic()
    exchange(grid, questions(4), 60.0)
    assert time.monotonic() - begun < 30.0


def test_answers_given_twice_are_both_returned(grid):
    grid.tampers[1, "hello"] = lambda message, content: [Message(content, reply_to=message)] * 2
    replies = exchange(grid, questions(2), 1.0)
    assert [len(replies[position]) for position in range(2)] == [1, 2]


def codes(replies: list[Message]) -> list[int]:
    return [reply.error.code if reply.has_error() else 0 for reply in replies]


def test_a_message_that_could_not_be_sent_is_an_error_at_once(grid):
    push = grid.push_messages
    grid.push_messages = lambda messages: [None, *push(list(messages)[1:])]
    begun = time.monotonic()
    replies = exchange(grid, questions(2), 60.0)
    assert [codes(replies[position]) for position in range(2)] == [[5], [0]]
    assert "could not be sent" in replies[0][0].error.reason
    assert time.monotonic() - begun < 30.0  # nobody waits for it


def test_a_push_that_is_too_large_as_a_whole_is_an_error_for_all(grid):
    grid.push_messages = lambda messages: []
    replies = exchange(grid, questions(2), 5.0)
    assert [codes(replies[position]) for position in range(2)] == [[5], [5]]


def pulling(grid, node: int, outcome):
    """Let ``outcome`` decide what the pull of one node's reply does; Flower fails for all that it pulls."""
    pull, question = grid.pull_messages, {}
    push = grid.push_messages

    def noting(messages):
        names = list(push(messages))
        question.update({m.metadata.dst_node_id: n for m, n in zip(messages, names, strict=True)})
        return names

    def pulled(names):
        return outcome(lambda: pull(names)) if question[node] in list(names) else pull(names)

    grid.push_messages, grid.pull_messages = noting, pulled
    return grid


def test_a_reply_that_cannot_be_unpacked_harms_no_other(grid):
    def unpack(_):
        raise KeyError("no such object type")

    replies = exchange(pulling(grid, 1, unpack), questions(3), 5.0)
    assert [codes(replies[position]) for position in range(3)] == [[0], [3], [0]]
    assert "cannot be unpacked (KeyError)" in replies[1][0].error.reason


def test_a_superlink_that_is_away_for_a_while_is_asked_again(grid):
    away = iter([httpx.ConnectError("refused"), _status(503)])

    def outcome(pull):
        error = next(away, None)
        if error is not None:
            raise error
        return pull()

    replies = exchange(pulling(grid, 0, outcome), questions(2), 5.0)
    assert [codes(replies[position]) for position in range(2)] == [[0], [0]]
    assert next(away, None) is None


def test_a_superlink_that_stays_away_is_waited_for_until_the_deadline(grid):
    def outcome(_):
        raise httpx.ConnectError("refused")

    replies = exchange(pulling(grid, 0, outcome), questions(2), 0.05)
    assert [codes(replies[position]) for position in range(2)] == [[], [0]]


def _status(code: int) -> httpx.HTTPStatusError:
    request = httpx.Request("POST", "http://superlink")
    return httpx.HTTPStatusError("said no", request=request, response=httpx.Response(code))


@pytest.mark.parametrize("error", [_status(401), BrokenProcessPool("a worker died")])
def test_what_is_no_silos_fault_ends_the_exchange(grid, error):
    def outcome(_):
        raise error

    with pytest.raises(type(error)):
        exchange(pulling(grid, 0, outcome), questions(2), 5.0)


def test_answers_to_other_questions_are_left_alone(grid):
    stranger = Message(encode(Hello(run="r", seed=0)), 3, Hello.type)
    grid.push_messages([stranger])
    pull = grid.pull_messages
    grid.pull_messages = lambda ids: pull([*ids, stranger.metadata.message_id])
    replies = exchange(grid, questions(2), 1.0)
    assert [len(replies[position]) for position in range(2)] == [1, 1]


def test_it_tells_how_long_each_reply_took(grid):
    heard: dict[int, float] = {}
    exchange(answering_at({2: 0.05})(grid), questions(3), 30.0, heard.__setitem__)
    assert sorted(heard) == [0, 1, 2]
    assert heard[2] >= 0.05 > 0 <= heard[0] <= heard[2]


def test_nodes_are_waited_for_until_they_are_enough_or_the_deadline(grid, monkeypatch):
    looks = iter([[], [3], [3, 1], [3, 1, 2]])
    monkeypatch.setattr(grid, "get_node_ids", lambda: next(looks))
    assert list(wait_for_nodes(grid, lambda found: len(found) >= 2, 30.0)) == [1, 3]
    assert list(wait_for_nodes(grid, lambda found: len(found) >= 4, 0.0)) == [1, 2, 3]


def test_while_the_superlink_is_away_nobody_is_connected(grid, monkeypatch):
    errors = iter([httpx.ConnectError("refused"), _status(503), _status(401)])

    def away():
        raise next(errors)

    monkeypatch.setattr(grid, "get_node_ids", away)
    assert [connected(grid), connected(grid)] == [{}, {}]
    with pytest.raises(httpx.HTTPStatusError):
        connected(grid)
