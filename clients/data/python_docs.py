# SPDX-License-Identifier: Apache-2.0
"""Python's own documentation: the reference of the language, and docstrings of the library's source files."""

import ast
import platform
import sysconfig
import warnings
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from tailweave.clients.data.documents import Document, as_text
from tailweave.clients.data.passages import english, passages
from tailweave.clients.data.python_areas import MODULES
from tailweave.clients.samples import DataError, Samples
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.sources.python_docs import Area, PythonDocs

FEWEST = 100
"""Passages of an area: fewer are a library of which parts are not installed."""
_NOT_READ = {"test", "tests", "idle_test", "site-packages"}
"""Folders of the library that hold no documentation of it."""
_PARTS = ("body", "handlers", "orelse", "finalbody", "cases")
"""Where a statement holds statements."""
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def area_passages(area: Area, characters: int, library: Path) -> tuple[str, ...]:
    """Return the different passages of one area, by file and place in it; nothing is imported to read it.

    A file that this Python cannot parse is passed over.

    Args:
        area: One of the table's, or ``language``.
        characters: About how many each has; see ``passages``.
        library: Folder of Python's library.

    Raises:
        DataError: If there are fewer than 100, or a file cannot be read.
    """
    try:
        files = _topics() if area == "language" else _docstrings(MODULES[area].split(), library)
        found = tuple(dict.fromkeys(passage for texts in files for passage in passages(texts, characters)))
    except OSError as error:
        raise DataError(f"{library}: cannot be read: {error.strerror or error}") from error
    if len(found) < FEWEST:
        remedy = ", or install tkinter and IDLE (Debian: python3-tk, idle)" if area == "gui" else ""
        raise DataError(
            f"data.groups: {area} has {len(found)} passages of about {characters} characters in {library} "
            f"(Python {platform.python_version()}), allowed: {FEWEST} or more; choose groups without it, or "
            f"fewer characters{remedy}"
        )
    return found


def _topics() -> Iterator[Iterable[str]]:
    try:
        from pydoc_data.topics import topics
    except ModuleNotFoundError:  # a Python without its help, of which there are then no passages
        return
    seen: set[str] = set()
    for name in sorted(topics):
        yield _new([topics[name]], seen)


def _docstrings(modules: Iterable[str], library: Path) -> Iterator[Iterable[str]]:
    """Yield the docstrings of each file."""
    names, seen = set(modules), set[str]()
    sources = [library / f"{name}.py" for name in names if (library / f"{name}.py").is_file()]
    sources += [path for name in names for path in (library / name).glob("**/*.py")]
    for path in sorted(sources):
        if not _NOT_READ.intersection(path.relative_to(library).parts):
            yield _new(_of_file(path), seen)


def _new(texts: Iterable[str], seen: set[str]) -> Iterator[str]:
    """Yield those, as English, that were not there before: a library repeats itself."""
    for text in map(english, texts):
        if text and text not in seen:
            seen.add(text)
            yield text


def _of_file(path: Path) -> list[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of how old code spells its strings
            return list(_of_node(ast.parse(path.read_bytes())))
    except (SyntaxError, ValueError, RecursionError):
        return []


def _of_node(node: ast.AST) -> Iterator[str]:
    """Yield the docstrings of a node and of all within it; statements only, as expressions have none."""
    if isinstance(node, _DOCUMENTED):
        text = ast.get_docstring(node)
        if text:
            yield text
    for part in _PARTS:
        inner = getattr(node, part, ())
        for child in inner if isinstance(inner, list) else ():
            yield from _of_node(child)


@lru_cache(maxsize=16)
def _kept(area: Area, characters: int) -> tuple[str, ...]:
    return area_passages(area, characters, Path(sysconfig.get_path("stdlib")))


@implements(PythonDocs)
def load(spec: PythonDocs, *, seed: int) -> Samples:
    """Read the areas in their order; a passage that two have belongs to the first."""
    areas: dict[str, Area] = {}
    for area in spec.groups:
        for passage in _kept(area, spec.characters):
            areas.setdefault(passage, area)
    return as_text([Document(f"area {area}", passage, area) for passage, area in areas.items()])
