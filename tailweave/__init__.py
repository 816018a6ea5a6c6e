# SPDX-License-Identifier: Apache-2.0
"""tailweave: tail-preserving sample selection against model collapse, across silos."""

from pathlib import Path

_HERE = Path(__file__).parent
if not (_HERE / "protocols").is_dir():  # Flower's bundles and some systems know no links: the four lie beside
    __path__.append(str(_HERE.parent))
