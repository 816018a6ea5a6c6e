# SPDX-License-Identifier: Apache-2.0
"""What one column of a file seems to be."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.data.cell_numbers import LARGEST, cell_numbers, is_large
from tailweave.clients.inspection.moments import of_moments
from tailweave.clients.inspection.numbers import of_numbers, sentinels
from tailweave.clients.inspection.proposal import Proposal, ignored
from tailweave.clients.inspection.words import GAPS, of_words
from tailweave.protocols.arrays import Floats

if TYPE_CHECKING:
    import pyarrow

_MOST_ODD = 10
"""Different texts among numbers that are taken for gaps; with more it is no column of numbers."""


def propose(name: str, cells: "pyarrow.ChunkedArray", *, decimal: str = ".") -> Proposal:
    """Propose what a column is, so that its file can be read with that.

    Args:
        name: The column's.
        cells: As ``read_raw`` gives them, at least one.
        decimal: Mark before the decimals of numbers in text.
    """
    if not name:
        return ignored("no name: a data frame's index?")
    of_type = next((of for fits, of in _by_type() if fits(cells.type)), None)
    return ignored(f"values of type {cells.type}") if of_type is None else of_type(name, cells, decimal)


_OfType = Callable[[str, "pyarrow.ChunkedArray", str], Proposal]


def _by_type() -> "tuple[tuple[Callable[[pyarrow.DataType], bool], _OfType], ...]":
    from pyarrow import types

    return (
        (types.is_string, _of_text),
        (types.is_integer, _of_type_number),
        (types.is_floating, _of_type_number),
        (types.is_decimal, _of_type_number),
        (types.is_boolean, _of_flags),
        (types.is_date, _of_type_moment),
        (types.is_timestamp, _of_type_moment),
    )


def _of_text(name: str, cells: "pyarrow.ChunkedArray", decimal: str) -> Proposal:
    cells = cells.fill_null("") if cells.null_count else cells
    found = cell_numbers(cells, decimal=decimal)
    if not found.bad.any():
        return _measured(name, found.values, {}, cells)
    odd = _counts(cells.filter(_mask(found.bad)))
    if any(is_large(text, decimal=decimal) for text in odd):
        return ignored(f"numbers beyond {LARGEST:g}: change their unit")
    if found.bad.all():
        return of_words(odd)
    strange = {text: times for text, times in odd.items() if text.lower() not in GAPS}
    if len(odd) > _MOST_ODD or 2 * sum(strange.values()) > int((~found.bad).sum()):
        return of_words(_counts(cells))
    proposal = _measured(name, found.values[~found.bad], odd, cells.filter(_mask(~found.bad)))
    if not strange or proposal.kind == "ignore":
        return proposal
    listed = ", ".join(repr(text[:40]) for text in strange)
    return Proposal(
        proposal.spec, (*proposal.notes, f"mixed: {listed} among numbers; mend them, or let them be missing")
    )


def _measured(
    name: str, values: Floats, gaps: dict[str, int], cells: "pyarrow.ChunkedArray | None"
) -> Proposal:
    """Propose what numbers are, some of which may mean missing; ``cells`` hold them where they are text."""
    away = sentinels(values)
    if away:
        is_away = np.isin(values, away)
        said = _counts(cells.filter(_mask(is_away))) if cells is not None else _said(values[is_away])
        values, gaps = values[~is_away], gaps | said
    return of_numbers(name, values, whole_days=cells is not None).lacking(gaps)


def _said(values: Floats) -> dict[str, int]:
    numbers, times = np.unique(values, return_counts=True)
    return {f"{number:.0f}": int(count) for number, count in zip(numbers, times, strict=True)}


def _of_type_number(name: str, cells: "pyarrow.ChunkedArray", decimal: str) -> Proposal:
    found = cell_numbers(cells)
    gaps = {"": int(found.bad.sum())} if found.bad.any() else {}
    return _measured(name, found.values[~found.bad], gaps, None)


def _of_flags(name: str, cells: "pyarrow.ChunkedArray", decimal: str) -> Proposal:
    gaps = {"": cells.null_count} if cells.null_count else {}
    different = cells.drop_null().unique().to_pylist()
    if len(different) < 2:
        return ignored(f"constant: {different[0]} throughout" if different else "no cell has a value")
    return Proposal({"kind": "boolean"}).lacking(gaps)


def _of_type_moment(name: str, cells: "pyarrow.ChunkedArray", decimal: str) -> Proposal:
    from pyarrow import compute, timestamp

    gaps = {"": cells.null_count} if cells.null_count else {}
    moments = compute.cast(cells.drop_null(), timestamp("ms"), safe=False)
    ends = compute.min_max(moments).as_py()
    if ends["min"] is None:
        return ignored("no cell has a value")
    if ends["min"] == ends["max"]:
        return ignored(f"constant: {ends['min']} throughout")
    days = compute.all(compute.equal(moments, compute.floor_temporal(moments, unit="day"))).as_py()
    timed = [] if days else [ends["min"].replace(hour=12)]
    return of_moments([ends["min"], ends["max"], *timed]).lacking(gaps)


def _counts(cells: "pyarrow.ChunkedArray") -> dict[str, int]:
    found = cells.value_counts()
    return dict(zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True))


def _mask(flags: NDArray[np.bool_]) -> "pyarrow.Array":
    import pyarrow

    return pyarrow.array(flags)
