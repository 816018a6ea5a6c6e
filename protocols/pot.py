# SPDX-License-Identifier: Apache-2.0
"""POT (Python Optimal Transport), imported at its first use and told to leave torch and its like alone.

A part of a deployment that transports nothing starts without it and scikit-learn, which it brings. With torch
installed POT would load that for its tensors, which nothing here uses: seconds and 200 MB a process. POT asks
the environment once, while it is imported; it is as before afterwards.
"""

import importlib
import os
from threading import Lock
from types import ModuleType
from typing import Any

_LOCK = Lock()


def _import() -> ModuleType:
    names = (f"POT_BACKEND_DISABLE_{backend}" for backend in ("PYTORCH", "JAX", "CUPY", "TENSORFLOW"))
    with _LOCK:
        unset = [name for name in names if name not in os.environ]
        os.environ.update(dict.fromkeys(unset, "1"))
        try:
            return importlib.import_module("ot")
        finally:
            for name in unset:
                del os.environ[name]


class _Pot:
    def __getattr__(self, name: str) -> object:
        value = getattr(_import(), name)
        setattr(self, name, value)
        return value


ot: Any = _Pot()
