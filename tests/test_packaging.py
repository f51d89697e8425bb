"""The build's hand-kept lists agree with the folders, so that no wheel leaves a package behind."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = {"router": "turnout", "providers": "turnout.providers", "config": "turnout.config"}


def setuptools_settings() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    settings: dict[str, Any] = project["tool"]["setuptools"]
    return settings


def test_every_folder_with_an_init_is_listed_as_a_package() -> None:
    found = {
        ".".join([name, *init.parent.relative_to(ROOT / folder).parts])
        for folder, name in FOLDERS.items()
        for init in (ROOT / folder).rglob("__init__.py")
    }
    assert found == set(setuptools_settings()["packages"])


def test_the_package_mapping_names_the_three_folders() -> None:
    assert setuptools_settings()["package-dir"] == {name: folder for folder, name in FOLDERS.items()}


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_folder_says_that_it_is_typed(folder: str) -> None:
    assert (ROOT / folder / "py.typed").is_file()
