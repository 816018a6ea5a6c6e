# SPDX-License-Identifier: Apache-2.0
"""A run that failed, and why; left in the run folder for whoever started it from another process."""

import contextlib
import json
from pathlib import Path

_FILE = "failure.json"


class RunFailed(RuntimeError):  # noqa: N818 - it reads as what happened
    """Too few silos are left to go on; the message names each refused silo and the reason."""


def clear_failure(out: Path) -> None:
    """Forget why an earlier attempt failed."""
    (out / _FILE).unlink(missing_ok=True)


def record_failure(out: Path, error: Exception) -> None:
    """Write what ``raise_failure`` raises again; a folder that cannot be written is left as it is."""
    bad_input, expected = isinstance(error, ValueError), isinstance(error, ValueError | RunFailed)
    message = str(error) if expected else f"{type(error).__name__}: {error}"
    if out.is_dir():
        text = json.dumps({"bad-input": bad_input, "message": message}, ensure_ascii=False)
        with contextlib.suppress(OSError):  # a full disk may be why it failed
            (out / _FILE).write_text(text + "\n", encoding="utf-8")


def read_failure(out: Path) -> str | None:
    """Return why the latest attempt failed; None if it did not, or nobody could leave word."""
    try:
        return str(json.loads((out / _FILE).read_text(encoding="utf-8"))["message"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


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
