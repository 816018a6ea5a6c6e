# SPDX-License-Identifier: Apache-2.0
"""The one reader of YAML: what a short text could unfold into is counted before any of it is built.

An alias costs four characters and stands for all that its anchor holds, so a file of a few hundred bytes may
mean billions of values; brackets in brackets end in Python's own limit on recursion. Both are refused while
the text is parsed, where an alias is still a pointer, with the line and column.

What names a class, a level or a column is data, and stays the text that was written: every key, what stands
under the keys of ``_WRITTEN``, and ``no``, ``yes``, ``on`` and ``off``, which are booleans to YAML 1.1 only
(a field that is one takes them still).
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

MOST_BYTES = 256 * 1024
"""Of a file."""
MOST_VALUES = 10_000
"""Of one text, keys and brackets included, each alias counted as all that it stands for."""
DEEPEST = 32
"""Brackets in brackets, aliases unfolded."""
LONGEST_VALUE = 2_000
"""Characters of one value: a hexadecimal number of as many still has fewer digits than Python prints."""
_MERGE = "tag:yaml.org,2002:merge"
"""The tag of ``<<``, which has no value of its own."""
_TEXT, _NULL, _BOOL = (f"tag:yaml.org,2002:{name}" for name in ("str", "null", "bool"))
_WRITTEN = frozenset({"column", "group", "label", "missing", "text-column", "values"})
"""Keys whose values are names of columns, classes or cells: ``label: 2020``, ``values: [01, 02]``."""
_MISREAD = (ValueError, ArithmeticError, LookupError, AttributeError, TypeError)
"""What PyYAML raises on values that their own tag or form denies, such as ``2024-99-99`` or ``!!int ''``."""


class ConfigError(ValueError):
    """An experiment that cannot be run as written; the message names file, key, value and what is allowed."""


class _Size(NamedTuple):
    """What a node is once its aliases are unfolded."""

    values: int
    depth: int


class _Reader(yaml.SafeLoader):
    """YAML's safe loader, which counts what it composes and refuses a key that stands twice in a mapping."""

    def __init__(self, text: str) -> None:
        """Begin at the start of ``text``."""
        super().__init__(text)
        self._sizes: dict[int, _Size] = {}  # by id; the tree that holds the nodes lives as long
        self._open = self._values = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose one node, with all below it."""
        alias = self.check_event(yaml.AliasEvent)
        event = self.current_event
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > LONGEST_VALUE:
            raise _refused(event, f"a value of {len(event.value)} characters, at most {LONGEST_VALUE} fit")
        self._open += 1
        if self._open > DEEPEST:
            raise _refused(event, f"more than {DEEPEST} levels of lists and mappings in each other")
        self._values += 0 if alias else 1
        node = super().compose_node(parent, index)
        self._open -= 1
        if node is None:
            return None
        if not alias:
            self._sizes[id(node)] = self._size(node)
        elif id(node) not in self._sizes:
            raise _refused(event, "an alias stands in what it is an alias of")
        else:
            self._values += self._sizes[id(node)].values
        if self._open + self._sizes[id(node)].depth > DEEPEST:
            raise _refused(event, f"more than {DEEPEST} levels of lists and mappings, aliases unfolded")
        if self._values > MOST_VALUES:
            raise _refused(event, f"more than {MOST_VALUES} values, each alias counted as what it stands for")
        return node

    def _size(self, node: yaml.Node) -> _Size:
        below = [self._sizes[id(child)] for child in _children(node)]
        return _Size(1 + sum(s.values for s in below), 1 + max((s.depth for s in below), default=0))

    def value(self, key: str) -> Any:  # noqa: ANN401 - raw YAML
        """Return what the text says of ``key``, if it is the value of one; None if it says nothing."""
        node = self.get_single_node()
        if node is None:
            return None
        if key in _WRITTEN:
            _keep_written(node)
        self._settle_keys(node, set())
        return self.construct_document(node)

    def _settle_keys(self, node: yaml.Node, seen: set[int]) -> None:
        """Make keys text, and refuse one that stands twice in a mapping; YAML would take the second.

        This goes over the nodes as they were written: PyYAML unfolds ``<<`` in the nodes themselves, and a
        key that overrides a merged one would then stand there twice.
        """
        if id(node) in seen:
            return
        seen.add(id(node))
        found: set[str] = set()
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode):
                continue  # PyYAML refuses it: nothing else can be a key
            if key.tag != _MERGE:
                key.tag = _TEXT
            if key.value in found:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key.value!r} stands twice", key.start_mark
                )
            found.add(key.value)
            if key.value in _WRITTEN:
                _keep_written(value)
        for child in _children(node):
            self._settle_keys(child, seen)


_Reader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in found if tag != _BOOL]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Reader.add_implicit_resolver(_BOOL, re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF"))


def read_text(path: Path) -> str:
    """Read a text file that ought to be short.

    Raises:
        FileNotFoundError: If there is none.
        ConfigError: If it is too long, cannot be read or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ConfigError(f"{path}: has more than {MOST_BYTES} bytes, which no such file needs")
        return content.decode("utf-8")
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None


def read_yaml(path: Path) -> Any:  # noqa: ANN401 - raw YAML
    """Read a YAML file into mappings, lists and plain values; an empty one is None.

    Raises:
        FileNotFoundError: If there is none.
        ConfigError: If it cannot be read, or as ``parse_yaml`` says; names the file and the place.
    """
    return parse_yaml(read_text(path), f"{path}:")


def parse_yaml(text: str, where: str, *, key: str = "") -> Any:  # noqa: ANN401 - raw YAML
    """Parse a YAML text, perhaps the value of a key that stands elsewhere.

    ``where`` begins the sentence of an error that goes on with "not valid YAML".

    Raises:
        ConfigError: If it is not YAML, a key stands twice in a mapping, or there is more of it than fits: too
            long, too deep, or too many values once its aliases are unfolded.
    """
    if len(text) > MOST_BYTES:
        raise ConfigError(f"{where} not valid YAML: more than {MOST_BYTES} characters")
    try:
        return _Reader(text).value(key)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where} not valid YAML: {' '.join(str(error).split())}") from None
    except _MISREAD as error:
        raise ConfigError(
            f"{where} not valid YAML: a value is not what its form or tag says: {error}"
        ) from None


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        yield from (part for pair in node.value for part in pair)
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _keep_written(node: yaml.Node) -> None:
    """Make a value text, or each of a list; of null only those in a list, where it is a cell's text."""
    if isinstance(node, yaml.ScalarNode) and node.tag != _NULL:
        node.tag = _TEXT
    for item in node.value if isinstance(node, yaml.SequenceNode) else ():
        if isinstance(item, yaml.ScalarNode):
            item.tag = _TEXT


def _refused(event: Any, reason: str) -> yaml.MarkedYAMLError:  # noqa: ANN401 - as PyYAML types it
    return yaml.MarkedYAMLError(None, None, reason, event.start_mark)
