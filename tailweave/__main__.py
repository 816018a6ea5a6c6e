# SPDX-License-Identifier: Apache-2.0
"""``python -m tailweave``: the command line."""

from tailweave.simulation.cli import main

if __name__ == "__main__":
    main()
