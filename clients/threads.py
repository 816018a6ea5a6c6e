# SPDX-License-Identifier: Apache-2.0
"""One thread a silo: results must not depend on how many cores or neighbours a node has."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit the BLAS and OpenMP pools to one thread within the context.

    Call it after the numerical libraries are imported: the pools are looked up once a process, because
    looking them up takes milliseconds. Two silos on two cores with two threads each ran three times slower.
    """
    with _pools().limit(limits=1):
        yield


@lru_cache(maxsize=1)
def _pools() -> ThreadpoolController:
    return ThreadpoolController()
