# SPDX-License-Identifier: Apache-2.0
"""Libraries that take seconds to import: every test process reads all test files, and few use these."""

import importlib
from importlib.util import find_spec

import pytest


class Later:
    """A module that is imported at its first use."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):  # pytest asks all that lies in a test file whether it is a fixture
            raise AttributeError(name)
        return getattr(importlib.import_module(self._name), name)


def later(name: str) -> Later:
    """Return such a module; without it, the test file that asks is skipped."""
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed", allow_module_level=True)
    return Later(name)
