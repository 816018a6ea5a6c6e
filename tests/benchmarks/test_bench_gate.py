# SPDX-License-Identifier: Apache-2.0
"""The gate: small requests and 64 MiB each way, through it and straight to the same upstream, in turn."""

import os
import ssl
import statistics
import time

import httpx
import pytest
from gate_peers import Signing, new_kit, node, running

from tailweave.simulation.deploy.federation import load_federation

MIB = 2**20
LARGE, SMALL, ROUNDS = 64, 50, 7


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    return new_kit(tmp_path_factory.mktemp("bench") / "kit")


@pytest.fixture(scope="module")
def paths(kit):
    """Clients of one silo: through the gate, and straight to what stands behind it."""
    federation = load_federation(kit)
    with running(kit) as process, node(kit) as through:
        verify = ssl.create_default_context(cafile=federation.ca)
        address = f"https://{federation.control_address}"
        own = Signing(kit / "silos/north")  # so that both pay for a signature
        with httpx.Client(
            base_url=address, verify=verify, trust_env=False, auth=own, timeout=60.0
        ) as straight:
            yield process, through, straight


def small(client):
    for _ in range(SMALL):
        assert client.post("/v1/fleet/pull-messages", content=b"x" * 200).text == "200"


def up(client):
    assert client.post("/v1/fleet/push-object", content=bytes(LARGE * MIB)).text == str(LARGE * MIB)


def down(client):
    asked = {"x-down": str(LARGE * MIB)}
    assert len(client.post("/v1/fleet/pull-object", headers=asked).content) == LARGE * MIB


def processor_seconds(process):
    fields = open(f"/proc/{process.pid}/stat").read().rpartition(")")[2].split()  # noqa: SIM115 - of the kernel
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.benchmark(group="gate")
@pytest.mark.parametrize(
    ("work", "amount", "unit"),
    [(small, SMALL, "requests/s"), (up, LARGE, "MiB/s up"), (down, LARGE, "MiB/s down")],
    ids=["small", "up", "down"],
)
def test_through_the_gate_and_past_it(benchmark, capsys, paths, work, amount, unit):
    process, through, straight = paths
    work(through)
    past, before = [], processor_seconds(process)

    def in_turn():
        begun = time.perf_counter()
        work(straight)
        past.append(time.perf_counter() - begun)

    benchmark.pedantic(work, (through,), setup=in_turn, rounds=ROUNDS, iterations=1)
    own = 1e3 * (processor_seconds(process) - before) / (ROUNDS * amount)
    inside, outside = benchmark.stats.stats.median, statistics.median(past)
    benchmark.extra_info |= {"through": amount / inside, "past": amount / outside, "ms of the gate": own}
    with capsys.disabled():
        print(  # noqa: T201 - what a benchmark is for
            f"\ngate: median {amount / inside:,.0f} {unit} through it, {amount / outside:,.0f} past it "
            f"({outside / inside:.0%}); {own:.2f} ms of processor a {unit.split('/')[0].rstrip('s')}"
        )
