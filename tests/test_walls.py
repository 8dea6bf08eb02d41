"""The size walls hold in this project, and each of them can fail."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tools.walls import find_faults, project_files

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., list[str]]:
    """Check a project of these files, keyword = module of the package ``src/peerix``."""

    def check_files(**sources: str) -> list[str]:
        files: list[Path] = []
        for name, text in sources.items():
            path = tmp_path / "src" / "peerix" / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            files.append(path)
        return find_faults(tmp_path, files)

    return check_files


def assignments(first: int, count: int) -> str:
    return "".join(f"        self.a{number} = 0\n" for number in range(first, first + count))


def test_this_project_is_within_its_walls() -> None:
    root = Path(__file__).resolve().parent.parent
    assert find_faults(root, project_files(root)) == []


def test_a_module_of_500_lines_passes(check: Callable[..., list[str]]) -> None:
    assert check(a="x = 1\n" * 500) == []


def test_a_module_of_501_lines_is_too_long(check: Callable[..., list[str]]) -> None:
    assert "501 lines" in check(a="x = 1\n" * 501)[0]


def test_a_function_of_60_lines_passes(check: Callable[..., list[str]]) -> None:
    assert check(a="def f():\n" + "    x = 1\n" * 59) == []


@pytest.mark.parametrize("keyword", ["def", "async def"])
def test_a_function_of_61_lines_is_too_long(check: Callable[..., list[str]], keyword: str) -> None:
    assert "f has 61 lines" in check(a=f"{keyword} f():\n" + "    x = 1\n" * 60)[0]


def test_a_class_of_12_attributes_passes(check: Callable[..., list[str]]) -> None:
    assert check(a="class A:\n    def __init__(self):\n" + assignments(0, 12)) == []


def test_a_class_of_13_attributes_is_too_large(check: Callable[..., list[str]]) -> None:
    assert "peerix.a.A has 13" in check(a="class A:\n    def __init__(self):\n" + assignments(0, 13))[0]


def test_attributes_first_assigned_in_other_methods_count(check: Callable[..., list[str]]) -> None:
    body = "class A:\n    def f(self):\n" + assignments(0, 7) + "    async def g(self):\n" + assignments(7, 6)
    assert "has 13" in check(a=body)[0]


def test_annotated_fields_count(check: Callable[..., list[str]]) -> None:
    body = "class A:\n" + "".join(f"    a{number}: int\n" for number in range(13))
    assert "has 13" in check(a=body)[0]


def test_class_variables_do_not_count(check: Callable[..., list[str]]) -> None:
    body = "class A:\n    limit: ClassVar[int] = 1\n" + "".join(f"    a{number}: int\n" for number in range(12))
    assert check(a=body) == []


def test_slots_count(check: Callable[..., list[str]]) -> None:
    assert "has 13" in check(a=f"class A:\n    __slots__ = {tuple(f's{number}' for number in range(13))}\n")[0]


def test_property_setters_do_not_count(check: Callable[..., list[str]]) -> None:
    body = (
        "class A:\n    def __init__(self):\n"
        + assignments(0, 12)
        + "        self.b = 0\n    @property\n    def b(self):\n        return 1\n"
        + "    @b.setter\n    def b(self, value):\n        pass\n"
    )
    assert check(a=body) == []


@pytest.mark.parametrize(
    "imports_and_base",
    [
        ("from peerix.a import A", "A"),
        ("from peerix.a import A as Base", "Base"),
        ("from .a import A", "A"),
        ("import peerix.a", "peerix.a.A"),
        ("import peerix.a as a", "a.A"),
        ("from peerix.a import A", "A[int]"),
        ("from peerix import A", "A"),
    ],
)
def test_attributes_of_bases_in_other_modules_count(
    check: Callable[..., list[str]], imports_and_base: tuple[str, str]
) -> None:
    imports, base = imports_and_base
    faults = check(
        a="class A:\n    def __init__(self):\n" + assignments(0, 7),
        b=f"{imports}\nclass B({base}):\n    def __init__(self):\n" + assignments(7, 6),
    )
    assert len(faults) == 1
    assert "peerix.b.B has 13" in faults[0]


def test_an_attribute_that_base_and_subclass_share_counts_once(check: Callable[..., list[str]]) -> None:
    a = "class A:\n    def __init__(self):\n" + assignments(0, 8)
    assert check(a=a, b="from .a import A\nclass B(A):\n    def f(self):\n" + assignments(4, 8)) == []


def test_a_typed_dict_has_as_many_keys_as_it_describes(check: Callable[..., list[str]]) -> None:
    body = "from typing import TypedDict\nclass A(TypedDict):\n"
    assert check(a=body + "".join(f"    a{number}: int\n" for number in range(20))) == []


@pytest.mark.parametrize("call", ["asyncio.create_task(x)", "loop.create_task(x)", "ensure_future(x)"])
def test_a_task_without_an_owner_is_found(check: Callable[..., list[str]], call: str) -> None:
    assert "without an owner" in check(a=f"{call}\n")[0]


def test_a_task_group_is_an_owner(check: Callable[..., list[str]]) -> None:
    assert check(a="anyio.create_task_group()\n") == []


@pytest.mark.parametrize("word", ["TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error"])
def test_unfinished_work_is_found(check: Callable[..., list[str]], word: str) -> None:
    assert f"unfinished: {word}" in check(a=f"x = 1  # {word}\n")[0]


def test_a_path_of_this_machine_is_found(check: Callable[..., list[str]], tmp_path: Path) -> None:
    assert "workplace" in check(a=f"x = '{tmp_path}/file'\n")[0]


def test_a_module_that_does_not_parse_is_found(check: Callable[..., list[str]]) -> None:
    assert "peerix/a.py:1" in check(a="def f(:\n")[0]
