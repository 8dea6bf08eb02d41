"""What the machine lacks skips a test, and fails it with CI=true."""

from __future__ import annotations

import pytest

from tests.support.components import require_program


@pytest.mark.parametrize(("setting", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_program_is_named(
    monkeypatch: pytest.MonkeyPatch, setting: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", setting)
    with pytest.raises(outcome, match="nonesuch is not installed"):
        require_program("nonesuch")
