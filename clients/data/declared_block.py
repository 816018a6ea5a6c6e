# SPDX-License-Identifier: Apache-2.0
"""What a node is given as ``columns``: an experiment's declarations of columns, for a file of its own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailweave.protocols.config.spec_file import read_mapping, validated
from tailweave.protocols.config.yaml_file import ConfigError
from tailweave.protocols.kinds.sources.table import TableData, source_of

_KEYS = ("columns", "missing", "delimiter", "decimal", "label")
"""Of a block ``data``: those that say how a file is read."""


@dataclass(frozen=True)
class Declared:
    """Declarations without a file; equal where their text is.

    Attributes:
        said: Path of the file that they stand in, for messages.
        text: The declarations, as JSON.
    """

    said: str
    text: str

    def of(self, path: Path, label: str | None) -> TableData:
        """Return them for a file; ``label`` names its label column where that is called otherwise.

        Raises:
            ConfigError: If they do not fit each other or that file.
        """
        named = {} if label is None else {"label": label}
        raw = {"source": source_of(path), "path": str(path), **json.loads(self.text), **named}
        return validated(raw, TableData, self.said)


def read_block(path: Path) -> Declared:
    """Read declarations from an experiment, or from a file that has its block ``data`` alone.

    Raises:
        ConfigError: If there are none.
    """
    raw = read_mapping(path, "must be")
    inner = raw.get("data")
    block: Mapping[str, Any] = inner if isinstance(inner, dict) else raw
    if not isinstance(block.get("columns"), dict):
        raise ConfigError(
            f"{path}: declares no columns: it must be an experiment with data.columns, or have columns itself"
        )
    kept = {key: block[key] for key in _KEYS if key in block}
    return Declared(str(path), json.dumps(kept, default=str))
