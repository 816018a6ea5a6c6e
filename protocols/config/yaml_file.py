# SPDX-License-Identifier: Apache-2.0
"""The one reader of YAML: what a short text could unfold into is counted before any of it is built.

An alias costs four characters and stands for all that its anchor holds, so a file of a few hundred bytes may
mean billions of values; brackets in brackets end in Python's own limit on recursion. Both are refused while
the text is parsed, where an alias is still a pointer, with the line and column.
"""

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

    def value(self) -> Any:  # noqa: ANN401 - raw YAML
        """Return what the text says; None if it says nothing."""
        node = self.get_single_node()
        if node is None:
            return None
        self._check_keys(node, set())
        return self.construct_document(node)

    def _check_keys(self, node: yaml.Node, seen: set[int]) -> None:
        """Refuse a key that stands twice in one mapping; of such a pair YAML would take the second.

        This goes over the nodes as they were written: PyYAML unfolds ``<<`` in the nodes themselves, and a
        key that overrides a merged one would then stand there twice.
        """
        if id(node) in seen:
            return
        seen.add(id(node))
        found: set[Any] = set()
        for key in (key for key, _ in node.value) if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode):
                continue  # PyYAML refuses it: nothing else can be a key
            name = key.value if key.tag == _MERGE else self.construct_object(key)
            if name in found:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {name!r} stands twice", key.start_mark
                )
            found.add(name)
        for child in _children(node):
            self._check_keys(child, seen)


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


def parse_yaml(text: str, where: str) -> Any:  # noqa: ANN401 - raw YAML
    """Parse a YAML text.

    ``where`` begins the sentence of an error that goes on with "not valid YAML".

    Raises:
        ConfigError: If it is not YAML, a key stands twice in a mapping, or there is more of it than fits: too
            long, too deep, or too many values once its aliases are unfolded.
    """
    if len(text) > MOST_BYTES:
        raise ConfigError(f"{where} not valid YAML: more than {MOST_BYTES} characters")
    try:
        return _Reader(text).value()
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


def _refused(event: Any, reason: str) -> yaml.MarkedYAMLError:  # noqa: ANN401 - as PyYAML types it
    return yaml.MarkedYAMLError(None, None, reason, event.start_mark)
