"""Whatever silences a checker or a test says why."""

from __future__ import annotations

import ast
import io
import re
import tokenize

import pytest

from tests.structure import tree

LINT = re.compile(r"#\s*(?:ruff:\s*)?noqa\b(?P<codes>:\s*[A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*)?")
TYPES = re.compile(r"#\s*type:\s*ignore(?P<codes>\[[\w, -]+\])?")
SHORTEST_REASON = 7  # letters; shorter ones say nothing
MARKS = {"skip", "skipif", "xfail"}
CALLS = {"skip", "xfail", "importorskip"}


def is_reason(text: str) -> bool:
    return len(re.findall(r"[^\W\d_]", text)) >= SHORTEST_REASON


def bare_comments(source: str) -> list[str]:
    """Find comments that silence ruff or mypy for no stated rule or without a reason."""
    found = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        suppressions = [*LINT.finditer(token.string), *TYPES.finditer(token.string)]
        words = TYPES.sub("", LINT.sub("", token.string))
        if suppressions and not (all(one["codes"] for one in suppressions) and is_reason(words)):
            found.append(f"{token.start[0]}: {token.string}")
    return found


def is_pytest_mark(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in MARKS and ast.unparse(node.value) == "pytest.mark"


def has_reason(call: ast.Call, first_argument_is_one: bool) -> bool:
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    reason = given.get("reason") or given.get("msg")
    if reason is None and first_argument_is_one and call.args:
        reason = call.args[0]
    if isinstance(reason, ast.Constant):
        return isinstance(reason.value, str) and is_reason(reason.value)
    return reason is not None


def bare_skips(source: str) -> list[str]:
    """Find tests that are skipped or expected to fail without a reason."""
    module = ast.parse(source)
    calls = [node for node in ast.walk(module) if isinstance(node, ast.Call)]
    called = {id(call.func) for call in calls}
    found = []
    for call in calls:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if is_pytest_mark(call.func):
            reasoned = has_reason(call, name == "skip")
        elif isinstance(call.func, ast.Attribute) and name in CALLS and ast.unparse(call.func.value) == "pytest":
            reasoned = has_reason(call, name != "importorskip")
        else:
            continue
        if not reasoned:
            found.append(f"{call.lineno}: {ast.unparse(call)}")
    found.extend(
        f"{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute) and is_pytest_mark(node) and id(node) not in called
    )
    return found


def test_every_silenced_check_says_why() -> None:
    found = [
        f"{tree.shown(path)}:{comment}"
        for path in tree.code_files()
        if path.suffix in {".py", ".pyi"}
        for comment in bare_comments(path.read_text())
    ]
    assert found == []


def test_every_skipped_test_says_why() -> None:
    found = [
        f"{tree.shown(path)}:{skip}"
        for path in tree.code_files()
        if path.suffix == ".py"
        for skip in bare_skips(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    ("line", "is_bare"),
    [
        ("x = 1  # noqa", True),
        ("x = 1  # noqa: E501", True),
        ("x = 1  # noqa: E501, ARG001  ", True),
        ("x = 1  # noqa: the rule is not named", True),
        ("x = 1  # type: ignore", True),
        ("x = 1  # type: ignore[attr-defined]", True),
        ("x = 1  # type: ignore  # for a reason without a code", True),
        ("x = 1  # type: ignore[misc]  # noqa: E501", True),
        ("# ruff: noqa: INP001", True),
        ("x = 1  # noqa: E501, ARG001  asyncio's signature", False),
        ("x = 1  # noqa: E501 -- asyncio's signature", False),
        ("x = 1  # noqa: E501  # asyncio's signature", False),
        ("x = 1  # type: ignore[misc]  # noqa: E501  asyncio's signature", False),
        ("x = 1  # type: ignore[attr-defined, misc]  # a getset descriptor", False),
        ("x = '# noqa'", False),
    ],
)
def test_bare_comments_are_found(line: str, is_bare: bool) -> None:
    assert bool(bare_comments(line + "\n")) is is_bare


@pytest.mark.parametrize(
    ("line", "is_bare"),
    [
        ("mark = pytest.mark.skip", True),
        ("mark = pytest.mark.skip()", True),
        ("mark = pytest.mark.skipif(condition)", True),
        ("mark = pytest.mark.xfail(strict=True)", True),
        ("mark = pytest.mark.xfail(reason='')", True),
        ("pytest.skip()", True),
        ("pytest.importorskip('redis')", True),
        ("mark = pytest.mark.skip('the kernel has no such call')", False),
        ("mark = pytest.mark.skipif(condition, reason='Linux alone has it')", False),
        ("mark = pytest.mark.xfail(reason=WHY)", False),
        ("pytest.skip(f'no {server} installed')", False),
        ("pytest.importorskip('redis', reason='the client is not installed')", False),
        ("itertools.skip()", False),
    ],
)
def test_bare_skips_are_found(line: str, is_bare: bool) -> None:
    assert bool(bare_skips(line)) is is_bare
