# SPDX-License-Identifier: Apache-2.0
"""What generation 0 starts from, as the server decides it: a base sent to all, a file of each, or FedAvg."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tailweave.protocols.arrays import Floats
from tailweave.protocols.base_file import base_digest, save_base
from tailweave.protocols.config.starts import BasePath, StartedSpec
from tailweave.protocols.config.training import GeneratorSpec
from tailweave.protocols.fit_messages import FitParameters, FitParametersReply
from tailweave.protocols.kit import PublicKit
from tailweave.protocols.messages import with_prefix
from tailweave.protocols.parameters import check_parameters, model_of, parameters_of
from tailweave.server.controls.weights import cap_weights
from tailweave.server.failure import RunFailed
from tailweave.server.fedavg import federated_average
from tailweave.server.federation import Federation
from tailweave.server.questions import Member


@dataclass(frozen=True)
class _Averaging:
    """What stays the same over the rounds."""

    federation: Federation
    seed: int
    spec: StartedSpec
    base: Mapping[str, Floats]
    members: Sequence[Member]

    def turn(self, number: int, model: dict[str, Floats]) -> dict[str, Floats]:
        """Ask all silos to go on from a model; return the average of the answers that fit."""
        question = FitParameters(
            run=self.federation.run,
            seed=self.seed,
            generator=self.spec,
            privacy=self.federation.experiment.privacy,
            turn=number,
            arrays=with_prefix("model", model),
        )
        fitted: dict[Member, dict[str, Floats]] = {}
        asked = [(member, question) for member in self.members]
        for member, reply in self.federation.ask(asked, FitParametersReply):
            try:
                fitted[member] = self._checked(question, reply, model)
            except ValueError as error:
                self.federation.refuse(member, question, str(error))
        self.federation.require(len(fitted))
        weights = self._weights(list(fitted))
        return federated_average(list(fitted.values()), weights, number)

    def _checked(
        self, question: FitParameters, reply: FitParametersReply, model: Mapping[str, Floats]
    ) -> dict[str, Floats]:
        if reply.turn != question.turn:
            raise ValueError(f"answers turn {reply.turn}, asked for {question.turn}")
        parameters = reply.part("model")
        check_parameters(self.spec, parameters, model, self.base)
        return parameters

    def _weights(self, members: Sequence[Member]) -> list[float]:
        """Return the rows that each silo named in hello, so in steps, under the cap of one silo's weight."""
        rows, cap = (
            [max(1, m.rows_at_least) for m in members],
            self.federation.experiment.federation.weight_cap,
        )
        return [float(weight) for weight in (rows if cap is None else cap_weights(rows, cap))]


def federated_start(federation: Federation, seed: int, kit: PublicKit, members: Sequence[Member]) -> None:
    """Run the rounds ``fit`` where the experiment starts by FedAvg, and keep what generation 0 starts from.

    Every silo is asked in every round: one that missed a round is missing in that average and asked again.
    All start from the last average, also a silo that never answered. The base is kept as a file that
    ``start: {path: FILE}`` takes.

    Args:
        federation: Who is asked; ``starts`` is filled in.
        seed: Root seed.
        kit: The public base, which the first round goes on from.
        members: Who said hello, sorted.

    Raises:
        RunFailed: If fewer than ``min-clients`` answered a round, or the average is no model.

    Privacy:
        The server sees the un-noised parameters of every silo in every round.
    """
    spec = federation.experiment.generator
    if not isinstance(spec, StartedSpec):
        return
    if spec.start == "federated":
        base = parameters_of(spec, kit.base)
        averaging, model = _Averaging(federation, seed, spec, base, members), base
        for number in range(1, spec.rounds + 1):
            model = averaging.turn(number, model)
        try:
            federation.starts[seed] = model_of(spec, model)
        except ValueError as error:
            raise RunFailed(f"generator.start: federated: {error}") from None
    kept = federation.starts.get(seed, kit.base)
    save_base(federation.record.out / "base" / f"seed-{seed}.npz", spec.kind, kept)


def digest_of_base(federation: Federation, kit: PublicKit) -> str | None:
    """Return the digest of the base where each node has a file of it, else None."""
    generator = federation.experiment.generator
    return base_digest(generator.kind, kit.base) if isinstance(generator.start, BasePath) else None


def sent_generator(federation: Federation) -> GeneratorSpec:
    """Return the generator as silos are told it: where the server has its file is nothing to them."""
    generator = federation.experiment.generator
    if not isinstance(generator.start, BasePath):
        return generator
    return generator.model_copy(update={"start": BasePath(path="base")})


def start_arrays(federation: Federation, seed: int, kit: PublicKit) -> dict[str, Floats]:
    """Return what a silo is sent of the models that it starts from.

    ``base/...`` unless each node has a file of it, and ``start/...`` where FedAvg made generation 0.
    """
    if digest_of_base(federation, kit) is not None:
        return {}
    return with_prefix("base", kit.base) | with_prefix("start", federation.starts.get(seed, {}))
