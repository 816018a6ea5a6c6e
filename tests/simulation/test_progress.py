# SPDX-License-Identifier: Apache-2.0
"""Progress: silent where no one looks, truthful where someone does, and never in the way of an error."""

import io
import json
import os
import threading
import time

import pytest
from rich.console import Console

from tailweave.clients.telling import TOLD
from tailweave.protocols.config.load import load_experiment
from tailweave.simulation.audience import Audience, on_console
from tailweave.simulation.progress import run_with_progress, seconds_since, told_on
from tailweave.simulation.run_folder import STATE

ROWS = [
    {"arm": "sliced", "seed": 0, "silo": "silo-0", "generation": g, "mode_share/grö\u2028ße": 0.5}
    for g in range(4)
]


@pytest.fixture
def experiment(tiny):
    return load_experiment(tiny())


def terminal(file: io.StringIO) -> Audience:
    return on_console(Console(file=file, force_terminal=True, width=100))


def no_terminal(file: io.StringIO) -> Audience:
    return on_console(Console(file=file))


def write(path, rows) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def test_nothing_is_printed_where_no_terminal_is(experiment, tmp_path):
    file, threads = io.StringIO(), []
    run_with_progress(
        lambda: threads.append(threading.current_thread()), experiment, tmp_path / "m", no_terminal(file)
    )
    assert file.getvalue() == ""
    assert threads == [threading.main_thread()]


def test_a_terminal_sees_rows_out_of_all_rows(experiment, tmp_path):
    file = io.StringIO()

    def work() -> None:
        write(tmp_path / "m", ROWS)
        time.sleep(0.5)

    run_with_progress(work, experiment, tmp_path / "m", terminal(file))
    assert "greeting silos" in file.getvalue() or "seed 0 sliced generation 3" in file.getvalue()
    assert "seed 0 sliced generation 3" in file.getvalue()
    assert "4/96" in file.getvalue()  # 4 arms x 2 seeds x 3 silos x 4 generations


def test_a_line_that_is_half_written_is_left_for_the_next_look(experiment, tmp_path):
    file = io.StringIO()
    whole = json.dumps(ROWS[1], ensure_ascii=False).encode() + b"\n"

    def work() -> None:
        with (tmp_path / "m").open("ab", buffering=0) as metrics:
            for cut in range(len(whole)):  # also inside a character of two bytes
                metrics.write(whole[cut : cut + 1])
                time.sleep(0.004)
        time.sleep(0.5)

    run_with_progress(work, experiment, tmp_path / "m", terminal(file))
    assert "seed 0 sliced generation 1" in file.getvalue()
    assert "1/96" in file.getvalue()


def test_a_torn_character_at_the_end_is_left_for_the_next_look(experiment, tmp_path):
    (tmp_path / "m").write_bytes('{"arm": "grö'.encode()[:-1])
    run_with_progress(lambda: time.sleep(0.3), experiment, tmp_path / "m", terminal(io.StringIO()))


@pytest.mark.parametrize("shown", [False, True])
def test_what_the_work_raises_is_raised(experiment, tmp_path, shown):
    audience = (terminal if shown else no_terminal)(io.StringIO())

    def fail() -> None:
        raise ValueError("no luck")

    with pytest.raises(ValueError, match="no luck"):
        run_with_progress(fail, experiment, tmp_path / "m", audience)


@pytest.mark.parametrize(
    ("ago", "words"), [(0.0, "0.0 s"), (59.0, "59.0 s"), (61.0, "1 min 1 s"), (3600.0, "60 min 0 s")]
)
def test_durations_are_in_words(ago, words):
    assert seconds_since(time.monotonic() - ago) == words


def test_a_terminal_sees_how_far_the_training_that_told_last_is(experiment, tmp_path):
    file = io.StringIO()
    folders = [tmp_path / STATE / "run" / "seed-0" / "silo-1" / arm for arm in ("siloed", "sliced")]
    for age, folder in enumerate(folders):
        folder.mkdir(parents=True)
        (folder / TOLD).write_text(json.dumps({"done": 7 + age, "total": 20}))
        os.utime(folder / TOLD, (1e9 + age, 1e9 + age))
    run_with_progress(lambda: time.sleep(0.5), experiment, tmp_path / "m", terminal(file))
    assert "silo-1 sliced step 8 of 20" in file.getvalue()
    assert "siloed" not in file.getvalue()


def test_a_file_that_is_no_step_is_not_shown(experiment, tmp_path):
    folder = tmp_path / STATE / "run" / "seed-0" / "silo-1" / "siloed"
    folder.mkdir(parents=True)
    (folder / TOLD).write_text('{"done": ')
    run_with_progress(lambda: time.sleep(0.3), experiment, tmp_path / "m", terminal(io.StringIO()))


def test_steps_of_a_base_are_shown_on_a_terminal_only():
    file = io.StringIO()
    with told_on(terminal(file), "fitting the base") as tell:
        tell(3, 40)
        time.sleep(0.3)
    assert "fitting the base" in file.getvalue()
    assert "3/40" in file.getvalue()
    with told_on(no_terminal(io.StringIO()), "fitting the base") as tell:
        assert tell is None
