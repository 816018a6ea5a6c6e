# SPDX-License-Identifier: Apache-2.0
"""Messages to Flower's RecordDict and back; everything that comes in is checked before it is parsed."""

import io
import json
import math
import re
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from pydantic import ValidationError

from tailweave.protocols.arrays import MAX_ARRAY_BYTES, Floats
from tailweave.protocols.config.complaints import complaint
from tailweave.protocols.messages import SCHEMA_VERSION, Message
from tailweave.protocols.refusals import Refusal

MAX_BODY_BYTES = 2**20
MAX_BODY_COMMAS = 5_000
"""A body of nothing but wrong entries is refused with one complaint an entry: 300 MiB for a body of 1 MiB."""
MAX_ARRAYS = 1000
MAX_AXES = 8
_LONGEST = 2**63
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]{0,199}")
_STYPE = "numpy.ndarray"
_DTYPES = {"float64": "<f8", "float32": "<f4"}
"""On the wire; single precision only where the message says so, see ``Message.single``."""

M = TypeVar("M", bound=Message)


class MessageError(Refusal):
    """A message that is refused: malformed, of another schema version, out of range or not finite."""


def encode(message: Message) -> RecordDict:
    """Encode a message: scalars as one JSON text, arrays in NPY form."""
    config: dict[str, int | str] = {
        "schema-version": message.schema_version,
        "kind": message.kind,
        "body": message.model_dump_json(by_alias=True, exclude={"schema_version"}),
    }
    arrays = {
        name: Array(np.asarray(a, dtype=_dtype_of(name, message, a.dtype), order="C"))
        for name, a in message.arrays.items()
    }
    return RecordDict({"message": ConfigRecord({**config}), "arrays": ArrayRecord(arrays)})


def _dtype_of(name: str, message: Message | type[Message], dtype: np.dtype[Any]) -> str:
    """Return the dtype in which an array crosses the wire: its own, if that is allowed for it."""
    return "float32" if dtype == np.float32 and name.startswith(message.single) else "float64"


def size(content: RecordDict) -> int:
    """Return how many bytes of body and array data a RecordDict holds, without Flower's own framing."""
    arrays = sum(len(a.data) for record in content.array_records.values() for a in record.values())
    texts = sum(len(str(v).encode()) for record in content.config_records.values() for v in record.values())
    return arrays + texts


def decode(content: RecordDict, expected: type[M]) -> M:
    """Decode and check a message.

    Raises:
        MessageError: If anything about it is not as expected; nothing is parsed that was not size-checked.
    """
    if set(content) != {"message", "arrays"}:
        raise MessageError(f"records must be ['arrays', 'message'], got {sorted(map(str, content))[:8]}")
    config, arrays = content["message"], content["arrays"]
    if not isinstance(config, ConfigRecord) or not isinstance(arrays, ArrayRecord):
        raise MessageError("record 'message' must be a ConfigRecord and 'arrays' an ArrayRecord")
    body = _checked_body(config, expected)
    if len(arrays) > MAX_ARRAYS:
        raise MessageError(f"at most {MAX_ARRAYS} arrays are allowed, got {len(arrays)}")
    parts = {str(name): _array(str(name), array, expected) for name, array in arrays.items()}
    try:
        return expected.model_validate({**body, "arrays": parts})
    except ValidationError as error:
        raise MessageError("; ".join(complaint(error, expected))) from None


def _checked_body(config: ConfigRecord, expected: type[Message]) -> dict[str, Any]:
    if set(config) != {"schema-version", "kind", "body"}:
        raise MessageError(f"a message has body, kind and schema-version, got {sorted(map(str, config))[:8]}")
    if config["schema-version"] != SCHEMA_VERSION:
        raise MessageError(
            f"schema version must be {SCHEMA_VERSION}, got {config['schema-version']!r}; install the "
            "same version of tailweave on the server and on all silos"
        )
    if config["kind"] != expected.kind:
        raise MessageError(f"a {expected.kind} message was expected, got {str(config['kind'])[:64]!r}")
    try:
        body = json.loads(_checked_text(config["body"]), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"the body is not JSON: {str(error)[:80]}") from None
    if not isinstance(body, dict) or "arrays" in body:
        raise MessageError("the body must be a JSON object without arrays")
    return body


def _checked_text(text: object) -> str:
    """Return the body's text if neither its bytes nor its entries are too many to be worth parsing."""
    if not isinstance(text, str) or len(text) > MAX_BODY_BYTES or _utf8_bytes(text) > MAX_BODY_BYTES:
        raise MessageError(f"the body must be a text of at most {MAX_BODY_BYTES} bytes")
    commas = text.count(",")
    if commas > MAX_BODY_COMMAS:
        raise MessageError(f"the body may have at most {MAX_BODY_COMMAS} commas, got {commas}")
    return text


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object's entries; two of one name would leave it open which one is meant."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in an object")
    return found


def _utf8_bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))  # half a surrogate pair is refused later, by name


def _array(name: str, array: Array, message: type[Message]) -> Floats:
    """Read one array; the declared shape, the NPY header and the number of bytes must agree."""
    if not _NAME.fullmatch(name):
        raise MessageError(f"an array's name is made of a-z, A-Z, 0-9, _, ., / and -, got {name[:64]!r}")
    allowed = ("float64", "float32") if name.startswith(message.single) else ("float64",)
    if array.stype != _STYPE or array.dtype not in allowed:
        raise MessageError(
            f"array {name!r} must be {' or '.join(allowed)} in {_STYPE} form, got {array.dtype!r}, "
            f"{array.stype!r}"
        )
    width = np.dtype(array.dtype).itemsize
    shape = _checked_shape(name, array)
    declared = math.prod(max(length, 1) for length in shape) * width
    if declared > MAX_ARRAY_BYTES:
        raise MessageError(f"array {name!r} declares {declared} bytes, at most {MAX_ARRAY_BYTES} are allowed")
    header, expected = _header(shape, array.dtype), math.prod(shape) * width
    if not array.data.startswith(header):
        raise MessageError(
            f"array {name!r} must begin with the NPY 1.0 header of {array.dtype} {shape} in C order"
        )
    if len(array.data) - len(header) != expected:
        raise MessageError(
            f"array {name!r} of shape {shape} needs {expected} bytes, got {len(array.data) - len(header)}"
        )
    return np.frombuffer(array.data, dtype=_DTYPES[array.dtype], offset=len(header)).reshape(shape)


def _checked_shape(name: str, array: Array) -> tuple[int, ...]:
    """Return the declared shape; Flower lets lengths of 4,000 digits pass, which Python would not print."""
    shape = tuple(array.shape)
    if len(shape) > MAX_AXES:
        raise MessageError(f"array {name!r} has an impossible shape of {len(shape)} axes")
    if any(isinstance(length, bool) or not 0 <= length < _LONGEST for length in shape):
        shown = tuple(max(-1, min(length, _LONGEST)) for length in shape)
        raise MessageError(f"array {name!r} has an impossible shape {shown}")
    return shape


@lru_cache(maxsize=1024)
def _header(shape: tuple[int, ...], dtype: str) -> bytes:
    """Return the header that numpy writes; comparing it means that no header from outside is ever parsed."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": _DTYPES[dtype], "fortran_order": False, "shape": shape}
    )
    return stream.getvalue()
