# SPDX-License-Identifier: Apache-2.0
"""Selection as a service: a silo's own pipelines stream candidates, and learn which to keep.

The wire is ``protocols/selection.proto``, the rule ``clients/selection/streaming.py``. It runs beside a node,
for that silo only; nothing of it crosses a silo's border.
"""
