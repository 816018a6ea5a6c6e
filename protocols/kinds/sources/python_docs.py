# SPDX-License-Identifier: Apache-2.0
"""English that every Python brings: its own documentation."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from tailweave.protocols.kinds.sources.base import SourceKind
from tailweave.protocols.sorts import SortName

Area = Literal["language", "code", "net", "gui", "data"]


class PythonDocs(SourceKind):
    """Python's own documentation in passages of about ``characters``; the groups are areas of its library.

    ``language`` is the reference of the language, the other areas are docstrings of the library's modules:
    tools for ``code``, ``net``, ``gui``, and ``data`` types and files. No file is needed, but the texts are
    those of the Python that runs, and differ with its version.
    """

    source: Literal["python-docs"]
    groups: Annotated[tuple[Area, ...], Field(min_length=1)] = ("language", "code", "net", "gui")
    characters: Annotated[int, Field(ge=50, le=5000)] = 300

    @field_validator("groups")
    @classmethod
    def _groups_differ(cls, groups: tuple[Area, ...]) -> tuple[Area, ...]:
        if len(set(groups)) != len(groups):
            raise ValueError(f"groups must differ, got {', '.join(groups)}")
        return groups

    @property
    def gives(self) -> SortName:
        """Documents."""
        return "text"
