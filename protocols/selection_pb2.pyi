from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReferenceRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ReferenceReply(_message.Message):
    __slots__ = ("kind", "run", "arm", "seed", "dimension", "directions", "coefficients", "reference_sha256", "feature_map", "limits")
    KIND_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    ARM_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    DIRECTIONS_FIELD_NUMBER: _ClassVar[int]
    COEFFICIENTS_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_SHA256_FIELD_NUMBER: _ClassVar[int]
    FEATURE_MAP_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    run: str
    arm: str
    seed: int
    dimension: int
    directions: int
    coefficients: int
    reference_sha256: str
    feature_map: FeatureMap
    limits: Limits
    def __init__(self, kind: _Optional[str] = ..., run: _Optional[str] = ..., arm: _Optional[str] = ..., seed: _Optional[int] = ..., dimension: _Optional[int] = ..., directions: _Optional[int] = ..., coefficients: _Optional[int] = ..., reference_sha256: _Optional[str] = ..., feature_map: _Optional[_Union[FeatureMap, _Mapping]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ...) -> None: ...

class FeatureMap(_message.Message):
    __slots__ = ("columns", "offset", "weights", "center", "scale", "encoder")
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    CENTER_FIELD_NUMBER: _ClassVar[int]
    SCALE_FIELD_NUMBER: _ClassVar[int]
    ENCODER_FIELD_NUMBER: _ClassVar[int]
    columns: int
    offset: _containers.RepeatedScalarFieldContainer[float]
    weights: _containers.RepeatedScalarFieldContainer[float]
    center: _containers.RepeatedScalarFieldContainer[float]
    scale: float
    encoder: str
    def __init__(self, columns: _Optional[int] = ..., offset: _Optional[_Iterable[float]] = ..., weights: _Optional[_Iterable[float]] = ..., center: _Optional[_Iterable[float]] = ..., scale: _Optional[float] = ..., encoder: _Optional[str] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("batch_candidates", "message_bytes", "streams", "streams_open", "idle_seconds")
    BATCH_CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    STREAMS_OPEN_FIELD_NUMBER: _ClassVar[int]
    IDLE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    batch_candidates: int
    message_bytes: int
    streams: int
    streams_open: int
    idle_seconds: int
    def __init__(self, batch_candidates: _Optional[int] = ..., message_bytes: _Optional[int] = ..., streams: _Optional[int] = ..., streams_open: _Optional[int] = ..., idle_seconds: _Optional[int] = ...) -> None: ...

class SelectRequest(_message.Message):
    __slots__ = ("open", "batch")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    open: Open
    batch: Batch
    def __init__(self, open: _Optional[_Union[Open, _Mapping]] = ..., batch: _Optional[_Union[Batch, _Mapping]] = ...) -> None: ...

class Open(_message.Message):
    __slots__ = ("keep", "of", "window", "reference_sha256")
    KEEP_FIELD_NUMBER: _ClassVar[int]
    OF_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_SHA256_FIELD_NUMBER: _ClassVar[int]
    keep: int
    of: int
    window: int
    reference_sha256: str
    def __init__(self, keep: _Optional[int] = ..., of: _Optional[int] = ..., window: _Optional[int] = ..., reference_sha256: _Optional[str] = ...) -> None: ...

class Batch(_message.Message):
    __slots__ = ("candidates", "dimension", "dtype", "features")
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    candidates: int
    dimension: int
    dtype: str
    features: bytes
    def __init__(self, candidates: _Optional[int] = ..., dimension: _Optional[int] = ..., dtype: _Optional[str] = ..., features: _Optional[bytes] = ...) -> None: ...

class SelectReply(_message.Message):
    __slots__ = ("first", "keep", "scores")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    KEEP_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    first: int
    keep: _containers.RepeatedScalarFieldContainer[bool]
    scores: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, first: _Optional[int] = ..., keep: _Optional[_Iterable[bool]] = ..., scores: _Optional[_Iterable[float]] = ...) -> None: ...
