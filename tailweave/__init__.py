# SPDX-License-Identifier: Apache-2.0
"""tailweave: tail-preserving sample selection against model collapse, across silos."""

from pathlib import Path

__all__ = ["client_app"]

_HERE = Path(__file__).parent
if not (_HERE / "protocols").is_dir():  # Flower's bundles and some systems know no links: the four lie beside
    __path__.append(str(_HERE.parent))


def __getattr__(name: str) -> object:
    """Return the ClientApp, ``tailweave:client_app`` for Flower.

    Flower would look up ``tailweave.clients.app`` in one thread while another still imports this file for the
    ServerApp, and find no ``clients``, or those of another installation; ``tailweave`` it finds at once.
    """
    if name == "client_app":
        from tailweave.clients.app import app

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
