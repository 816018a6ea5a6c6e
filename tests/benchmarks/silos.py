# SPDX-License-Identifier: Apache-2.0
"""A thousand silos: seconds and memory of a whole run, seconds of the server alone, and of its files.

    python tests/benchmarks/silos.py OUT.json [--silos 200 1000] [--sample 50] [--engine ray]
        [--server] [--files]

A run is one summarise and one retrain of two arms, 1,000 rows of 32 columns a silo, with ``--workers``
processes; its memory is the largest sum of what its processes hold (of shared pages each has its part).
``--server`` takes the server's processor seconds beside silos that answer at once, ``--files`` writes and
reads 10^6 rows of metrics.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from flwr.app import Message, RecordDict
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from tailweave.protocols import messages
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kit import PublicKit
from tailweave.protocols.records import decode, encode
from tailweave.protocols.references.sliced import summarise
from tailweave.protocols.streams import stream
from tailweave.server.federation import Federation
from tailweave.server.journal import Journal
from tailweave.server.record import Record
from tailweave.server.rounds import run_seed
from tailweave.simulation.measurements import measurements
from tailweave.simulation.metric_rows import MetricRows

COLUMNS, ROWS, TRUTH, PUBLIC = 32, 1000, 3000, 5000
METRICS = 20
"""Numbers of a row of metrics."""


def experiment(silos: int, sample: int | None) -> dict[str, object]:
    """Return the configuration of a run: 1,000 rows a silo beside 3,000 of the truth."""
    rows = silos * ROWS + TRUTH
    some = {} if sample is None else {"sample": sample}
    return {
        "name": "thousand-silos",
        "seeds": 1,
        "data": {
            "source": "gaussian-modes",
            "rows": rows,
            "dimensions": COLUMNS,
            "modes": 12,
            "evaluation-fraction": TRUTH / rows,
        },
        "silos": {"count": silos, "partition": {"kind": "dirichlet", "alpha": 0.5}, **some},
        "public": {"fraction": PUBLIC / (silos * ROWS)},
        "generator": {"kind": "gaussian-mixture", "components": 12},
        "recursion": {"generations": 1, "samples": 400, "candidates-per-sample": 4},
        "evaluation": {"samples": 200},
        "arms": [
            {"name": "siloed", "rule": "herding", "reference": "local"},
            {"name": "collaborative", "rule": "herding", "reference": {"kind": "sliced"}},
        ],
    }


def whole_run(silos: int, sample: int | None, options: list[str]) -> dict[str, object]:
    """Run once in a folder of its own; ``options`` go to the command line."""
    with tempfile.TemporaryDirectory() as place:
        config = Path(place) / "silos.yaml"
        config.write_text(json.dumps(experiment(silos, sample)))  # JSON is YAML
        command = "from tailweave.simulation.cli import main; main()"
        out = ["run", str(config), "--out", f"{place}/out", *options]
        begun, before = time.perf_counter(), _processor()
        with (Path(place) / "log").open("wb") as log:
            run = subprocess.Popen(
                [sys.executable, "-c", command, *out], stdout=log, stderr=log, start_new_session=True
            )
            peak = 0.0
            while run.poll() is None:
                peak = max(peak, _mib_of_session(run.pid))
                time.sleep(0.5)
        wall = time.perf_counter() - begun
        if run.returncode:
            raise RuntimeError((Path(place) / "log").read_text()[-2000:])
        page = (Path(place) / "out" / "report.html").stat().st_size / 2**20
        files = {p.name: p.stat().st_size / 2**20 for p in (Path(place) / "out").glob("*.jsonl")}
    found = {"wall": wall, "processor": _processor() - before, "MiB": peak, "report MiB": page, **files}
    return {"silos": silos, "sample": sample, "options": options, **found}


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _mib_of_session(leader: int) -> float:
    """Return what all processes of a session, and those below them, hold: shared pages by parts."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
    family, more = {leader}, True
    while more:
        found = {pid for pid, parent in parents.items() if parent in family} - family
        family, more = family | found, bool(found)
    return sum(map(_mib, family))


def _mib(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0) / 1024


@dataclass
class Prompt(Grid):
    """Silos that answer at once; ``seconds`` is what making the answers took."""

    silos: int
    seconds: float = 0.0
    _ready: dict[str, Message] = field(default_factory=dict)

    def get_node_ids(self) -> Iterable[int]:
        return range(self.silos)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        begun = time.process_time()
        names = [self._push(message) for message in messages]
        self.seconds += time.process_time() - begun
        return names

    def _push(self, message: Message) -> str:
        name = uuid.uuid4().hex
        message.metadata.__dict__["_message_id"] = name
        self._ready[name] = Message(_answer(message), reply_to=message)
        return name

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        return [self._ready.pop(name) for name in message_ids if name in self._ready]

    def set_run(self, run: Run) -> None:
        raise NotImplementedError

    @property
    def run(self) -> Run:
        return Run.create_empty(1)

    def create_message(self, *args: object, **kwargs: object) -> Message:
        raise NotImplementedError

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        raise NotImplementedError


def _answer(message: Message) -> RecordDict:
    kinds = {one.type: one for one in (messages.Hello, messages.Summarise, messages.Retrain)}
    asked, node = decode(message.content, kinds[message.metadata.message_type]), message.metadata.dst_node_id
    head = {"run": asked.run, "seed": asked.seed, "silo": f"silo-{node}"}
    if isinstance(asked, messages.Hello):
        return encode(messages.HelloReply(**head, columns=COLUMNS, rows_at_least=1000))
    if isinstance(asked, messages.Summarise):
        space = FeatureMap.from_arrays(asked.part("features")).space(asked.seed)
        own = stream(node % 20, "bench").normal(size=(ROWS, COLUMNS))
        arrays = summarise(own, asked.reference, space).arrays() if node < 20 else _known[node % 20]
        _known[node % 20] = arrays
        told = {"reference": asked.reference, "privacy": asked.privacy, "noise": "none"}
        return encode(messages.SummariseReply(**head, **told, arrays=arrays))
    count = METRICS * (asked.stop - asked.start + 1)
    arrays = {
        "generations": np.repeat(np.arange(asked.start, asked.stop + 1.0), METRICS),
        "metrics": np.arange(count) % float(METRICS),
        "values": np.full(count, 0.5),
    }
    span = {"arm": asked.arm.name, "start": asked.start, "stop": asked.stop}
    names = tuple(f"mode_share/{number}" for number in range(METRICS))
    return encode(messages.RetrainReply(**head, **span, names=names, arrays=arrays))


_known: dict[int, dict[str, np.ndarray]] = {}
"""Summaries of the first twenty silos; the others say the same."""


def server_alone(silos: int) -> dict[str, float]:
    """Return the server's processor seconds: questions, checks, weaving, and its files."""
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 1, 1
    config = experiment(silos, None) | {"generator": {"kind": "gaussian"}}
    identity = FeatureMap(np.zeros(COLUMNS), np.eye(COLUMNS), np.zeros(COLUMNS), 1.0)
    base = {"mean": np.zeros(COLUMNS), "covariance": np.eye(COLUMNS)}
    kit = PublicKit(identity, base, stream(0, "public").normal(size=(500, COLUMNS)))
    with tempfile.TemporaryDirectory() as place:
        grid, record = Prompt(silos), Record(Path(place))
        begun = time.process_time()
        run_seed(Federation(grid, Experiment.model_validate(config), "bench", record), 0, kit)
        record.close()
        return {"silos": silos, "seconds": time.process_time() - begun - grid.seconds}


def server_by_silos() -> dict[str, object]:
    """Return the quickest of nine for each number of silos, and the exponent: neighbours only add.

    All numbers take their turns, as a machine is slower for half a minute and then quicker again.
    """
    server_alone(50)  # imports and caches
    turns = [[server_alone(silos) for silos in (125, 250, 500, 1000, 2000)] for _ in range(9)]
    best = [min(found, key=lambda one: one["seconds"]) for found in zip(*turns, strict=True)]
    logs = np.log([(one["silos"], one["seconds"]) for one in best])
    return {"runs": best, "exponent": float(np.polyfit(*logs.T, 1)[0])}


def files(rows: int) -> dict[str, float]:
    """Return the seconds to write rows of metrics and to read them as a table, and the file's MiB."""
    values = {f"metric_{number}": number / 7.0 for number in range(METRICS)}
    with tempfile.TemporaryDirectory() as place:
        journal, begun = Journal(Path(place) / "metrics.jsonl"), time.process_time()
        for number in range(rows):
            head = {"arm": f"arm-{number % 2}", "seed": 0, "silo": f"silo-{number // 2 % 1000}"}
            journal.append({**head, "generation": number // 2000, **values})
        journal.close()
        wrote, size = time.process_time() - begun, journal.path.stat().st_size / 2**20
        begun = time.process_time()
        table = measurements(MetricRows.read(journal.path))
        read = time.process_time() - begun
        begun = time.process_time()
        table.curve("arm-0", "metric_3")
        one = time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {"write": wrote, "read": read, "a curve": one, "file MiB": size, "peak MiB": peak}
    return {"rows": rows, **told}


def main() -> None:
    """Measure what is asked for and add it to the file."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("out", type=Path)
    asked.add_argument("--silos", type=int, nargs="*", default=[])
    asked.add_argument("--sample", type=int)
    asked.add_argument("--engine", default="in-process")
    asked.add_argument("--workers", type=int, default=2)
    asked.add_argument("--server", action="store_true")
    asked.add_argument("--files", action="store_true")
    given = asked.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    kept = json.loads(given.out.read_text()) if given.out.exists() else {}
    if given.server:
        kept["server"] = server_by_silos()
        print(kept["server"], flush=True)  # noqa: T201 - what a benchmark is for
    if given.files:
        kept["files"] = files(10**6)
        print(kept["files"], flush=True)  # noqa: T201
    options = ["--engine", given.engine]
    options += ["--workers", str(given.workers)] if given.engine == "in-process" else []
    for silos in given.silos:
        kept.setdefault("runs", []).append(whole_run(silos, given.sample, options))
        print(kept["runs"][-1], flush=True)  # noqa: T201
        given.out.write_text(json.dumps(kept, indent=1))
    given.out.write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
