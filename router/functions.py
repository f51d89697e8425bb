"""Functions of the user's own, which settings name as `package.module:function`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from turnout.config.errors import ConfigError


def function_at(path: str, where: str) -> Callable[..., Any]:
    """The function at `package.module:function`; ConfigError says after `where` what is missing.

    A module is imported here, so that a name which leads nowhere is told when a router is made.
    """
    module, _, names = path.partition(":")
    where = f"{where}: {path}"
    problem: str
    try:
        found: Any = import_module(module)
        for name in names.split("."):
            found = getattr(found, name)
    except ImportError as error:
        problem = f"{where}: {error}; is the folder of {module.partition('.')[0]} on the path of this Python?"
    except AttributeError:
        problem = f"{where}: the module {module} has no {names}"
    except Exception as error:  # noqa: BLE001 - importing runs the user's own module
        problem = f"{where}: importing {module} failed with {type(error).__name__}"
    else:
        if callable(found):
            function: Callable[..., Any] = found
            return function
        problem = f"{where} is no function"
    raise ConfigError(problem)
