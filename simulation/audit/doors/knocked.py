# SPDX-License-Identifier: Apache-2.0
"""What two doors let through under the default policy, and whether the attacks see it when they are open."""

import math
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tailweave.clients.release.policy import Policy
from tailweave.simulation.audit.doors.code import Sent, by_flower, by_silo, send_foreign_app
from tailweave.simulation.audit.doors.metrics import Learnt, question_metrics
from tailweave.simulation.audit.doors.silo import unheard
from tailweave.simulation.audit.findings import Finding, Promise
from tailweave.simulation.audit.request import QUESTIONS

_CONSENT = Policy(allow_own_metrics=True)
_DEFAULT, _OPENED = "the default policy", "allow-own-metrics: true"
_INSTALLED = "no code runs on a silo but what its owner has installed"


@lru_cache(maxsize=4)
def knock(questions: int = QUESTIONS) -> tuple[Finding, ...]:
    """Attack both doors of a made-up silo as its owner gets them, and again opened.

    What is attacked is the node's own app under the default policy, whatever experiment is audited: a server
    need not ask what it has announced. A simulation keeps nothing from its server.

    Returns:
        One finding a door, then one a door that is open: there the attacks must succeed, or they are blind.
    """
    with TemporaryDirectory(prefix="tailweave-doors-") as made, unheard():
        folder = Path(made)
        shut = question_metrics(folder / "shut", Policy(), questions=questions)
        opened = question_metrics(folder / "open", _CONSENT, questions=0)
        ours = send_foreign_app(folder / "ours", by_silo)
        flowers = send_foreign_app(folder / "flowers", by_flower)
    return (
        _asked(shut, _DEFAULT),
        _sent(ours, claimed=True),
        _asked(opened, _OPENED),
        _sent(flowers, claimed=False),
    )


def _asked(learnt: Learnt, policy: str) -> Finding:
    """Word what free questions came to; what is told without a charge claims an epsilon of 0."""
    claimed = learnt.compared > 0
    said = f"none of {learnt.compared:,} free questions is answered otherwise when one row is replaced"
    return Finding(
        protocol="metrics",
        arms=(),
        role="at the doors" if claimed else "doors open",
        epsilon=0.0 if claimed else None,
        delta=0.0,
        z=math.inf if claimed else None,
        attacks=learnt.attacks,
        promises=(Promise(said, not learnt.differing),) if claimed else (),
        membership=learnt.membership,
        note=f"{learnt.questions:,} questions to a made-up silo under {policy}",
    )


def _sent(sent: Sent, *, claimed: bool) -> Finding:
    """Word what became of a foreign app; the control is Flower's own program where nothing is claimed."""
    refused = Promise(_INSTALLED, not sent.taken)
    return Finding(
        protocol="foreign app",
        arms=(),
        role="at the doors" if claimed else "doors open",
        epsilon=0.0 if claimed else None,
        delta=0.0,
        z=math.inf if claimed else None,
        attacks=(sent.attack,),
        promises=(refused,) if claimed else (),
        note=f"the silo said: {sent.said}" if claimed else "run by Flower's own program, without ours",
    )
