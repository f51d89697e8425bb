"""The way in: a YAML file, its text, or a mapping → Settings, or one ConfigError with everything wrong."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path as FilePath
from typing import Any

from pydantic import BaseModel, ValidationError

from .checking import check
from .documents import Document
from .environment import substitute
from .errors import ConfigError, Problem
from .findings import Finding, Path, spell
from .schema import json_schema
from .settings import Settings

__all__ = ["check_settings", "json_schema", "load_settings", "parse_settings"]


def load_settings(
    path: str | os.PathLike[str],
    *,
    env: Mapping[str, str] | None = None,
    presets: Collection[str] | None = None,
) -> Settings:
    """Settings out of a YAML file and the files it includes.

    `env` fills in `${NAME}`, by default the process's environment. `presets` are the names that providers may
    start from; without them names of presets are not checked. ConfigError lists every problem by its place.
    """
    from .including import read_file  # here, as below: settings given as a mapping need no YAML

    document = read_file(FilePath(path), env=os.environ if env is None else env)
    return _settings(document, presets)


def parse_settings(
    source: str | Mapping[str, Any],
    *,
    file: str | None = None,
    env: Mapping[str, str] | None = None,
    presets: Collection[str] | None = None,
) -> Settings:
    """Settings out of YAML text or a mapping.

    `file` is what errors call the text and what its includes are relative to. Problems in a mapping are told
    by their path, for there is no line to show. ConfigError as in `load_settings`.
    """
    env = os.environ if env is None else env
    if isinstance(source, str):
        from .including import read_text

        return _settings(read_text(source.removeprefix("\ufeff"), file=file, env=env), presets)
    return _settings(_read_mapping(source, env), presets)


def check_settings(settings: Settings, *, presets: Collection[str] | None = None) -> Settings:
    """`settings` made in Python, checked between its parts as a loaded file is; ConfigError."""
    _settings(Document(settings.model_dump(exclude_unset=True)), presets)
    return settings


def _settings(document: Document, presets: Collection[str] | None) -> Settings:
    value = {} if document.value is None else document.value
    settings, findings = None, []
    if not isinstance(value, Mapping):
        findings = [Finding((), "settings are a mapping with providers, routes, defaults and prices")]
    else:
        try:
            settings = Settings.model_validate(value)
        except ValidationError as error:
            from .explaining import explain  # here: most settings are right

            findings = explain(error, value)
        findings += check(value, presets=presets)
    if document.value is None and document.problems:
        findings = []
    problems = _sorted([*document.problems, *_problems(findings, document)])
    if problems or settings is None:
        raise ConfigError(problems)
    return settings


def _problems(findings: list[Finding], document: Document) -> list[Problem]:
    problems: list[Problem] = []
    for finding in findings:
        if any(finding.path[:length] in document.broken for length in range(len(finding.path) + 1)):
            continue  # its value could not be read, which is already a problem of its own
        place = document.place(finding.path, key=finding.at_key)
        problem = Problem(finding.message) if place is None else place.problem(finding.message)
        if problem not in problems:
            problems.append(problem)
    return problems


def _sorted(problems: list[Problem]) -> list[Problem]:
    """By place; files in the order of their first problem."""
    files = list(dict.fromkeys(problem.file for problem in problems))
    return sorted(problems, key=lambda each: (files.index(each.file), each.line or 0, each.column or 0))


def _read_mapping(source: Mapping[str, Any], env: Mapping[str, str]) -> Document:
    document = Document()
    document.value = _filled(source, (), document, env)
    if "include" in source:
        document.problems.append(Problem("include is for files; merge the mappings before handing them over"))
    return document


def _filled(value: object, path: Path, document: Document, env: Mapping[str, str]) -> object:
    """`value` with its variables filled in, keys as text, and models as the mappings they stand for."""
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_unset=True)  # made in Python: a ${ in it is meant
    if isinstance(value, Mapping):
        return {str(key): _filled(item, (*path, str(key)), document, env) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_filled(item, (*path, index), document, env) for index, item in enumerate(value)]
    if isinstance(value, str):
        text, faults = substitute(value, env)
        document.problems += [Problem(f"{spell(path)}: {fault.message}") for fault in faults]
        if faults:
            document.broken.add(path)
        return text
    return value
