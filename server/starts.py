# SPDX-License-Identifier: Apache-2.0
"""What generation 0 starts from, as the server decides it: a base sent to all, a file of each, or FedAvg."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tailweave.protocols.arrays import Floats, with_prefix
from tailweave.protocols.base_file import base_digest, save_base
from tailweave.protocols.config.experiment import ArmSpec
from tailweave.protocols.config.starts import BasePath, StartedSpec
from tailweave.protocols.config.training import GeneratorSpec
from tailweave.protocols.fit_messages import FitParameters, FitParametersReply
from tailweave.protocols.parameters import check_parameters, model_of, parameters_of
from tailweave.server.controls.weights import cap_weights
from tailweave.server.failure import RunFailed
from tailweave.server.fedavg import federated_average
from tailweave.server.questions import Member
from tailweave.server.seed_run import SeedRun


@dataclass(frozen=True)
class _Averaging:
    """What stays the same over the rounds."""

    run: SeedRun
    spec: StartedSpec
    base: Mapping[str, Floats]
    members: Sequence[Member]

    def turn(self, number: int, model: dict[str, Floats]) -> dict[str, Floats]:
        """Ask all silos to go on from a model; return the average of the answers that fit."""
        question = FitParameters(
            **self.run.head,
            generator=self.spec,
            privacy=self.run.federation.experiment.privacy,
            turn=number,
            arrays=with_prefix("model", model),
        )
        fitted: dict[Member, dict[str, Floats]] = {}
        asked = [(member, question) for member in self.members]
        for member, reply in self.run.federation.ask(asked, FitParametersReply):
            try:
                fitted[member] = self._checked(question, reply, model)
            except ValueError as error:
                self.run.federation.refuse(member, question, str(error))
        self.run.federation.require(len(fitted))
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
            self.run.federation.experiment.federation.weight_cap,
        )
        return [float(weight) for weight in (rows if cap is None else cap_weights(rows, cap))]


def federated_start(run: SeedRun, members: Sequence[Member]) -> None:
    """Run the rounds ``fit`` where the experiment starts by FedAvg, and keep what generation 0 starts from.

    Every silo is asked in every round: one that missed a round is missing in that average and asked again.
    All start from the last average, also a silo that never answered. The base is kept as a file that
    ``start: {path: FILE}`` takes.

    Args:
        run: Who is asked, the seed, and what all silos are given.
        members: Who said hello, sorted.

    Raises:
        RunFailed: If fewer than ``min-clients`` answered a round, or the average is no model.

    Privacy:
        The server sees the un-noised parameters of every silo in every round.
    """
    spec = run.federation.experiment.generator
    if not isinstance(spec, StartedSpec):
        return
    if spec.start == "federated":
        base = parameters_of(spec, run.kit.base)
        averaging, model = _Averaging(run, spec, base, members), base
        for number in range(1, spec.rounds + 1):
            model = averaging.turn(number, model)
        try:
            run.federation.starts[run.seed] = model_of(spec, model)
        except ValueError as error:
            raise RunFailed(f"generator.start: federated: {error}") from None
    kept = run.federation.starts.get(run.seed, run.kit.base)
    save_base(run.federation.record.out / "base" / f"seed-{run.seed}.npz", spec.kind, kept)


def digest_of_base(run: SeedRun) -> str | None:
    """Return the digest of the base where each node has a file of it, else None."""
    generator = run.federation.experiment.generator
    return base_digest(generator.kind, run.kit.base) if isinstance(generator.start, BasePath) else None


def sent_generator(run: SeedRun, arm: ArmSpec) -> GeneratorSpec:
    """Return an arm's generator as silos are told it: where the server has its file is nothing to them."""
    generator = run.federation.experiment.generator_of(arm)
    if not isinstance(generator.start, BasePath):
        return generator
    return generator.model_copy(update={"start": BasePath(path="base")})


def start_arrays(run: SeedRun) -> dict[str, Floats]:
    """Return what a silo is sent of the models that it starts from.

    ``base/...`` unless each node has a file of it, and ``start/...`` where FedAvg made generation 0.
    """
    if digest_of_base(run) is not None:
        return {}
    return with_prefix("base", run.kit.base) | with_prefix("start", run.federation.starts.get(run.seed, {}))
