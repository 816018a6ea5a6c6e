# SPDX-License-Identifier: Apache-2.0
"""Python's own documentation: what is read of a small library, and silos by area of the real one."""

import inspect
import sched
import sys
import sysconfig
from collections import Counter
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from tailweave.clients.data import python_docs
from tailweave.clients.data.python_areas import MODULES
from tailweave.clients.data.python_docs import area_passages
from tailweave.clients.data.silo import check_silo_size, simulated_world
from tailweave.clients.data.sources import load_rows
from tailweave.clients.samples import TEXT, DataError, Samples
from tailweave.protocols.config.data import PublicSpec, SilosSpec
from tailweave.protocols.config.load import ConfigError, load_experiment
from tailweave.protocols.kinds.sources.python_docs import Area, PythonDocs

QUICK = PythonDocs(source="python-docs", groups=("language", "gui"))
SOURCE = '''"""The module says what it is for."""
import no_such_module

raise SystemExit("a module must never run")


class Window:
    """A window that %s opens for its user."""

    if True:

        async def close(self):
            """Close it, and all that belongs to it, at once."""

    match 1:
        case _:
            def move(self):
                """Move it to where it is wanted by others."""
    quiet = lambda: """Not a docstring, but a string within."""


def window():
    """Close it, and all that belongs to it, at once."""
'''


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library of which turtle, tkinter and curses are there, with what must not be read."""
    for name in (
        "turtle.py",
        "tkinter/__init__.py",
        "tkinter/dialog.py",
        "idlelib/idle_test/test_a.py",
        "tkinter/test/test_b.py",
        "site-packages/curses.py",
        "other.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(SOURCE % name)
    (tmp_path / "curses").mkdir()
    (tmp_path / "curses" / "old.py").write_text("print 'of Python 2'\n")
    (tmp_path / "curses" / "null.py").write_bytes(b"\0")
    return tmp_path


def test_docstrings_are_read_by_file_and_place_without_running_anything(library, monkeypatch):
    monkeypatch.setattr(python_docs, "FEWEST", 1)
    shared = [
        "The module says what it is for.",
        "A window that tkinter/__init__.py opens for its user.",
        "Close it, and all that belongs to it, at once.",
        "Move it to where it is wanted by others.",
    ]
    own = [f"A window that {name} opens for its user." for name in ("tkinter/dialog.py", "turtle.py")]
    assert area_passages("gui", 50, library) == (*shared, *own)
    assert "\n".join(area_passages("gui", 150, library)).count("Close it") == 1


def test_an_area_that_is_not_installed_is_named_with_the_remedy(library):
    with pytest.raises(
        DataError,
        match=rf"data.groups: gui has \d passages of about 50 characters in {library} .Python 3.*, allowed: "
        r"100 or more; choose groups without it, or fewer characters, or install tkinter .*python3-tk, idle",
    ):
        area_passages("gui", 50, library)
    with pytest.raises(DataError, match=r"net has 0 passages .* or fewer characters$"):
        area_passages("net", 50, library)


def test_a_python_without_its_help_is_named(monkeypatch, library):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(DataError, match="language has 0 passages"):
        area_passages("language", 300, library)


def test_every_area_has_its_modules_and_no_module_has_two():
    assert {"language", *MODULES} == set(get_args(Area))
    counts = Counter(name for names in MODULES.values() for name in names.split())
    assert set(counts.values()) == {1}


def test_the_real_library_gives_many_short_english_passages_alike_each_time():
    rows = load_rows(QUICK, seed=0)[0]
    texts = rows.values.tolist()
    assert rows.sort == TEXT
    assert len(set(texts)) == len(texts)
    assert set(rows.labels.tolist()) == {"language", "gui"}
    assert min(Counter(rows.labels.tolist()).values()) >= 900
    lengths = np.array([len(text) for text in texts])
    assert lengths.min() >= 100
    assert 250 <= np.median(lengths) <= 320
    joined = "\n".join(texts)
    for wanted in ("tkinter", "turtle", "comparison"):
        assert wanted in joined
    assert load_rows(QUICK, seed=1)[0].values.tolist() == texts
    again = area_passages("gui", 300, Path(sysconfig.get_path("stdlib")))
    assert again == tuple(text for text, area in zip(texts, rows.labels, strict=True) if area == "gui")


def test_docstrings_are_those_that_python_itself_shows():
    methods = filter(inspect.isfunction, vars(sched.scheduler).values())
    shown = set(map(inspect.getdoc, (sched, sched.scheduler, *methods))) - {None}
    assert len(shown) > 5
    assert shown <= set(python_docs._of_file(Path(inspect.getfile(sched))))


def world(**changes):
    silos = {"count": 2, "partition": {"kind": "by-class", "classes-per-silo": 1}, **changes}
    return simulated_world(
        QUICK, SilosSpec.model_validate(silos), PublicSpec(class_weights={"gui": 0.1}), seed=0
    )


def held(rows: Samples) -> Counter:
    return Counter(rows.labels.tolist())


def test_silos_are_cut_by_area_and_the_public_share_is_thinned():
    found = world()
    assert [set(held(silo.train)) for silo in found.silos] == [{"gui"}, {"language"}]
    assert held(found.public)["gui"] == round(0.1 * held(found.train)["gui"])
    assert held(found.public)["language"] == held(found.train)["language"]
    parts = [found.evaluation, *(part for silo in found.silos for part in (silo.train, silo.heldout))]
    texts = [text for part in parts for text in part.values.tolist()]
    assert len(set(texts)) == len(texts) == len(load_rows(QUICK, seed=0)[0])
    check_silo_size(found, 500)
    with pytest.raises(DataError, match=r"at least 5000 training rows, but silo-0 has \d+"):
        check_silo_size(found, 5000)


def test_a_dirichlet_shares_areas_between_silos():
    found = world(partition={"kind": "dirichlet", "alpha": 5.0})
    assert all(len(held(silo.train)) == 2 for silo in found.silos)
    with pytest.raises(
        DataError, match="partition by-quantile takes samples of sort numbers, image, table, got documents"
    ):
        world(partition={"kind": "by-quantile"})


def test_an_unknown_area_is_answered_with_the_nearest(tmp_path):
    (tmp_path / "a.yaml").write_text(
        "name: a\ndata: {source: python-docs, groups: [language, guy]}\n"
        "silos: {count: 2, partition: {kind: iid}}\ngenerator: {kind: gaussian}\n"
        "recursion: {generations: 1, samples: 10}\narms: [{name: a, rule: random}]\n"
    )
    with pytest.raises(
        ConfigError,
        match="data.groups.1: 'guy' is unknown; did you mean 'gui'. allowed: language, code, net, gui",
    ):
        load_experiment(tmp_path / "a.yaml")
