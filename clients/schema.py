# SPDX-License-Identifier: Apache-2.0
"""Do this silo's data fit the federation's? Asked in ``hello``, before anything is computed.

What is told to the server names its own columns and counts the silo's: a file without a header line has cells
where names should be.
"""

import logging
import math

from tailweave.clients.data.silo import Silo
from tailweave.clients.samples import TEXT, Images, Numbers, Samples
from tailweave.protocols.messages import Hello
from tailweave.protocols.refusals import Refusal

logger = logging.getLogger("tailweave.clients")
_SHOWN = 10
_BLOCK = "a file that has the experiment's data block, or its columns alone"
_FIT = "give the file the federation's columns, in its order"


def check_schema(silo: Silo, question: Hello) -> None:
    """Refuse the silo if its rows are not what the federation's feature map was made for.

    Args:
        silo: A silo with data of its own.
        question: The federation's columns and label where they have names, whether it works in units that
            no silo could know, and whether its rows are images or documents.

    Raises:
        Refusal: With the differences.
    """
    misfit = _kind(silo.train, question)
    found = [*(misfit or [*_columns(silo, question), *_declared(silo, question)]), *_label(silo, question)]
    if question.standardized:
        found.append(
            "its values are in the file's own units, the federation's columns are brought to mean 0 and "
            "variance 1; set data.standardize: false and agree on units"
        )
    if found:
        what = "table does" if silo.train.sort.plain else "data do"
        raise Refusal(f"the silo's {what} not fit: {'; '.join(found)}")


def _kind(rows: Samples, question: Hello) -> list[str]:
    """Compare what rows are; a plain table of as many columns as there are pixels may hold images."""
    sort, image, words = rows.sort, question.image, question.text_columns
    if question.documents:
        wanted, remedy = str(TEXT), "set text: true in its node.yaml"
        fits = sort == TEXT
    elif image is not None:
        wanted, remedy = str(Images((), shape=image)), "set image and resize in its node.yaml"
        fits = rows.image == image or (sort.plain and len(rows.columns) == math.prod(image))
    elif words is not None:
        wanted, remedy = f"text in {words} columns", f"set text-columns: {words} in its node.yaml"
        fits = isinstance(sort, Numbers) and sort.hashed and len(rows.columns) == words
    elif question.declared is not None:
        wanted, remedy = "a table of declared columns", f"set columns in its node.yaml to {_BLOCK}"
        fits = sort.name == "table"
    else:
        wanted, remedy = (
            "a table",
            "set data to a CSV, NPZ or Parquet file, without columns, image, text or text-columns",
        )
        fits = sort.plain
    return [] if fits else [f"it has {sort}, the federation has {wanted}; {remedy}"]


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
    if not told and question.declared is not None:
        return []  # another order is another declaration, which is said
    if not told:
        at = next(place for place, (one, two) in enumerate(zip(own, wanted, strict=True)) if one != two)
        told = [f"column {at + 1} is {own[at]!r} instead of {wanted[at]!r}"]
    return [f"columns: {', '.join(told)}; {_FIT}"]


def _declared(silo: Silo, question: Hello) -> list[str]:
    """Compare how columns of the same names are declared; only the federation's own block is spoken of."""
    sort = silo.train.sort
    if question.declared in (None, getattr(sort, "digest", None)):
        return []
    return [
        "its columns are declared otherwise than the federation's (kind, order, bounds, units, levels or "
        f"which may lack): set columns in its node.yaml to {_BLOCK}"
    ]


def _label(silo: Silo, question: Hello) -> list[str]:
    if question.label is None or silo.train.labels is not None:
        return []
    remedy = "set label in its node-config"
    if not silo.train.sort.plain:
        remedy += ", or name the sub-folders of a folder by class"
    return [f"label: it has none, the federation's is {question.label!r}; {remedy}"]


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:_SHOWN]))
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} others"
