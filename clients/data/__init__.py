# SPDX-License-Identifier: Apache-2.0
"""The data of one silo: where rows come from, and how a simulation cuts them into silos."""
