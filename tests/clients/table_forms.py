# SPDX-License-Identifier: Apache-2.0
"""Tables in the forms in which people have them: some 60 rows, with classes ``a`` and ``b`` in column y."""

import numpy as np

ROWS = 60


def _rows() -> dict[str, list[str]]:
    rng = np.random.default_rng(0)
    kind = rng.integers(2, size=ROWS)
    return {
        "u": [f"{value:.3f}" for value in rng.normal(size=ROWS) + 3.0 * kind],
        "v": [f"{value:.3f}" for value in rng.normal(size=ROWS) - 2.0 * kind],
        "y": ["ab"[one] for one in kind],
    }


def _written(columns: dict[str, list[str]], delimiter: str = ",", end: str = "\n") -> bytes:
    lines = [delimiter.join(columns), *(delimiter.join(row) for row in zip(*columns.values(), strict=True))]
    return (end.join(lines) + end).encode()


def _with(name: str, cells: list[str], *, first: bool = False) -> dict[str, list[str]]:
    own = {name: cells}
    return own | _rows() if first else _rows() | own


def _wide() -> bytes:
    rng = np.random.default_rng(1)
    numbers = {f"c{at}": [f"{value:.2f}" for value in rng.normal(size=ROWS)] for at in range(5000)}
    return _written(numbers | {"y": _rows()["y"]})


def forms() -> dict[str, tuple[bytes, str]]:
    """Content by the name of the form, and a line that its proposal holds."""
    rows = _rows()
    commas = {name: [cell.replace(".", ",") for cell in cells] for name, cells in rows.items()}
    identities = [str(7000 + 3 * at) for at in range(ROWS)]
    sites = _with("site", ["no", "north", "01"] * 20)
    gaps = ["NA" if at % 9 == 4 else "" if at % 9 == 5 else f"{at * 1.5:g}" for at in range(ROWS)]
    away = ["-999" if at % 20 == 4 else str(40 + at % 30) for at in range(ROWS)]
    days = [f"{1 + at % 28:02}.{1 + at % 12:02}.20{10 + at % 9}" for at in range(ROWS)]
    notes = [f"seen on day {at // 2}, then sent home" for at in range(ROWS)]
    quoted = {f'"{name}"': [f'"{cell}"' for cell in cells] for name, cells in rows.items()}
    return {
        "bom": (b"\xef\xbb\xbf" + _written(rows), "u: {kind: number, min: "),
        "crlf": (_written(rows, end="\r\n"), "v: {kind: number, min: "),
        "decimal-comma": (_written(commas, delimiter=";"), 'decimal: ","'),
        "quotes": (_written(quoted), "u: {kind: number, min: "),
        "index": (_written(_with("", [str(at) for at in range(ROWS)], first=True)), '"": ignore'),
        "id": (
            _written(_with("patient_id", identities)),
            "patient_id: ignore",
        ),
        "dates": (_written(_with("day", days)), 'min: "2010-01-01", max: "2018-12-31", format: "%d.%m.%Y"'),
        "booleans": (_written(_with("smoker", ["True", "False", "True"] * 20)), "smoker: boolean"),
        "gaps": (_written(_with("w", gaps)), "optional: true, missing: [NA]}"),
        "sentinel": (
            _written(_with("age", away)),
            'min: 40, max: 70, center: 55, scale: 8.7, optional: true, missing: ["-999"]}',
        ),
        "constant": (_written(_with("k", ["5"] * ROWS)), "k: ignore  # constant: 5 throughout"),
        "free-text": (
            _written(_with("note", notes), delimiter="\t"),
            "note: ignore  # free text: 30",
        ),
        "category": (
            _written(sites),
            'site: {kind: category, values: ["01", "no", north]}',
        ),
        "wide": (_wide(), "c4999: {kind: number, center: "),
    }
