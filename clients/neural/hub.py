# SPDX-License-Identifier: Apache-2.0
"""Where a pretrained model lies: a folder, the hub's cache, or, where that is allowed, the hub."""

from pathlib import Path

from tailweave.clients.neural.extra import neural

_WANTED = ("*.json", "*.safetensors", "*.txt", "*.model")
"""What is downloaded of a model: no code, no pickles."""


def folder_of(name: str, *, local: bool) -> Path:
    """Return the folder of a model.

    Without a network that takes a moment: the ``transformers`` library would ask for each file five times.

    Args:
        name: A folder, or a hub name.
        local: Whether nothing may be downloaded.

    Raises:
        OSError: If it is neither on this machine nor to be had.
    """
    if Path(name).is_dir():
        return Path(name)
    hub = neural("huggingface_hub")
    try:
        return Path(hub.snapshot_download(name, allow_patterns=list(_WANTED), local_files_only=True))
    except hub.errors.LocalEntryNotFoundError:
        if local:
            raise
        return Path(hub.snapshot_download(name, allow_patterns=list(_WANTED)))
