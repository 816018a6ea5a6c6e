# SPDX-License-Identifier: Apache-2.0
"""An environment as ``make run`` makes it: tailweave and what its base dependencies ask for, nothing of dev.

Nothing is installed: its site-packages holds links to those distributions of this environment that a plain
``pip install .`` would bring, so that a dependency which only an extra names is missing there too.
"""

import sys
import tomllib
import venv
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[2]


def asked_for(roots: Iterable[str]) -> set[str]:
    """Return the names of all distributions that requirements lead to, extras as they are asked for."""
    found: set[tuple[str, str]] = set()
    waiting = [(line, "") for line in roots]
    while waiting:
        line, extra_of_parent = waiting.pop()
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": extra_of_parent}):
            continue
        for extra in ("", *wanted.extras):
            one = (canonicalize_name(wanted.name), extra)
            if one not in found:
                found.add(one)
                waiting += [(more, extra) for more in distribution(wanted.name).requires or []]
    return {name for name, _ in found}


def _inside(dist: Distribution) -> Iterator[PurePosixPath]:
    """A distribution's files in site-packages; its programs, which lie outside, are left out."""
    return (file for file in dist.files or [] if ".." not in file.parts)


def link(names: set[str], site: Path) -> None:
    """Link a folder as a whole, unless a distribution that is not among ``names`` has a part in it."""
    every = list(distributions())
    wanted = [dist for dist in every if canonicalize_name(dist.name) in names]
    shared = {p for dist in every if dist not in wanted for file in _inside(dist) for p in file.parents}
    for dist in wanted:
        for file in _inside(dist):
            path = next(p for p in (*reversed(file.parents), file) if p not in shared and p.name)
            if not (site / path).exists():
                (site / path).parent.mkdir(parents=True, exist_ok=True)
                (site / path).symlink_to(Path(str(dist.locate_file(path))))


def make_run_environment(folder: Path) -> Path:
    """Return the folder of programs of an environment without dev's distributions."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = asked_for(project["dependencies"]) | {project["name"]}
    venv.create(folder, symlinks=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    link(names, folder / "lib" / version / "site-packages")
    for dist in map(distribution, sorted(names)):
        for program in dist.entry_points.select(group="console_scripts"):
            body = f"import sys\nfrom {program.module} import {program.attr}\nsys.exit({program.attr}())\n"
            script = folder / "bin" / program.name
            script.write_text(f"#!{folder}/bin/python\n{body}", encoding="utf-8")
            script.chmod(0o755)
    return folder / "bin"
