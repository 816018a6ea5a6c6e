# SPDX-License-Identifier: Apache-2.0
"""Studies, by name; what runs each is in ``simulation/studies``."""
