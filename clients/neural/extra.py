# SPDX-License-Identifier: Apache-2.0
"""The packages of the ``neural`` extra, imported on use, or one message on how to get them."""

import importlib
from types import ModuleType


def neural(module: str, what: str = "a neural network") -> ModuleType:
    """Import a module of the ``neural`` extra.

    Args:
        module: Full name, such as ``torch`` or ``safetensors.numpy``.
        what: What it is needed for, in the message.

    Returns:
        The module.

    Raises:
        ValueError: If the package is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{what} needs {error.name}, which is not installed: pip install 'tailweave[neural]'"
        ) from None
