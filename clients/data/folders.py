# SPDX-License-Identifier: Apache-2.0
"""Files of a folder, one an example; sub-folders are classes."""

from collections.abc import Sequence
from pathlib import Path

from tailweave.clients.samples import DataError

_OF_THE_SYSTEM = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "icon\r"}
"""What file managers leave in folders, beside names that begin with a dot."""


def files_by_class(folder: Path, endings: Sequence[str], what: str) -> tuple[list[Path], list[str] | None]:
    """List a folder whose files stand all in itself (no classes) or all in its sub-folders (the classes).

    Args:
        folder: An existing folder; names that begin with a dot are passed over.
        endings: Endings that a file may have, in small letters.
        what: What the files are, for messages: ``images``.

    Returns:
        The files in the order of their names, and the class of each or None.

    Raises:
        DataError: Naming what does not belong there, and what is allowed.
    """
    entries = _visible(folder)
    classes = [path for path in entries if path.is_dir()]
    loose = [path for path in entries if not path.is_dir()]
    if classes and loose:
        raise DataError(
            f"{folder}: found sub-folders ({classes[0].name}) beside files ({loose[0].name}); allowed: "
            f"{what} only, or sub-folders only, one a class"
        )
    if not classes:
        return [checked_file(path, endings, what) for path in loose], None
    files = [(checked_file(path, endings, what), group.name) for group in classes for path in _visible(group)]
    return [path for path, _ in files], [name for _, name in files]


def checked_file(path: Path, endings: Sequence[str], what: str) -> Path:
    """Return the path of a file that may stand in such a folder.

    Raises:
        DataError: If it is a folder or has another ending.
    """
    if path.is_dir():
        raise DataError(f"{path}: found a folder in a class's folder; allowed: {what} ({', '.join(endings)})")
    if path.suffix.lower() not in endings:
        raise DataError(f"{path}: found {path.suffix or 'no ending'}, allowed: {', '.join(endings)}")
    return path


def _visible(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(".") and path.name.casefold() not in _OF_THE_SYSTEM
    )
