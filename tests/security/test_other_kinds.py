# SPDX-License-Identifier: Apache-2.0
"""Kinds of other packages run on a silo only where its owner has installed and named them."""

from types import SimpleNamespace

import pytest

from tailweave.clients.release.experiments import check_kinds
from tailweave.clients.release.policy import Policy, PolicyError
from tailweave.protocols.config import others
from tailweave.protocols.config.experiment import ArmSpec
from tailweave.protocols.config.references import REFERENCES
from tailweave.protocols.config.rules import RULES
from tailweave.protocols.config.training import GENERATORS
from tailweave.protocols.messages import Hello
from tailweave.protocols.refusals import Refusal


@pytest.fixture
def installed(monkeypatch):
    """A package that brings one rule, as far as names go."""
    monkeypatch.setattr(others, "_FAMILIES", {"rule": SimpleNamespace(kinds={"every-nth": object})})


def test_own_kinds_are_nobodys_business():
    local = {rule: None if kind.compares == "nothing" else "local" for rule, kind in RULES.kinds.items()}
    arms = [{"rule": rule, "reference": reference} for rule, reference in local.items()]
    arms += [{"rule": "herding", "reference": reference} for reference in REFERENCES.kinds]
    arms = [ArmSpec.model_validate({"name": "a", **arm}) for arm in arms]
    generators = [kind.model_construct(kind=name) for name, kind in GENERATORS.kinds.items()]
    assert {others.kinds_of_others(generator, arms) for generator in generators} == {()}
    check_kinds(Policy(), ())


@pytest.mark.parametrize("kind", ["rule every-nth", "generator jitter", "engine ray", "rule", "\x1b[2J x"])
@pytest.mark.parametrize(
    "policy", [None, Policy(), Policy(other_kinds=("rule every-nth", "generator jitter"))]
)
def test_what_is_not_installed_is_refused_by_name(kind, policy):
    with pytest.raises(Refusal, match="not installed on this node: "):
        check_kinds(policy, [kind])


def test_what_is_installed_waits_for_its_owners_word(installed):
    with pytest.raises(PolicyError, match="rule every-nth asked, other-kinds allowed: none"):
        check_kinds(Policy(), ["rule every-nth"])
    check_kinds(Policy(other_kinds=("rule every-nth",)), ["rule every-nth"])
    check_kinds(None, ["rule every-nth"])  # simulated silos are nobody else's


@pytest.mark.parametrize("kinds", [("rule \x1b[2J",), ("rule",), ("rule a",) * 101])
def test_a_question_cannot_carry_anything(kinds):
    with pytest.raises(ValueError, match="kinds"):
        Hello(run="r", seed=0, kinds=kinds)
