# SPDX-License-Identifier: Apache-2.0
"""The run folder: what a run leaves behind, and all that summary, figures and report are made from."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from numpy.typing import NDArray

from tailweave.protocols.config.yaml_file import ConfigError, read_yaml
from tailweave.protocols.kinds.metrics.base import DECLARED
from tailweave.protocols.npz import NpzError, read_npz
from tailweave.protocols.whole_file import write_whole
from tailweave.server.failure import read_failure

Row = dict[str, Any]
"""One JSON object of a ``.jsonl`` file."""

STATE = ".state"
"""Kits and checkpoints of an unfinished run, inside its folder; gone when it is finished."""

DECLARATIONS = "metrics.json"
"""What the run's metrics mean, so that a report of it needs no list of names."""
RAREST = "rarest.json"
"""Which class the rarest mode is in each seed, and how many rows its share rests on."""
TEXTS = "texts.json"
"""Documents of a run on text, for its report; its training documents are among them."""
REQUIRED = ("config.yaml", "environment.json", "metrics.jsonl", "wire.jsonl")


class RunFolderError(ValueError):
    """A folder is not a run folder, or a file in it cannot be read."""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
"""One for all lines: ``json.loads`` makes a new one for each, which takes longer than reading the line."""


def read_rows(path: Path) -> list[Row]:
    """Read a ``.jsonl`` file; see ``each_row``."""
    return list(each_row(path))


def each_row(path: Path) -> Iterator[Row]:
    """Read a ``.jsonl`` file line by line: a million rows at once would fill memory.

    Only a torn last line is forgiven: one that a crash cut off before its newline.

    Raises:
        RunFolderError: If any other line is not a JSON object of finite numbers; names file and line.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = _DECODER.decode(line.decode("utf-8").rstrip("\n"))
            except ValueError as error:
                if not line.endswith(b"\n"):
                    return
                raise RunFolderError(f"{path}: line {number} is not a JSON object: {error}") from error
            if not isinstance(row, dict):
                raise RunFolderError(f"{path}: line {number} must be a JSON object, got {type(row).__name__}")
            yield row


def write_json(path: Path, obj: object) -> None:
    """Write JSON whole or not at all; equal objects give equal bytes, in their order of keys.

    Raises:
        ValueError: If a number is NaN or infinite; the old file then stays as it was.
    """
    try:
        text = json.dumps(obj, indent=1, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ValueError(f"{path.name} must hold finite numbers only: {error}") from error
    write_whole(path, text + "\n")


@dataclass(frozen=True)
class RunFolder:
    """A run folder on disk; nothing is cached, each reader reads its file.

    Attributes:
        path: The folder.
    """

    path: Path

    def _file(self, name: str) -> Path:
        missing = [required for required in REQUIRED if not (self.path / required).is_file()]
        if missing and self.unfinished:
            raise RunFolderError(f"{self.path}: {self.unfinished}")
        if missing:
            verb = "is" if len(missing) == 1 else "are"
            raise RunFolderError(
                f"{self.path} is not a finished run folder: {', '.join(missing)} {verb} missing; "
                "give the folder that `tailweave run --out` wrote, or finish the run with --resume"
            )
        return self.path / name

    @property
    def unfinished(self) -> str | None:
        """Why the run has not come to its end, and what to do; None if it has."""
        if failure := read_failure(self.path):
            return f"the run failed: {failure}; mend that, then go on with --resume"
        if (self.path / STATE).is_dir():
            return "the run has not come to its end: it is still running, or goes on with --resume"
        return None

    def metrics(self) -> list[Row]:
        """Return one row per seed, arm, silo and generation.

        Raises:
            RunFolderError: If the folder is incomplete or a line is broken, or nothing was measured yet.
        """
        return read_rows(self.metrics_file())

    def metrics_file(self) -> Path:
        """Return the file of measurements.

        Raises:
            RunFolderError: If the folder is incomplete, or nothing was measured yet.
        """
        path = self._file("metrics.jsonl")
        with path.open("rb") as file:
            if file.readline().endswith(b"\n"):
                return path
        if self.unfinished:
            raise RunFolderError(f"{self.path}: {self.unfinished}")
        if any(event.get("event") == "kept" for event in self.events()):
            raise RunFolderError(
                f"{self.path}: no number came to the server: all were computed from the silos' own rows and "
                "are for their owners, who read them by tailweave deploy report; an arm that selects "
                "against public or released references, with evaluation.against: data, is told to the server"
            )
        return path

    def declared(self) -> dict[str, dict[str, Any]]:
        """Return what the run says of its metrics, by name; empty for a run from before it said so.

        Raises:
            RunFolderError: If the file is broken.
        """
        return self._named(DECLARATIONS, lambda parts: {key: parts[key] for key in DECLARED})

    def rarest(self) -> dict[str, dict[str, Any]]:
        """Return which class the rarest mode is and its rows, by seed; empty where there are no classes.

        Raises:
            RunFolderError: If the file is broken.
        """
        return self._named(RAREST, dict)

    def _named(self, file: str, read: Callable[[Any], dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Return the mappings by name that a file holds, each as ``read`` takes it; empty without it."""
        path = self.path / file
        if not path.is_file():
            return {}
        try:
            return {str(name): read(parts) for name, parts in json.loads(path.read_text("utf-8")).items()}
        except (ValueError, AttributeError, TypeError, KeyError) as error:
            raise RunFolderError(f"{path}: is not what a run wrote there ({error!r})") from None

    def wire(self) -> list[Row]:
        """Return one row per message that left a silo.

        Raises:
            RunFolderError: If the folder is incomplete or a line is broken.
        """
        return read_rows(self._file("wire.jsonl"))

    def events(self) -> list[Row]:
        """Return refusals and drop-outs; empty if there were none.

        Raises:
            RunFolderError: If the folder is incomplete or a line is broken.
        """
        path = self._file("events.jsonl")
        return read_rows(path) if path.is_file() else []

    def config(self) -> Row:
        """Return the resolved configuration, keys in kebab-case as in YAML.

        Raises:
            RunFolderError: If the folder is incomplete or the file is not a YAML mapping.
        """
        path = self._file("config.yaml")
        try:
            return _mapping(path, read_yaml(path))
        except ConfigError as error:
            raise RunFolderError(str(error)) from None

    def environment(self) -> Row:
        """Return versions, commit, seeds, hardware and command of the run.

        Raises:
            RunFolderError: If the folder is incomplete or the file is not a JSON object.
        """
        path = self._file("environment.json")
        try:
            environment = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RunFolderError(f"{path} is not JSON: {error}") from error
        return _mapping(path, environment)

    def maps(self) -> dict[str, NDArray[Any]]:
        """Return the 2-D positions of one silo's samples; empty if the run stored none.

        Returns:
            ``truth_xy`` (r, 2), ``truth_label`` (r,), and ``<arm>/<generation>/candidates`` (N, 2) and
            ``<arm>/<generation>/selected`` (n, 2).

        Raises:
            RunFolderError: If the folder is incomplete or the file is not an NPZ of plain arrays.
        """
        return self._arrays("maps.npz")

    def images(self) -> dict[str, NDArray[Any]]:
        """Return one silo's samples and the training images nearest to them; empty if the run stored none.

        Returns:
            ``<arm>/<generation>/generated`` and ``.../nearest``, each (k, h, w, c), uint8.

        Raises:
            RunFolderError: If the folder is incomplete or the file is not an NPZ of plain arrays.
        """
        return self._arrays("images.npz")

    def texts(self) -> dict[str, dict[int, list[dict[str, str]]]]:
        """Return one silo's documents and the training documents nearest to them; empty if there are none.

        Returns:
            Arm to generation to documents, each with keys ``generated`` and ``nearest``.

        Raises:
            RunFolderError: If the folder is incomplete or the file is not what a run wrote there.
        """
        path = self._file(TEXTS)
        if not path.is_file():
            return {}
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return {
                str(arm): {int(at): [_pair(one) for one in pairs] for at, pairs in kept.items()}
                for arm, kept in found.items()
            }
        except (ValueError, AttributeError, TypeError, KeyError, RecursionError) as error:
            raise RunFolderError(f"{path}: is not what a run wrote there ({error!r})") from None

    def _arrays(self, name: str) -> dict[str, NDArray[Any]]:
        path = self._file(name)
        if not path.is_file():
            return {}
        try:
            return read_npz(path)
        except (OSError, NpzError) as error:
            raise RunFolderError(f"{path} is not an NPZ of plain arrays: {error}") from None


def _pair(found: Mapping[str, object]) -> dict[str, str]:
    pair = {name: found[name] for name in ("generated", "nearest")}
    if not all(isinstance(text, str) for text in pair.values()):
        raise TypeError(f"documents must be text, got {pair}")
    return {name: str(text) for name, text in pair.items()}


def _mapping(path: Path, value: object) -> Row:
    if not isinstance(value, dict):
        raise RunFolderError(f"{path} must be a mapping, got {type(value).__name__}")
    return value
