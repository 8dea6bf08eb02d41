"""The size walls: ``python -m tools.walls`` names each place that is over one, and fails.

Module 500 lines, function 60, class 12 attributes (its own and those of its bases in the project), no task
without an owner, nothing unfinished, no path of the machine on which the project was written.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

MODULE_LINES = 500
FUNCTION_LINES = 60
CLASS_ATTRIBUTES = 12

_UNOWNED_TASK = {"create_task", "ensure_future"}
_UNFINISHED = re.compile(
    r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error")) + r")\b"
)
_TEXT = {".py", ".md", ".toml", ".js", ".ts", ".yml", ".html", ".json", ".sh", ".txt", ""}
# A TypedDict describes a document of others (W3C's statistics), not the state of an object.
_STATELESS = {"TypedDict", "Protocol"}


@dataclass(slots=True)
class ClassFacts:
    """One class as written: its attributes and the names of its bases as far as imports tell them."""

    path: Path
    line: int
    attributes: set[str]
    bases: list[str]
    stateless: bool


@dataclass(slots=True)
class Project:
    """The Python files below ``root``, parsed, with their classes by full name."""

    root: Path
    nodes: dict[Path, list[ast.AST]] = field(default_factory=dict)
    classes: dict[str, ClassFacts] = field(default_factory=dict)

    def read(self, path: Path) -> None:
        """Parse a file and note its classes."""
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))))
        self.nodes[path] = nodes
        module = module_name(self.root, path)
        imports = imported_names(nodes, module, is_package=path.name == "__init__.py")
        for node in nodes:
            if isinstance(node, ast.ClassDef):
                bases = [full_name(base, imports, module) for base in node.bases]
                self.classes[f"{module}.{node.name}"] = ClassFacts(
                    path=path,
                    line=node.lineno,
                    attributes=own_attributes(node),
                    bases=bases,
                    stateless=any(base.rpartition(".")[2] in _STATELESS for base in bases),
                )

    def attributes(self, name: str) -> set[str]:
        """All attributes of the class ``name``, those of its bases in the project included."""
        facts = self.resolve(name)
        if facts is None:
            return set()
        return facts.attributes.union(*(self.attributes(base) for base in facts.bases if base != name))

    def resolve(self, name: str) -> ClassFacts | None:
        """Find a class by its full name, also where a package hands it on from one of its modules."""
        if name in self.classes:
            return self.classes[name]
        package, _, last = name.rpartition(".")
        candidates = [
            full for full in self.classes if package and full.startswith(f"{package}.") and full.endswith(f".{last}")
        ]
        return self.classes[candidates[0]] if len(candidates) == 1 else None


def module_name(root: Path, path: Path) -> str:
    """``src/peerix/rtc/port.py`` is ``peerix.rtc.port``."""
    parts = list(path.relative_to(root).with_suffix("").parts)
    if parts and parts[0] == "src":
        del parts[0]
    if parts and parts[-1] == "__init__":
        del parts[-1]
    return ".".join(parts)


def imported_names(nodes: list[ast.AST], module: str, *, is_package: bool) -> dict[str, str]:
    """Map each imported name to what it stands for."""
    names: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            names.update(
                {(a.asname or a.name.split(".")[0]): (a.name if a.asname else a.name.split(".")[0]) for a in node.names}
            )
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                parts = module.split(".")
                kept = len(parts) - node.level + is_package
                source = ".".join([*parts[:kept], *([node.module] if node.module else [])])
            names.update({(a.asname or a.name): f"{source}.{a.name}" for a in node.names})
    return names


def full_name(base: ast.expr, imports: dict[str, str], module: str) -> str:
    """Name a base class in full, ``Base[int]`` as ``Base``."""
    if isinstance(base, ast.Subscript):
        base = base.value
    first, _, rest = ast.unparse(base).partition(".")
    known = imports.get(first, f"{module}.{first}")
    return f"{known}.{rest}" if rest else known


def own_attributes(node: ast.ClassDef) -> set[str]:
    """Names that instances hold: annotated fields, ``__slots__``, and what methods assign to self."""
    found: set[str] = set()
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            if "ClassVar" not in ast.unparse(item.annotation):
                found.add(item.target.id)
        elif isinstance(item, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == "__slots__" for t in item.targets
        ):
            found.update(slot_names(item.value))
        elif isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
            found |= assigned_to_self(item)
    setters = {item.name for item in node.body if isinstance(item, ast.FunctionDef) and is_setter(item)}
    return found - setters - {"__dict__", "__weakref__"}


def slot_names(value: ast.expr) -> set[str]:
    """Read the strings in a literal ``__slots__``."""
    return {c.value for c in ast.walk(value) if isinstance(c, ast.Constant) and isinstance(c.value, str)}


def is_setter(function: ast.FunctionDef) -> bool:
    """Tell whether ``self.name = ...`` calls this function and adds no attribute."""
    return any(isinstance(d, ast.Attribute) and d.attr == "setter" for d in function.decorator_list)


def assigned_to_self(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Names that the method assigns to its first parameter."""
    parameters = [*function.args.posonlyargs, *function.args.args]
    if not parameters or any(
        isinstance(d, ast.Name) and d.id in {"classmethod", "staticmethod"} for d in function.decorator_list
    ):
        return set()
    return {
        node.attr
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == parameters[0].arg
    }


def size_faults(project: Project) -> list[str]:
    """Modules, functions and classes over their wall."""
    faults: list[str] = []
    for path, nodes in project.nodes.items():
        name = path.relative_to(project.root)
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > MODULE_LINES:
            faults.append(f"{name}: {lines} lines, the wall is {MODULE_LINES}")
        for node in nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES:
                    faults.append(f"{name}:{node.lineno}: {node.name} has {length} lines, the wall is {FUNCTION_LINES}")
    for full, facts in project.classes.items():
        attributes = project.attributes(full)
        if len(attributes) > CLASS_ATTRIBUTES and not facts.stateless:
            where = f"{facts.path.relative_to(project.root)}:{facts.line}"
            listed = ", ".join(sorted(attributes))
            faults.append(f"{where}: {full} has {len(attributes)} attributes, the wall is {CLASS_ATTRIBUTES}: {listed}")
    return faults


def ownership_faults(project: Project) -> list[str]:
    """Tasks without an owner and unfinished work, in the library itself."""
    faults: list[str] = []
    for path, nodes in project.nodes.items():
        name = path.relative_to(project.root)
        if name.parts[0] != "src":
            continue
        for node in nodes:
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func).rpartition(".")[2]
                if called in _UNOWNED_TASK:
                    faults.append(f"{name}:{node.lineno}: {called} makes a task without an owner")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if match := _UNFINISHED.search(line):
                faults.append(f"{name}:{number}: unfinished: {match[0]}")
    return faults


def path_faults(root: Path, files: list[Path]) -> list[str]:
    """Mentions of places that exist only on the machine where this runs."""
    outside = {Path("/"), Path("/tmp"), Path("/home"), Path(tempfile.gettempdir()).resolve()}
    places = [f"{place}/" for place in {root, root.parent, Path.home()} - outside]
    places.append("../" + "shared")
    faults: list[str] = []
    for path in files:
        if path.suffix not in _TEXT:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        faults += [f"{path.relative_to(root)}: a path of this workplace ({p})" for p in places if p in text]
    return faults


def find_faults(root: Path, files: list[Path]) -> list[str]:
    """Check the given files of the project at ``root``."""
    project = Project(root)
    broken: list[str] = []
    for path in files:
        if path.suffix == ".py":
            try:
                project.read(path)
            except SyntaxError as error:
                broken.append(f"{path.relative_to(root)}:{error.lineno}: {error.msg}")
    return [*broken, *size_faults(project), *ownership_faults(project), *path_faults(root, files)]


def project_files(root: Path) -> list[Path]:
    """The files that git knows, and those it would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listing = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    return [root / name for name in listing.split("\0") if name and (root / name).is_file()]


def main() -> int:
    """Print the faults of this project; the exit code is 1 when there is one."""
    root = Path(__file__).resolve().parent.parent
    faults = find_faults(root, project_files(root))
    print("\n".join(faults) or "size walls: kept")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
