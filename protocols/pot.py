# SPDX-License-Identifier: Apache-2.0
"""POT (Python Optimal Transport), told to leave torch and its like alone: every process here imports it.

With torch installed POT would load it for its tensors, which nothing here uses: seconds and 200 MB a process.
"""

import os

for _name in ("PYTORCH", "JAX", "CUPY", "TENSORFLOW"):
    os.environ.setdefault(f"POT_BACKEND_DISABLE_{_name}", "1")

import ot  # noqa: E402 - after what it is told

__all__ = ["ot"]
