"""Whether subclasses of Poetry's classes still fit: what they override is there, and called alike.

A method that Poetry has renamed would never be called, and a mirror would be passed over in
silence. So `require_overrides` looks before a class is used. Type checking holds that each override
has the decorator (`explicit-override` in pyproject.toml).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from poetry_tf.poetry_internals import MovedError

if TYPE_CHECKING:
    from typing_extensions import override as override  # noqa: PLC0414  # exported
else:

    def override(function: Callable[..., Any]) -> Callable[..., Any]:
        """Marks a method that overrides one of Poetry's, as in PEP 698."""
        function.__override__ = True
        return function


@functools.cache
def require_overrides(cls: type) -> None:
    """Raises `MovedError` if a base class of Poetry's lacks what a class or its bases override.

    It also does so if Poetry may call a method otherwise than the override takes it.
    """
    for owner in cls.__mro__:
        for name, item in vars(owner).items():
            function = _function(item)
            if getattr(function, "__override__", False):
                _require_override(owner, name, function)


def require_attributes(instance: object, *names: str) -> None:
    """Raises `MovedError` if Poetry's class has not set one of these attributes."""
    for name in names:
        if name not in vars(instance):
            raise MovedError(f"{type(instance).__mro__[1].__name__}.{name}")


def _require_override(owner: type, name: str, function: Callable[..., Any]) -> None:
    bases = (base for base in owner.__mro__[1:] if name in vars(base))
    base = next(bases, None)
    if base is None:
        raise MovedError(f"{owner.__mro__[1].__name__}.{name}")
    original, own = _parameters(_function(vars(base)[name])), _parameters(function)
    kinds = {item.kind for item in own.values()}
    takes_any = inspect.Parameter.VAR_KEYWORD in kinds
    unknown = {} if takes_any else original.keys() - own.keys()
    required = {key for key, item in own.items() if item.default is item.empty}
    variable = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    missing = {key for key in required - original.keys() if own[key].kind not in variable}
    if unknown or missing:
        raise MovedError(f"{base.__name__}.{name}: {', '.join(sorted({*unknown, *missing}))}")


def _function(item: Any) -> Any:
    """The function of a method, a class method or a property."""
    return getattr(item, "fget", None) or getattr(item, "__func__", item)


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function).parameters)
