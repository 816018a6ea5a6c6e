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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

MOST_BYTES = 2**20
"""Of a file."""
MOST_VALUES = 50_000
"""Of one text, keys and brackets included, each alias counted as what it stands for: 5,000 columns fit."""
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


_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml, where PyYAML was built with it, is fast


class ConfigError(ValueError):
    """An experiment that cannot be run as written; the message names file, key, value and what is allowed."""


class _Size(NamedTuple):
    """What a node is once its aliases are unfolded."""

    values: int
    depth: int


class _Open(NamedTuple):
    """A list or mapping that has not ended, and the sizes of what it holds so far."""

    anchor: str | None
    parts: list[_Size]


class _Reader(_Base):  # type: ignore[misc] # one of two, by how PyYAML was built
    """YAML's safe loader, which refuses a key that stands twice in a mapping, and keeps keys as text."""

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
        _check_size(text)
        return _Reader(text).value(key)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where} not valid YAML: {' '.join(str(error).split())}") from None
    except _MISREAD as error:
        raise ConfigError(
            f"{where} not valid YAML: a value is not what its form or tag says: {error}"
        ) from None


def _check_size(text: str) -> None:
    """Refuse a text that is too long, too deep or too much, before any of it is built.

    Raises:
        yaml.MarkedYAMLError: With the place.
    """
    sizes: dict[str, _Size] = {}
    within: list[_Open] = [_Open(None, [])]
    values = 0
    reader = _Base(text)
    while reader.check_event():
        event = reader.get_event()
        if isinstance(event, yaml.CollectionEndEvent):
            done = within.pop()
            size = _Size(
                1 + sum(s.values for s in done.parts), 1 + max((s.depth for s in done.parts), default=0)
            )
            _put(size, done.anchor, sizes, within)
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        size = _size_of(event, sizes, within)
        values += size.values
        if len(within) - 1 + size.depth > DEEPEST:
            raise _refused(event, f"more than {DEEPEST} levels of lists and mappings, aliases unfolded")
        if values > MOST_VALUES:
            raise _refused(event, f"more than {MOST_VALUES} values, each alias counted as what it stands for")
        if isinstance(event, yaml.CollectionStartEvent):
            within.append(_Open(event.anchor, []))
        else:
            _put(size, None if isinstance(event, yaml.AliasEvent) else event.anchor, sizes, within)


def _size_of(event: Any, sizes: Mapping[str, _Size], within: Sequence[_Open]) -> _Size:  # noqa: ANN401 - PyYAML's
    """Return what a node adds where it begins: an alias all that its anchor holds."""
    if isinstance(event, yaml.AliasEvent):
        if event.anchor in {one.anchor for one in within}:
            raise _refused(event, "an alias stands in what it is an alias of")
        return sizes.get(str(event.anchor), _Size(1, 1))  # one without an anchor is refused when it is built
    if isinstance(event, yaml.ScalarEvent) and len(event.value) > LONGEST_VALUE:
        raise _refused(event, f"a value of {len(event.value)} characters, at most {LONGEST_VALUE} fit")
    return _Size(1, 1)


def _put(size: _Size, anchor: str | None, sizes: dict[str, _Size], within: Sequence[_Open]) -> None:
    within[-1].parts.append(size)
    if anchor is not None:
        sizes[anchor] = size


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
