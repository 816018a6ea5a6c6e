# SPDX-License-Identifier: Apache-2.0
"""POT (Python Optimal Transport), told to leave torch and its like alone: every process here imports it.

With torch installed POT would load it for its tensors, which nothing here uses: seconds and 200 MB a process.
POT asks the environment once, while it is imported; it is as before when this module is there.
"""

import os

_unset = [
    name
    for name in (f"POT_BACKEND_DISABLE_{backend}" for backend in ("PYTORCH", "JAX", "CUPY", "TENSORFLOW"))
    if name not in os.environ
]
os.environ.update(dict.fromkeys(_unset, "1"))
try:
    import ot
finally:
    for _name in _unset:
        del os.environ[_name]

__all__ = ["ot"]
