# SPDX-License-Identifier: Apache-2.0
"""A run that failed, and why; left in the run folder for whoever started it from another process."""

import json
from pathlib import Path

_FILE = "failure.json"


class RunFailed(RuntimeError):  # noqa: N818 - it reads as what happened
    """Too few silos are left to go on; the message names each refused silo and the reason."""


def clear_failure(out: Path) -> None:
    """Forget why an earlier attempt failed."""
    (out / _FILE).unlink(missing_ok=True)


def record_failure(out: Path, error: ValueError | RunFailed) -> None:
    """Write what ``raise_failure`` raises again; a folder that cannot be written is left as it is."""
    bad_input = isinstance(error, ValueError)
    if out.is_dir():
        text = json.dumps({"bad-input": bad_input, "message": str(error)}, ensure_ascii=False)
        (out / _FILE).write_text(text + "\n", encoding="utf-8")


def raise_failure(out: Path) -> None:
    """Raise what the ServerApp raised, if it left word.

    Raises:
        ValueError: If what it was given is wrong.
        RunFailed: If the run could not go on.
    """
    path = out / _FILE
    if not path.exists():
        return
    found = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    if found["bad-input"]:
        raise ValueError(found["message"])
    raise RunFailed(found["message"])
