# SPDX-License-Identifier: Apache-2.0
"""What two doors let through under the default policy, and whether the attacks see it when they are open."""

import math
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tailweave.clients.release.policy import Policy
from tailweave.simulation.audit.doors.code import by_flower, by_silo, send_foreign_app
from tailweave.simulation.audit.doors.metrics import question_metrics
from tailweave.simulation.audit.doors.silo import unheard
from tailweave.simulation.audit.findings import Finding, Promise
from tailweave.simulation.audit.request import QUESTIONS

_CONSENT = Policy(allow_own_metrics=True)
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
    told = f"none of {shut.compared:,} free questions is answered otherwise when one row is replaced"
    metrics, app = (Finding(what, (), "doors open", delta=0.0) for what in ("metrics", "foreign app"))
    asked = "{:,} questions to a made-up silo under {}"
    return (
        replace(
            _claiming(metrics, Promise(told, not shut.differing)),
            attacks=shut.attacks,
            membership=shut.membership,
            note=asked.format(shut.questions, "the default policy"),
        ),
        replace(
            _claiming(app, Promise(_INSTALLED, not ours.taken)),
            attacks=(ours.attack,),
            note=f"the silo said: {ours.said}",
        ),
        replace(
            metrics,
            attacks=opened.attacks,
            membership=opened.membership,
            note=asked.format(opened.questions, "allow-own-metrics: true"),
        ),
        replace(app, attacks=(flowers.attack,), note="run by Flower's own program, without ours"),
    )


def _claiming(opened: Finding, promise: Promise) -> Finding:
    """Return the finding of a shut door: what passes it without a charge claims an epsilon of 0."""
    return replace(opened, role="at the doors", epsilon=0.0, z=math.inf, promises=(promise,))
