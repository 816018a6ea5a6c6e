# SPDX-License-Identifier: Apache-2.0
"""Does this silo's table fit the federation's? Asked in ``hello``, before anything is computed.

What is told to the server names its own columns and counts the silo's: a file without a header line has cells
where names should be.
"""

import logging

from clients.data.silo import Silo
from protocols.messages import Hello
from protocols.refusals import Refusal

logger = logging.getLogger("tailweave.clients")
_SHOWN = 10
_FIT = "give the file the federation's columns, in its order"


def check_schema(silo: Silo, question: Hello) -> None:
    """Refuse the silo if its rows are not what the federation's feature map was made for.

    Args:
        silo: A silo with a table of its own.
        question: The federation's columns and label where they have names, and whether it works in units
            that no silo could know.

    Raises:
        Refusal: With the differences.
    """
    found = [*_columns(silo, question), *_label(silo, question)]
    if question.standardized:
        found.append(
            "its values are in the file's own units, the federation's columns are brought to mean 0 and "
            "variance 1; set data.standardize: false and agree on units"
        )
    if found:
        raise Refusal("the silo's table does not fit: " + "; ".join(found))


def _columns(silo: Silo, question: Hello) -> list[str]:
    own, wanted = silo.train.columns, question.columns
    if wanted is None or own == wanted:
        return []
    lacking = [name for name in wanted if name not in own]
    more = [name for name in own if name not in wanted]
    if more:
        logger.error("columns that the federation does not have: %s", ", ".join(map(repr, more)))
    told = [f"it lacks {_listed(lacking)}"] if lacking else []
    told += [f"it has {len(more)} more (named in this node's own log)"] if more else []
    if not told:
        at = next(place for place, (one, two) in enumerate(zip(own, wanted, strict=True)) if one != two)
        told = [f"column {at + 1} is {own[at]!r} instead of {wanted[at]!r}"]
    return [f"columns: {', '.join(told)}; {_FIT}"]


def _label(silo: Silo, question: Hello) -> list[str]:
    if question.label is None or silo.train.labels is not None:
        return []
    return [f"label: it has none, the federation's is {question.label!r}; set label in its node-config"]


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:_SHOWN]))
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} others"
