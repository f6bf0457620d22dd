"""From a model's Options to what a person sets them with: the one description that the screen draws as fields, the
command line as flags, and the API tells its callers."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAlias

from models.spec import Options

Kind: TypeAlias = Literal["choice", "flag", "text", "whole", "number"]
Value: TypeAlias = str | int | float | bool | None
KINDS: dict[str, Kind] = {"boolean": "flag", "string": "text", "integer": "whole", "number": "number"}


@dataclass(frozen=True)
class Control:
    """One option. least, most: of a number, or most characters of a text. choices: of a choice, else empty. only,
    unless: it matters where those other options have, or have not, these values."""

    name: str
    title: str
    help: str
    kind: Kind
    default: Value
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    only: dict[str, Value] | None = None
    unless: dict[str, Value] | None = None


@cache
def controls(options: type[Options]) -> tuple[Control, ...]:
    """Every option, in the order of its class and of what that derives from."""
    return tuple(_control(name, schema) for name, schema in options.model_json_schema()["properties"].items())


def _control(name: str, schema: dict[str, Any]) -> Control:
    # An option that may be left empty is described as one of two types.
    told = next((one for one in schema.get("anyOf", ()) if one.get("type") != "null"), schema)
    choices = tuple(told.get("enum", ()))
    return Control(
        name=name,
        title=schema["title"],
        help=schema["description"],
        kind="choice" if choices else KINDS[told["type"]],
        default=schema.get("default"),
        choices=choices,
        least=told.get("minimum"),
        most=told.get("maximum", told.get("maxLength")),
        only=schema.get("only"),
        unless=schema.get("unless"),
    )
