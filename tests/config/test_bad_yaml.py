"""A gallery of files that cannot be used: every problem at its exact line and column, in words that help.

Each file begins with what it must be told: `# expect: line:column: message`, with the file in front where an
included one is at fault.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from turnout.config.errors import ConfigError
from turnout.config.loading import load_settings

GALLERY = Path(__file__).parent.parent / "fixtures" / "bad_yaml"
FILES = sorted(GALLERY.glob("*.yaml"))
SECRET = "secret-from-env"
ENVIRONMENT = {
    "KEY": SECRET,
    "KEY_WITH_A_SPACE": f"sk {SECRET}",
    "NOT_A_DURATION": SECRET,
    "TWO_LINES": f"{SECRET}\nX-Injected: yes",
}
PRESETS = ("openai", "dashscope", "deepseek", "llama-cpp")
MARK = "# expect: "


def expected(file: Path) -> list[str]:
    """What the file says about itself, each with the name of the file in front."""
    lines = [
        line.removeprefix(MARK) for line in file.read_text("utf-8").splitlines() if line.startswith(MARK)
    ]
    return [f"{file.name}:{line}" if line[0].isdigit() else line for line in lines]


def test_the_gallery_is_large_enough_to_be_worth_visiting() -> None:
    assert len(FILES) >= 50


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_file_is_told_everything_that_is_wrong_with_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(GALLERY)
    with pytest.raises(ConfigError) as caught:
        load_settings(file.name, env=ENVIRONMENT, presets=PRESETS)
    assert [str(problem) for problem in caught.value.problems] == expected(file)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_column_points_at_the_first_letter_of_what_is_wrong(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(GALLERY)
    with pytest.raises(ConfigError) as caught:
        load_settings(file.name, env=ENVIRONMENT, presets=PRESETS)
    for problem in caught.value.problems:
        assert problem.file is not None
        assert problem.line is not None
        assert problem.column is not None
        line = Path(problem.file).read_text("utf-8").splitlines()[problem.line - 1]
        assert line[problem.column - 1 :].strip() or "house:" in line, problem
        assert problem.column == 1 or line[problem.column - 2] in " \t[{\"'}/", problem
