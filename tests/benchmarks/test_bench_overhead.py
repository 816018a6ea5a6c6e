# SPDX-License-Identifier: Apache-2.0
"""What one message costs beyond its work: a greeting to each of ten silos, here and over two workers."""

from collections.abc import Iterator

import pytest
from flwr.app import Message

from tailweave.protocols.messages import Hello
from tailweave.protocols.records import encode
from tailweave.server.exchange import exchange
from tailweave.simulation.engines.in_process import InProcessGrid

SILOS = 10


@pytest.fixture(params=[0, 2], ids=["inline", "two workers"])
def grid(request, tiny, tmp_path) -> Iterator[InProcessGrid]:
    config = tiny(silos={"count": SILOS, "partition": {"kind": "iid"}})
    settings = {"config": str(config), "state-dir": str(tmp_path)}
    opened = InProcessGrid([{"partition-id": i} for i in range(SILOS)], settings, workers=request.param)
    for _ in range(2):  # workers start, every process reads its data
        assert not any(reply.has_error() for reply in opened.send_and_receive(greetings(opened)))
    yield opened
    opened.close()


def greetings(grid: InProcessGrid) -> list[Message]:
    content = Hello(run="bench", seed=0)
    return [
        Message(encode(content), node, Hello.type, group_id=f"group-{node % 2}")
        for node in grid.get_node_ids()
    ]


@pytest.mark.benchmark(group="overhead of an exchange with ten silos")
def test_overhead_of_a_message(benchmark, grid, capsys):
    def once() -> None:
        replies = exchange(grid, greetings(grid), 60.0)
        assert sum(map(len, replies.values())) == SILOS

    benchmark.pedantic(once, rounds=50, iterations=1, warmup_rounds=3)
    milliseconds = 1e3 * benchmark.stats.stats.median / SILOS
    benchmark.extra_info["median ms a message"] = milliseconds
    with capsys.disabled():
        print(  # noqa: T201 - what a benchmark is for
            f"\nmedian {milliseconds:.3f} ms a message"
        )
    if not grid._pools:
        assert milliseconds < 1.0  # the design's promise for the inline engine
