# SPDX-License-Identifier: Apache-2.0
import asyncio

import pytest

from tailweave.server.gate.guests import Guests
from tailweave.server.gate.limits import Limits
from tailweave.server.gate.refused import Refused

LIMITS = Limits(2, connections_a_silo=3, body_bytes=100)
MOST = LIMITS.strangers_an_address


def admitted(guests, address, count):
    """Guests of an address, each with a task that only waits, on the running loop."""
    loop, found = asyncio.get_running_loop(), []
    for _ in range(count):
        found.append(guests.admit(address))
        found[-1].task = loop.create_task(asyncio.sleep(60))
    return found


async def gone(guests):
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return [guest.task.cancelled() for guest in guests]


def test_room_is_reckoned_from_the_federation():
    assert Limits(1).strangers_an_address == 20
    assert Limits(50).strangers_an_address >= 4 * 50
    assert Limits(50).files > Limits(50).strangers + 50 * Limits(50).connections_a_silo


def test_of_one_address_the_oldest_stranger_goes_and_the_newest_stays():
    async def scene():
        guests = Guests(LIMITS)
        own = admitted(guests, "a", MOST + 2)
        assert await gone(own) == [True, True] + [False] * MOST
        assert (len(guests), guests.sent_away) == (MOST, 2)

    asyncio.run(scene())


def test_when_all_is_full_the_address_with_most_strangers_gives_way():
    async def scene():
        guests = Guests(LIMITS)
        lone = admitted(guests, "lone", 1)
        crowds = [admitted(guests, f"crowd {i}", MOST) for i in range(LIMITS.strangers // MOST)]
        assert len(guests) == LIMITS.strangers
        late = admitted(guests, "late", 1)
        assert await gone(lone + late) == [False, False]
        assert sum([sum(await gone(crowd)) for crowd in crowds]) == 2

    asyncio.run(scene())


def test_a_silo_is_counted_by_its_key_and_not_by_its_address():
    async def scene():
        guests = Guests(LIMITS)
        silo = admitted(guests, "a", 3)
        for guest in silo:
            guests.recognise(guest, "north")
        strangers = admitted(guests, "a", 3 * MOST)
        assert await gone(silo) == [False] * 3
        guests.recognise(strangers[-1], "south")
        assert len(guests) == 3 + MOST

    asyncio.run(scene())


def test_a_silo_s_oldest_idle_connection_goes_and_with_none_idle_the_new_one_is_refused():
    async def scene():
        guests = Guests(LIMITS)
        four = admitted(guests, "a", 4)
        for guest in four[:3]:
            guests.recognise(guest, "north")
        with guests.carrying(four[0], 1):
            guests.recognise(four[3], "north")
            assert await gone(four) == [False, True, False, False]
            with guests.carrying(four[2], 1), guests.carrying(four[3], 1):
                fifth = admitted(guests, "a", 1)[0]
                with pytest.raises(Refused, match="at most 3 connections"):
                    guests.recognise(fifth, "north")
                guests.recognise(four[2], "north")  # again, on the same connection
                guests.recognise(fifth, "south")

    asyncio.run(scene())


def test_bytes_under_way_are_counted_by_silo_and_freed():
    guests = Guests(LIMITS)
    one, two, other = (guests.admit("a") for _ in range(3))
    for guest, silo in ((one, "north"), (two, "north"), (other, "south")):
        guests.recognise(guest, silo)
    with guests.carrying(one, 60):
        with pytest.raises(Refused, match="may have 100 bytes under way"), guests.carrying(two, 41):
            raise AssertionError
        with guests.carrying(other, 100), guests.carrying(two, 40):
            assert one.busy
    with guests.carrying(two, 100):
        assert not one.busy


def test_who_leaves_is_forgotten():
    guests = Guests(LIMITS)
    one, two = guests.admit("a"), guests.admit("b")
    guests.recognise(two, "north")
    for guest in (one, two, two):
        guests.leave(guest)
    assert (len(guests), guests.all()) == (0, [])
    guests.make_room()
