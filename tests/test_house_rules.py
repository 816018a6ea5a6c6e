# SPDX-License-Identifier: Apache-2.0
"""The house rules that a machine can hold: sizes, import directions, errors and docstrings of the product."""

import ast
import tomllib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("protocols", "clients", "server", "simulation", "tailweave")
MAY_IMPORT = {
    "protocols": {"protocols"},
    "clients": {"clients", "protocols"},
    "server": {"server", "protocols"},
    "simulation": {"simulation", "server", "clients", "protocols"},
    "tailweave": {
        "experiments",
        "inspecting",
        "rows",
        "runs",
        "scoring",
        "selection",
        "simulation",
        "server",
        "clients",
        "protocols",
    },
}
FLOWER = {
    "clients/app.py",
    "server/app.py",
    "server/exchange.py",  # the Grid
    "server/federation.py",  # the Message
    "server/questions.py",  # the Message
    "server/fedavg.py",  # the strategy
    "protocols/records.py",
    "simulation/deploy/app_process.py",  # a node's ClientApp process
    "simulation/deploy/app_executor.py",  # what starts it
    "simulation/deploy/door_proof.py",  # a node's Runtime API
    "simulation/deploy/foreign_app.py",  # a bundle as Flower builds it
}
API = {
    "Experiment",
    "Reference",
    "Run",
    "RunFailed",
    "compare",
    "inspect",
    "load",
    "open_run",
    "run",
    "score",
    "select",
}
GRPC = {"grpc", "grpc_health", "grpc_reflection"}
GRPC_FOLDERS = ("clients/service/", "simulation/deploy/")
HEAVY = {"torch", "transformers", "diffusers"}
NOT_IN_PROTOCOLS = {*HEAVY, "matplotlib"}
EMPTY_NAMES = {"utils", "util", "common", "misc", "helpers", "helper"}
MAX_LINES, MAX_BODY, MAX_ARGUMENTS = 300, 50, 6
SPDX = "# SPDX-License-Identifier: Apache-2.0"

Function = ast.FunctionDef | ast.AsyncFunctionDef
Rule = Callable[[str, str, ast.Module], Iterator[str]]


def functions(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def imports(tree: ast.AST) -> Iterator[str]:
    """Full names of what is imported anywhere; of a relative import, what stands behind the dots."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "tailweave":
            yield from (f"tailweave.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield f"{'.' * node.level}{node.module or ''}"


def on_import(node: ast.AST) -> Iterator[ast.AST]:
    """Statements that run when the module is imported: not in functions, not for type checkers only."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            yield from (inner for part in child.orelse for inner in (part, *on_import(part)))
            continue
        yield child
        yield from on_import(child)


def excused(source: str, line: int, code: str) -> bool:
    """Rule 12: a local ignore is allowed when it gives its reason."""
    return f"# noqa: {code} - " in source.splitlines()[line - 1]


def licence_first(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    if not source.startswith(SPDX + "\n"):
        yield f"first line must be {SPDX!r}"


def short_files(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    lines = len(source.splitlines())
    if lines > MAX_LINES:
        yield f"file has {lines} lines"


def telling_names(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    if EMPTY_NAMES & set(Path(path).with_suffix("").parts):
        yield "name says nothing"


def directions(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    package = path.split("/")[0]
    for name in imports(tree):
        root, *inner = name.split(".")
        if name.startswith(".") or (root == "tailweave" and inner and inner[0] not in MAY_IMPORT[package]):
            yield f"{package} imports {'.'.join(inner) or name}"
        if root in PACKAGES and root != "tailweave":
            yield f"imports the folder {root}, which is tailweave.{root}"
        if package == "protocols" and root in NOT_IN_PROTOCOLS:
            yield f"protocols imports {name}"
        if root in GRPC and not path.startswith(GRPC_FOLDERS):
            yield f"imports {name} outside the service"
        if root == "flwr" and path not in FLOWER and not path.startswith("simulation/engines/"):
            yield f"imports {name} outside the Flower modules"


def api_last(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    """Of ours only the command line uses the API: all else is below it."""
    if path == "simulation/cli.py":
        return
    for node in ast.walk(tree):
        used = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
        if used.removeprefix("tailweave.") in API and used.startswith("tailweave."):
            yield f"uses {used}"


def light_imports(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    for node in on_import(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (f"imports {n} on import" for n in imports(node) if n.split(".")[0] in HEAVY)


def _body_lines(function: Function) -> int:
    lines = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function) is not None:
        doc = function.body[0]
        lines -= (doc.end_lineno or 0) - doc.lineno + 1
    return lines


def short_functions(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    for function in functions(tree):
        if _body_lines(function) > MAX_BODY:
            yield f"{function.name} has {_body_lines(function)} lines"


def few_arguments(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    if path == "simulation/cli.py":  # typer: one parameter an option
        return
    for function in functions(tree):
        given = function.args
        every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
        names = [a.arg for a in every if a is not None and a.arg not in ("self", "cls")]
        if len(names) > MAX_ARGUMENTS and not excused(source, function.lineno, "PLR0913"):
            yield f"{function.name} has {len(names)} arguments"


def no_asserts(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    yield from (f"assert in line {n.lineno}" for n in ast.walk(tree) if isinstance(n, ast.Assert))


def no_swallowed_errors(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("suppress", "contextlib.suppress"):
            caught = ", ".join(map(ast.unparse, node.args))
        elif isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "BaseException"
            if all(isinstance(s, ast.Pass) or ast.unparse(s) == "..." for s in node.body):
                yield f"except {caught} in line {node.lineno} does nothing"
        else:
            continue
        kept = any(isinstance(n, ast.Raise) for n in ast.walk(node)) or excused(source, node.lineno, "BLE001")
        if {"Exception", "BaseException"} & {w.strip("() ") for w in caught.split(",")} and not kept:
            yield f"blind except in line {node.lineno}"


def _public(tree: ast.Module) -> Iterator[ast.ClassDef | Function]:
    """Public definitions of the module and public methods of public classes."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | Function) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                members = [m for m in node.body if isinstance(m, Function)]
                yield from (m for m in members if not m.name.startswith("_"))


def docstrings(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    if not ast.get_docstring(tree):
        yield "module has no docstring"
    yield from (f"{node.name} has no docstring" for node in _public(tree) if not ast.get_docstring(node))


def documented_raises(path: str, source: str, tree: ast.Module) -> Iterator[str]:
    if path == "simulation/cli.py":  # its docstrings are the help texts, its exceptions exit codes
        return
    for node in _public(tree):
        if isinstance(node, Function):
            raises = any(isinstance(n, ast.Raise) and n.exc is not None for n in ast.walk(node))
            if raises and "raises" not in (ast.get_docstring(node) or "").lower():
                yield f"{node.name} raises what its docstring does not tell"


RULES: list[Rule] = [
    licence_first,
    short_files,
    telling_names,
    directions,
    api_last,
    light_imports,
    short_functions,
    few_arguments,
    no_asserts,
    no_swallowed_errors,
    docstrings,
    documented_raises,
]
GENERATED = {"selection_pb2.py", "selection_pb2_grpc.py"}
FILES = sorted(
    path
    for package in PACKAGES
    for path in (ROOT / package).glob("*.py" if package == "tailweave" else "**/*.py")
    if path.name not in GENERATED
)


parsed = lru_cache(maxsize=None)(ast.parse)  # once for all rules, which only look


def complaints(rule: Rule, path: str, source: str) -> list[str]:
    return [f"{path}: {complaint}" for complaint in rule(path, source, parsed(source))]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_product_keeps(rule):
    found = [
        complaint
        for path in FILES
        for complaint in complaints(rule, path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_all_packages_are_looked_at():
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(PACKAGES)
    assert len(FILES) > 80


def test_coverage_measures_every_file():
    """It follows links, so the package with its links in it would be a twentieth of the product to it."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["coverage"]
    folders = [(ROOT / source).resolve() for source in settings["run"]["source"]]
    assert [str(p) for p in FILES if not any(p.resolve().is_relative_to(f) for f in folders)] == []
    assert settings["report"]["fail_under"] >= 90


def test_tests_carry_the_licence_and_differ_in_name():
    tests = sorted((ROOT / "tests").rglob("*.py"))
    assert [str(p) for p in tests if not p.read_text(encoding="utf-8").startswith(SPDX + "\n")] == []
    names = [p.name for p in tests if p.name != "conftest.py"]
    assert sorted({n for n in names if names.count(n) > 1}) == []  # folders of tests are no packages
    assert [str(p) for p in tests if p.name == "__init__.py"] == []


def _lines(count: int) -> str:
    return "".join(f"    x = {i}\n" for i in range(count))


BAD = [
    (licence_first, "clients/a.py", '"""Doc."""\n', "first line"),
    (licence_first, "clients/a.py", f"\n{SPDX}\n", "first line"),
    (short_files, "clients/a.py", "x = 1\n" * 301, "301 lines"),
    (telling_names, "clients/utils.py", "", "says nothing"),
    (telling_names, "server/common/a.py", "", "says nothing"),
    (directions, "protocols/a.py", "import tailweave.clients.app", "protocols imports clients.app"),
    (directions, "protocols/a.py", "def f():\n    from matplotlib import pyplot", "imports matplotlib"),
    (directions, "protocols/a.py", "def f():\n    import torch", "imports torch"),
    (directions, "clients/a.py", "from tailweave.server.rounds import x", "clients imports server.rounds"),
    (directions, "server/a.py", "def f():\n    from tailweave.clients import x", "server imports clients"),
    (
        directions,
        "server/a.py",
        "if TYPE_CHECKING:\n    from tailweave import clients",
        "server imports clients",
    ),
    (directions, "server/a.py", "import tailweave.simulation", "server imports simulation"),
    (directions, "server/a.py", "import clients", "the folder clients"),
    (api_last, "simulation/run.py", "import tailweave\ntailweave.load(x)", "uses tailweave.load"),
    (directions, "simulation/cli.py", "from tailweave import runs", "simulation imports runs"),
    (directions, "clients/a.py", "from . import b", "imports"),
    (directions, "clients/node.py", "from flwr.app import Context", "outside the Flower modules"),
    (directions, "simulation/run.py", "import flwr", "outside the Flower modules"),
    (directions, "clients/app.py", "def f():\n    import grpc", "outside the service"),
    (directions, "simulation/serve_command.py", "from grpc_health.v1 import health", "outside the service"),
    (light_imports, "clients/a.py", "import numpy, torch.nn", "imports torch.nn"),
    (light_imports, "clients/a.py", "class A:\n    from diffusers import x", "imports diffusers"),
    (
        light_imports,
        "clients/a.py",
        "try:\n    import transformers\nexcept ImportError:\n    x = 1",
        "transformers",
    ),
    (light_imports, "clients/a.py", "if TYPE_CHECKING:\n    x = 1\nelse:\n    import torch", "imports torch"),
    (short_functions, "clients/a.py", f'def f():\n    """Doc."""\n{_lines(50)}', "f has 51 lines"),
    (few_arguments, "clients/a.py", "def f(a, b, c, *d, e, f, **g): ...", "f has 7 arguments"),
    (few_arguments, "clients/a.py", "class A:\n    def f(self, a, b, c, d, e, f, g): ...", "7 arguments"),
    (few_arguments, "clients/a.py", "def f(a, b, c, d, e, f, g): ...  # noqa: PLR0913", "7 arguments"),
    (no_asserts, "clients/a.py", "def f():\n    assert True", "assert in line 2"),
    (no_swallowed_errors, "clients/a.py", "try:\n    f()\nexcept:\n    log()", "blind except"),
    (
        no_swallowed_errors,
        "clients/a.py",
        "try:\n    f()\nexcept (OSError, Exception):\n    log()",
        "blind except",
    ),
    (
        no_swallowed_errors,
        "clients/a.py",
        "try:\n    f()\nexcept OSError:\n    pass",
        "OSError in line 3 does nothing",
    ),
    (no_swallowed_errors, "clients/a.py", "with suppress(Exception):\n    f()", "blind except"),
    (docstrings, "clients/a.py", "x = 1", "module has no docstring"),
    (docstrings, "clients/a.py", '"""Doc."""\ndef f(): ...', "f has no docstring"),
    (docstrings, "clients/a.py", '"""Doc."""\nclass A:\n    """Doc."""\n    def f(self): ...', "f has no"),
    (documented_raises, "clients/a.py", 'def f():\n    """Doc."""\n    raise ValueError("x")', "docstring"),
]
GOOD = [
    (short_files, "clients/a.py", "x = 1\n" * 300),
    (
        directions,
        "clients/a.py",
        "from tailweave.protocols.arrays import a\nfrom tailweave.clients import b",
    ),
    (
        directions,
        "simulation/engines/ray.py",
        "import flwr\nfrom tailweave import clients, server",
    ),
    (directions, "clients/service/calls.py", "import grpc"),
    (directions, "simulation/cli.py", "import tailweave"),
    (api_last, "simulation/cli.py", "import tailweave\ntailweave.load(x)"),
    (api_last, "simulation/deploy/code_door.py", "import tailweave\nx = tailweave.__file__"),
    (directions, "tailweave/runs.py", "from tailweave.experiments import load"),
    (light_imports, "clients/a.py", "def f():\n    import torch\nif TYPE_CHECKING:\n    import torch"),
    (short_functions, "clients/a.py", f'def f():\n    """Doc.\n\n    More.\n    """\n{_lines(49)}'),
    (few_arguments, "clients/a.py", "class A:\n    def f(self, a, b, c, d, e, f): ..."),
    (no_swallowed_errors, "clients/a.py", "try:\n    f()\nexcept Exception as e:\n    raise A from e"),
    (no_swallowed_errors, "clients/a.py", "with suppress(FileNotFoundError):\n    f()"),
    (
        no_swallowed_errors,
        "clients/a.py",
        "try:\n    f()\nexcept Exception:  # noqa: BLE001 - why\n    log()",
    ),
    (few_arguments, "clients/a.py", "def f(a, b, c, d, e, f, g): ...  # noqa: PLR0913 - why"),
    (docstrings, "clients/a.py", '"""Doc."""\ndef _f(): ...\nclass _A:\n    def f(self): ...'),
    (
        documented_raises,
        "clients/a.py",
        'def f():\n    """Doc.\n\n    Raises:\n        A: x\n    """\n    raise A',
    ),
]


@pytest.mark.parametrize(("rule", "path", "source", "message"), BAD)
def test_rules_see_what_breaks_them(rule, path, source, message):
    assert any(message in complaint for complaint in complaints(rule, path, source))


@pytest.mark.parametrize(("rule", "path", "source"), GOOD)
def test_rules_leave_good_code_alone(rule, path, source):
    assert complaints(rule, path, source) == []
