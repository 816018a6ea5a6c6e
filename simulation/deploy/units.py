# SPDX-License-Identifier: Apache-2.0
"""The kit's systemd units: what they say of a part, and paths in systemd's own quoting."""

import getpass
import re
import sys
import unicodedata
from pathlib import Path

_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}\Z")
_QUOTES = "\"'\\"
_CONTROL = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode's line ends and other characters that nobody sees; also what stands for bytes that are no UTF-8."""
_SERVER_PARTS = {
    "superlink": "SuperLink",
    "superexec": "SuperExec, which runs the ServerApp",
    "gate": "gate to the Fleet API",
}
_SILO_PARTS = {"supernode": "SuperNode of silo", "executor": "executor of silo"}
_AFTER_SERVER = " tailweave-superlink.service tailweave-gate.service"


class UnitError(ValueError):
    """A path that cannot stand in a unit."""


def check_path(path: Path, what: str) -> None:
    """Refuse a path that would say something else in a unit than it is.

    Raises:
        UnitError: If it has a quote, a backslash, a line end or another control character.
    """
    odd = sorted({c for c in str(path) if c in _QUOTES or unicodedata.category(c) in _CONTROL})
    if odd:
        raise UnitError(
            f"{what}: {ascii(str(path))} has {', '.join(map(ascii, odd))}; quotes, backslashes, line ends "
            "and other control characters are not allowed, because the path stands in systemd units"
        )


def server_units(script: Path) -> dict[str, dict[str, object]]:
    """Return the values of the server's units, by file name, as ``unit.service.j2`` needs them.

    Raises:
        UnitError: If a path cannot stand in a unit.
    """
    units = {}
    for part, what in _SERVER_PARTS.items():
        after = "" if part == "superlink" else " tailweave-superlink.service"
        values = _unit(script, f"tailweave-{part}.service", part)
        # the ServerApp writes into the run folder, wherever that is
        units[str(values["unit"])] = values | {
            "what": what,
            "after": after,
            "everywhere": part == "superexec",
        }
    return units


def silo_units(script: Path, name: str) -> dict[str, dict[str, object]]:
    """Return the values of one silo's units, by file name; see ``server_units``.

    Raises:
        UnitError: If a path cannot stand in a unit.
    """
    units = {}
    for part, what in _SILO_PARTS.items():
        after = _AFTER_SERVER  # so it stops before them
        if part == "executor":
            after += f" tailweave-supernode-{name}.service"
        values = _unit(script, f"tailweave-{part}-{name}.service", part)
        units[str(values["unit"])] = values | {"what": f"{what} {name}", "after": after, "everywhere": False}
    return units


def _unit(script: Path, unit: str, part: str) -> dict[str, object]:
    programs = Path(sys.executable).parent
    check_path(programs, "the folder of Python's programs")
    check_path(script, "the kit's folder")
    return {
        "unit": unit,
        "part": part,
        "user": _user(),
        "bin": _percents(programs),
        "script": _percents(script).replace("$", "$$"),  # only on a command line is it a variable's
        "folder": _percents(script.parent),
        "delay": 20 if part == "supernode" else 5,
    }


def _percents(path: Path) -> str:
    return str(path).replace("%", "%%")


def _user() -> str:
    """Return this user's name, or an empty one where there is none that a unit can have: to be filled in."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        return ""
    return name if _USER.match(name) else ""
