# SPDX-License-Identifier: Apache-2.0
"""What an experiment does with a silo's rows: does its owner let it, and may its numbers be told?

The rule: a number is told to the server if it was computed from public rows and released references alone.
Then the answer is a function of the question, and two silos that differ in rows answer the same. All else is
the owner's: a local start, own rows among the training rows, as reference, or as what is measured against.
"""

from collections.abc import Sequence

from tailweave.clients.owner_report import OWN_HELD_OUT
from tailweave.clients.release.policy import Policy, PolicyError
from tailweave.protocols.config.others import kinds_of_others, not_here
from tailweave.protocols.messages import Retrain
from tailweave.protocols.refusals import Refusal

HELD_OUT = "held-out"
"""Part of a question that brings public rows to measure against."""


def check_kinds(policy: Policy | None, kinds: Sequence[str]) -> None:
    """Refuse kinds of other packages that this node lacks, or that its owner did not name.

    A simulation has no policy: its silos are nobody else's.

    Raises:
        Refusal: If one is not installed here; names it.
        PolicyError: If one is not among ``other-kinds``; names it, and what is.
    """
    if lacking := not_here(kinds):
        raise Refusal(f"not installed on this node: {', '.join(lacking)}; its owner must install the package")
    beyond = [] if policy is None else [kind for kind in kinds if kind not in policy.other_kinds]
    if policy is not None and beyond:
        raise PolicyError(
            f"refused by the silo's policy: {', '.join(beyond)} asked, other-kinds allowed: "
            f"{_listed(policy.other_kinds)}"
        )


def check_experiment(policy: Policy, question: Retrain) -> None:
    """Refuse an experiment that the owner did not allow on this node, before anything is computed.

    Raises:
        PolicyError: If anything is beyond the policy; names all of it, and nothing private.
        Refusal: If it needs the truth, which no node has.
    """
    beyond = []
    reference = question.arm.reference
    if reference is not None and reference.sees == "truth":
        raise Refusal(
            f"reference {reference.kind} exists in simulation only: this node does not have the truth"
        )
    if _start(question) not in policy.starts:
        beyond.append(f"generator.start {_start(question)} asked, allowed: {_listed(policy.starts)}")
    if reference is not None and reference.kind not in policy.references:
        beyond.append(f"reference {reference.kind} asked, allowed: {_listed(policy.references)}")
    if question.recursion.include_real and not policy.include_real:
        beyond.append("include-real asked, include-real is false")
    if policy.arms is not None and question.arm.name not in policy.arms:
        beyond.append(f"arm {question.arm.name} asked, allowed: {_listed(policy.arms)}")
    if beyond:
        raise PolicyError(f"refused by the silo's policy: {'; '.join(beyond)}")
    check_kinds(policy, kinds_of_others(question.generator, [question.arm]))


def own_rows_seen(question: Retrain) -> tuple[str, ...]:
    """Say where models, picks or measurements of an arm see the silo's own rows.

    Returns:
        The places, none if its numbers come from public rows and released references alone. A start that
        FedAvg made is the server's already.
    """
    reference, prompts = question.arm.reference, question.generator.sees_own
    own = reference.kind if reference is not None and reference.sees == "own" else None
    places: dict[str, bool] = {
        "generator.start: local": _start(question) == "local",
        "include-real": question.recursion.include_real,
        f"reference: {own}": own is not None,
        OWN_HELD_OUT: not question.part(HELD_OUT),
    }
    seen = [place for place, true in places.items() if true]
    return (*seen, prompts) if prompts is not None else tuple(seen)


def _start(question: Retrain) -> str:
    return question.generator.start if isinstance(question.generator.start, str) else "path"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"
