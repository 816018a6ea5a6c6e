# SPDX-License-Identifier: Apache-2.0
"""An arm that sees a silo's rows goes on with the rows that it began with, or not at all."""

from tailweave.clients.arm_run import ArmRun
from tailweave.clients.samples import DataError
from tailweave.protocols.whole_file import write_whole

_FILE = "rows.blake2b"


def check_same_rows(run: ArmRun) -> None:
    """Refuse to go on with an arm whose rows have changed since it began; its first question keeps a digest.

    An arm that sees no own rows is left alone: nothing that it does depends on them.

    Raises:
        DataError: If they have changed, with what to do. Of an arm whose numbers the owner keeps it comes to
            the owner alone, as all that fails there: whether rows have changed is private too.
    """
    if run.own_rows is None:
        return
    path, now = run.folder / _FILE, run.node.silo.digest
    if not path.exists():
        write_whole(path, now, mode=0o600, lasting=False)
    elif path.read_text(encoding="ascii") != now:
        raise DataError(
            f"the rows of {run.node.silo.name} have changed since arm {run.question.arm.name} began in this "
            f"run: put back the rows that it began with, or delete {run.folder} to begin the arm anew"
        )
