# SPDX-License-Identifier: Apache-2.0
"""What a column of dates, or of dates with a time, seems to be."""

import datetime as dt
from collections.abc import Sequence

from tailweave.clients.inspection.proposal import Proposal

_ISO = "ISO 8601"
_DATES = (
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d.%m.%y",
    "%d/%m/%y",
    "%m/%d/%y",
)
_NAMED = ("%d %b %Y", "%d-%b-%Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y")
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", "T%H:%M:%S")
FORMATS = (_ISO, *(date + time for time in _TIMES for date in (*_DATES, *_NAMED)))
"""In the order in which they are tried: where a day and a month could be either, the day comes first."""
_TRIED = 200


def of_written_moments(texts: Sequence[str]) -> Proposal | None:
    """Propose a date or datetime if all texts, which differ, are such in one format; else None."""
    first = texts[:_TRIED]
    if not any(character.isdigit() for character in texts[0]):
        return None
    fitting = [form for form in FORMATS if all(_read(text, form) for text in first)]
    fitting = [form for form in fitting[:3] if all(_read(text, form) for text in texts[_TRIED:])]
    if not fitting:
        return None
    moments = [moment for text in texts if (moment := _read(text, fitting[0]))]
    notes = (f"may as well be {fitting[1]}: compare",) if len(fitting) > 1 else ()
    return of_moments(moments, form=None if fitting[0] == _ISO else fitting[0], notes=notes)


def of_moments(
    moments: Sequence[dt.datetime], *, form: str | None = None, notes: tuple[str, ...] = ()
) -> Proposal:
    """Propose a date, or a datetime if one has a time; bounds are those of whole years.

    Args:
        moments: At least one, in UTC if they have a zone.
        form: In which they are written; None is ISO 8601, or a type of the file.
        notes: What was noticed before.
    """
    first, last = min(moments), max(moments)
    days = all(moment.time() == dt.time() for moment in moments)
    spec = {"kind": "date" if days else "datetime", "min": f"{first.year:04}-01-01"}
    spec["max"] = f"{last.year:04}-12-31" if days else f"{last.year:04}-12-31T23:59:59.999"
    return Proposal(spec | ({"format": form} if form else {}), notes)


def _read(text: str, form: str) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(text) if form == _ISO else dt.datetime.strptime(text, form)
    except ValueError:
        return None
    return moment if moment.tzinfo is None else moment.astimezone(dt.UTC).replace(tzinfo=None)
