# SPDX-License-Identifier: Apache-2.0
"""Round ``hello``: who is there, does it fit, and who is missing."""

from collections.abc import Mapping, Sequence

from tailweave.protocols.config.others import kinds_of_others
from tailweave.protocols.messages import Hello, HelloReply
from tailweave.protocols.records import MAX_BODY_BYTES, MAX_BODY_COMMAS
from tailweave.server.exchange import connected, wait_for_nodes
from tailweave.server.questions import Member
from tailweave.server.seed_run import SeedRun
from tailweave.server.starts import digest_of_base

_SPARE = 100
"""Commas of a message besides those between columns."""


def greet(run: SeedRun) -> list[Member]:
    """Learn who is there; refuse silos whose data do not fit or whose name is taken.

    Silos that are not connected are waited for, but not for ever, and are then on record as absent.

    Raises:
        RunFailed: If fewer than ``min-clients`` silos are there.
    """
    nodes = _gathered(run)
    members = _greeted(run, _hello(run), nodes, ())
    run.federation.roll.greeted = nodes.keys() & connected(run.federation.grid).keys()
    run.federation.require(len(members))
    return members


def latecomers(run: SeedRun, members: Sequence[Member]) -> list[Member]:
    """Greet nodes that have connected since ``hello``; return all members, at most as many as are followed.

    They retrain with a reference that their own summary is not part of.
    """
    there, known = connected(run.federation.grid), {member.node_id for member in members}
    new = {node: name for node, name in there.items() if node not in run.federation.roll.greeted | known}
    if not new:
        return list(members)
    run.federation.roll.greeted |= new.keys()
    found = _greeted(run, _hello(run), _named(new), members)
    return [*members, *found][: run.federation.experiment.silos.followed]


def _greeted(
    run: SeedRun,
    question: Hello,
    nodes: Mapping[int, str],
    present: Sequence[Member],
) -> list[Member]:
    """Say hello to nodes; return those that fit, sorted."""
    asked = [(Member(node, name), question) for node, name in nodes.items()]
    taken = {member.silo for member in present}
    members = []
    answers = run.federation.ask(asked, HelloReply)
    for node, reply in sorted(answers, key=lambda answer: Member(0, answer[1].silo).order):
        member = Member(node.node_id, reply.silo, reply.rows_at_least)
        misfit = _misfit(node, reply, run.kit.features.columns, taken)
        if misfit is not None:
            by_node = node.silo not in (reply.silo, _plain(node.node_id))
            run.federation.refuse(node if by_node else member, question, misfit)
            continue
        taken.add(reply.silo)
        members.append(member)
        _welcome(run, question, member)
    return members


def _misfit(node: Member, reply: HelloReply, wanted: int, taken: set[str]) -> str | None:
    if node.silo not in (reply.silo, _plain(node.node_id)):
        return f"says that it is {reply.silo}, its key is registered as {node.silo}"
    if reply.silo in taken:
        return f"duplicate: another node is already {reply.silo}"
    if reply.columns != wanted:
        return f"data has {reply.columns} columns, the feature map needs {wanted}"
    return None


def _welcome(run: SeedRun, question: Hello, member: Member) -> None:
    """Remember a member; one that had not connected before is on record as having come."""
    roll = run.federation.roll
    if member.node_id not in roll.seen:
        name = roll.arrived(member.silo)
        if name is not None:
            run.federation.returned(question, name or None, None, f"{member.silo} has connected")
    roll.seen[member.node_id] = member.silo


def _hello(run: SeedRun) -> Hello:
    data, arms = run.federation.experiment.data, run.federation.experiment.arms
    return Hello(
        **run.head,
        columns=run.kit.columns if run.kit.columns and _can_be_sent(run.kit.columns) else None,
        label=data.label_column,
        standardized=data.scaled_to_truth,
        base_digest=digest_of_base(run),
        image=data.image_shape,
        text_columns=data.word_columns,
        documents=data.gives == "text",
        declared=data.declared_digest,
        kinds=kinds_of_others(run.federation.experiment.generator, arms),
    )


def _can_be_sent(names: Sequence[str]) -> bool:
    """Tell whether a message has room for these names; else the silos' columns are only counted."""
    commas, size = sum(name.count(",") + 1 for name in names), sum(len(name.encode()) for name in names)
    return commas <= MAX_BODY_COMMAS - _SPARE and size <= MAX_BODY_BYTES // 2


def _plain(node: int) -> str:
    return f"node-{node}"


def _named(nodes: Mapping[int, str]) -> dict[int, str]:
    return {node: name or _plain(node) for node, name in nodes.items()}


def _gathered(run: SeedRun) -> dict[int, str]:
    """Wait until all silos are connected, after the first seed those of the seed before; name each node."""
    roll, count = run.federation.roll, run.federation.experiment.silos.count
    first, before = not roll.seen, set(roll.seen)
    seconds = run.federation.return_seconds
    there = wait_for_nodes(
        run.federation.grid,
        lambda found: len(found) >= count if first else before <= found.keys(),
        seconds,
    )
    nodes = _named(there)
    missing: list[tuple[str | None, str]] = []
    if first:
        roll.seen, roll.absent = dict(nodes), _never_there(run, nodes)
        reason = (
            f"not connected within {seconds:g} s; is its SuperNode running? `tailweave deploy check` there "
            "says why not"
        )
        missing = [(silo, reason) for silo in roll.absent]
    for node in sorted(before - nodes.keys()):
        gone = roll.seen.pop(node)
        roll.missed((node, None), gone)
        missing.append((gone, f"not connected any more, and not again within {seconds:g} s"))
    for name, reason in missing:
        run.federation.record.absent(seed=run.seed, silo=name, reason=reason)
        run.federation.log.warning(
            "absent", seed=run.seed, kind=Hello.kind, silo=name or "unnamed", reason=reason
        )
    return nodes


def _never_there(run: SeedRun, nodes: Mapping[int, str]) -> list[str | None]:
    """Return the names of silos that are not connected, None for each whose name nobody knows."""
    lacking = run.federation.experiment.silos.count - len(nodes)
    if lacking <= 0:
        return []
    named = [silo for silo in run.federation.silos if silo not in nodes.values()]
    return [*named, *[None] * (lacking - len(named))]
