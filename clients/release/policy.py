# SPDX-License-Identifier: Apache-2.0
"""What a silo's owner lets anybody ask: a YAML on the node, which no server can change."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from tailweave.clients.release.identities import read_identities
from tailweave.clients.release.request import ReleaseRequest, Request
from tailweave.protocols.config.base import Spec
from tailweave.protocols.config.experiment import Name
from tailweave.protocols.config.privacy import FEWEST_SILOS, PrivacySpec
from tailweave.protocols.config.references import RAW_ROW_KINDS, REFERENCES
from tailweave.protocols.config.spec_file import read_spec
from tailweave.protocols.kinds.references.base import SummarisedReference
from tailweave.protocols.kinds.references.transported import WovenReference
from tailweave.protocols.messages import rows_bucket
from tailweave.protocols.refusals import Refusal

Start = Literal["shared", "path", "local", "federated"]
ModelName = Annotated[str, Field(min_length=1, max_length=500)]
_DELTA_TIMES_ROWS = 0.1
"""delta is at most this over the rows: publishing each row with probability delta is (0, delta)-private."""
_COMPARED = tuple(name for name, spec in REFERENCES.kinds.items() if spec.sees != "truth")
_RELEASED = tuple(name for name in _COMPARED if REFERENCES.kinds[name].sees == "releases")
_NOISED = tuple(n for n in _RELEASED if n not in RAW_ROW_KINDS and REFERENCES.is_own(n))
ReleasedKind = Annotated[str, AfterValidator(partial(REFERENCES.known, among=_RELEASED))]
Against = Annotated[str, AfterValidator(partial(REFERENCES.known, among=_COMPARED))]


class PolicyError(Refusal):
    """A request beyond the silo's policy; names each thing asked and what is allowed, and nothing private."""


class Policy(Spec):
    """Bounds on one request (first block), a lifetime, experiments, secure sums, and what stays shut.

    The defaults are the recommended ones; ``lifetime-epsilon`` is at this policy's ``delta``.
    ``starts`` to ``metrics`` say what may run on the node and which numbers the server may be told of it;
    what has seen own rows it is told with ``allow-own-metrics`` only. ``allow-export`` lets the owner's own
    ``tailweave export`` draw from the models that runs leave on the node: rows of a model that was trained on
    own rows are a release of these, without noise and outside the budget.
    ``honest-silos`` is among how many silos the owner lets the noise of a secure sum be shared: epsilon is
    then kept by that many together, so without it no secure sum is taken part in. ``trusted-identities``
    names a file (beside the policy) of the only identities that may take part. ``models`` are the only
    pretrained models that a question may have opened here, as it names them: folders, or names in the cache.
    ``other-kinds`` are the only kinds of other packages that it may have run, such as ``rule every-nth``.
    """

    epsilon: Annotated[float, Field(gt=0.0, le=100.0)] = 2.0
    delta: Annotated[float, Field(gt=0.0, lt=1.0)] = 1e-6
    kinds: Annotated[tuple[ReleasedKind, ...], Field(min_length=1)] = _NOISED
    directions: Annotated[int, Field(ge=1)] = 1024
    coefficients: Annotated[int, Field(ge=1)] = 12
    bins: Annotated[int, Field(ge=2)] = 64
    clusters: Annotated[int, Field(ge=1)] = 32
    min_rows: Annotated[int, Field(ge=1)] = 200
    min_cluster_size: Annotated[int, Field(ge=1)] = 10

    releases_per_data_version: Annotated[int, Field(ge=1)] = 1
    lifetime_epsilon: Annotated[float, Field(gt=0.0)] | None = 8.0

    starts: tuple[Start, ...] = ("shared", "path", "local", "federated")
    references: tuple[Against, ...] = tuple(name for name in _COMPARED if REFERENCES.is_own(name))
    include_real: bool = True
    arms: tuple[Name, ...] | None = None
    metrics: tuple[str, ...] | None = None

    honest_silos: Annotated[int, Field(ge=FEWEST_SILOS)] | None = None
    trusted_identities: Path | None = None

    models: tuple[ModelName, ...] = ()
    other_kinds: tuple[str, ...] = ()

    allow_raw_row_leakage: bool = False
    allow_parameter_release: bool = False
    allow_own_metrics: bool = False
    allow_export: bool = False
    allow_no_privacy: bool = False

    @model_validator(mode="before")
    @classmethod
    def _no_number_is_yes(cls, raw: object) -> object:
        yes = [
            key
            for key, value in (raw.items() if isinstance(raw, dict) else ())
            if isinstance(value, bool) and not str(key).startswith(("allow", "include"))
        ]
        if yes:
            raise ValueError(f"{', '.join(map(str, yes))} must be a number, got a boolean")
        return raw

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if self.allow_no_privacy and self.lifetime_epsilon is not None:
            raise ValueError(
                "allow-no-privacy: true makes every bound on the lifetime empty: set lifetime-epsilon: null, "
                f"got {self.lifetime_epsilon:g}"
            )
        if self.lifetime_epsilon is not None and self.lifetime_epsilon < self.epsilon:
            raise ValueError(
                f"lifetime-epsilon must reach epsilon = {self.epsilon:g}, got {self.lifetime_epsilon:g}"
            )
        leaking = sorted(set(RAW_ROW_KINDS).intersection(self.kinds))
        if leaking and not self.allow_raw_row_leakage:
            raise ValueError(
                f"kinds {', '.join(leaking)} hand out raw rows: they need allow-raw-row-leakage: true"
            )
        return self


def simulation_policy() -> Policy:
    """Return the policy of a simulated silo, whose rows are nobody's: all that can be asked."""
    return Policy(
        epsilon=100.0,
        delta=1.0 - 2.0**-53,
        kinds=_RELEASED,
        directions=8192,
        coefficients=1024,
        bins=4096,
        clusters=4096,
        min_rows=1,
        min_cluster_size=1,
        releases_per_data_version=1_000_000,
        lifetime_epsilon=None,
        honest_silos=1_000_000,
        allow_raw_row_leakage=True,
        allow_parameter_release=True,
        allow_own_metrics=True,
        allow_export=True,
        allow_no_privacy=True,
    )


def load_policy(path: Path) -> Policy:
    """Read a policy; a key that is left out has its default.

    Raises:
        ConfigError: If the file is missing, not YAML, or a key, type or range is wrong.
    """
    return _anchored(read_spec(path, Policy, "see policy in node.yaml"), path.parent)


def _anchored(policy: Policy, folder: Path) -> Policy:
    """Look for the identities beside the policy; a file that holds none is refused now, not during a run."""
    if policy.trusted_identities is None:
        return policy
    path = folder / policy.trusted_identities
    read_identities(path)
    return policy.model_copy(update={"trusted_identities": path})


def check(policy: Policy, request: Request) -> None:
    """Refuse what the owner did not allow.

    Raises:
        PolicyError: If anything is beyond the policy; names all of it.
    """
    if isinstance(request, ReleaseRequest):
        beyond = release_beyond(policy, request.reference, request.privacy)
    else:
        beyond = _privacy_beyond(policy, request.privacy)
        if not policy.allow_parameter_release:
            beyond.append("parameters of the generator asked, allow-parameter-release is false")
    if beyond:
        raise PolicyError(f"refused by the silo's policy: {'; '.join(beyond)}")


def release_beyond(policy: Policy, reference: WovenReference, privacy: PrivacySpec) -> list[str]:
    """Return what of a release is beyond the policy, with what is allowed; nothing if it may be asked for."""
    return _privacy_beyond(policy, privacy) + _size_beyond(policy, reference, privacy)


def largest_delta(rows: int) -> float:
    """Return the largest delta at which so many rows are released; the same for all rows of a bucket."""
    most = rows_bucket(5 * rows_bucket(rows) // 2) - 1  # 2.5 times a bucket's begin lies in the next one
    return _DELTA_TIMES_ROWS / most


def check_rows(policy: Policy, request: Request, rows: int) -> None:
    """Refuse a silo that is too small, before a value is read; how small it is stays here.

    The request's own ``min-rows`` and ``delta`` bind too wherever noise is asked for. The server chooses
    those two and may ask again and again, so they are held against the bucket of rows that ``hello`` told
    it: held against the number itself, a few refusals would tell that number.

    Raises:
        PolicyError: If rows are too few, or too many for the delta.
    """
    if rows < policy.min_rows:
        raise PolicyError(
            f"refused by the silo's policy: it has fewer than min-rows = {policy.min_rows} rows"
        )
    if request.privacy.epsilon is None:
        return
    bucket = rows_bucket(rows)
    if bucket < request.privacy.min_rows:
        raise PolicyError(
            f"refused by the silo's policy: it has fewer than min-rows = {request.privacy.min_rows} rows, "
            "counted as in hello: 100, 200, 500, 1000, ..."
        )
    if request.privacy.delta > largest_delta(rows):
        raise PolicyError(
            f"refused by the silo's policy: delta {request.privacy.delta:g} asked, allowed is at most "
            f"{_DELTA_TIMES_ROWS:g} over the silo's number of rows"
        )


def _privacy_beyond(policy: Policy, asked: PrivacySpec) -> list[str]:
    if asked.epsilon is None:
        return [] if policy.allow_no_privacy else ["epsilon null asked, allow-no-privacy is false"]
    beyond = []
    if not asked.epsilon <= policy.epsilon:
        beyond.append(f"epsilon {asked.epsilon:g} asked, at most {policy.epsilon:g} allowed")
    if not asked.delta <= policy.delta:
        beyond.append(f"delta {asked.delta:g} asked, at most {policy.delta:g} allowed")
    return beyond + _shares_beyond(policy, asked)


def _shares_beyond(policy: Policy, asked: PrivacySpec) -> list[str]:
    if asked.honest_silos is None:
        return []
    if policy.honest_silos is None:
        return ["secure aggregation asked, honest-silos is not set"]
    if asked.honest_silos > policy.honest_silos:
        return [f"honest-silos {asked.honest_silos} asked, at most {policy.honest_silos} allowed"]
    return []


def _size_beyond(policy: Policy, reference: WovenReference, privacy: PrivacySpec) -> list[str]:
    kind = reference.kind
    if kind not in policy.kinds:
        return [f"kind {kind} asked, allowed: {', '.join(policy.kinds)}"]
    if kind in RAW_ROW_KINDS and not policy.allow_raw_row_leakage:
        return [f"kind {kind} asked, allow-raw-row-leakage is false"]
    if not isinstance(reference, SummarisedReference):
        return []
    beyond = [
        f"{name} {getattr(reference, name)} asked, at most {getattr(policy, name)} allowed"
        for name in reference.bounded
        if getattr(reference, name) > getattr(policy, name)
    ]
    if reference.clustered and privacy.min_cluster_size < policy.min_cluster_size:
        asked = privacy.min_cluster_size
        beyond.append(f"min-cluster-size {asked} asked, at least {policy.min_cluster_size} allowed")
    return beyond
