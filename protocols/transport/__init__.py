# SPDX-License-Identifier: Apache-2.0
"""Optimal transport that silos and server must agree on: maps, potentials, barycenters.

The cost is |x - y|^2, never half of it. Two back-ends: ``entropic_reg`` None is exact (network simplex); a
number in units of the cost is entropic and debiased (Sinkhorn divergence).
"""
