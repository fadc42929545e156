"""Where settings come from: the environment over `fieldchart.toml` over the defaults."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from server.settings import Settings

__all__ = ["PREFIX", "Setting", "SettingsError", "describe", "load_settings"]

PREFIX = "FIELDCHART_"
FILE_NAME = "fieldchart.toml"
FILE_VARIABLE = "FIELDCHART_CONFIG"


class SettingsError(Exception):
    """A setting cannot be used. The message names the file or variable and the reason."""


class Setting(NamedTuple):
    """One row of the settings table."""

    name: str
    variable: str
    unit: str
    meaning: str
    default: Any
    value: Any


def describe(settings: Settings) -> list[Setting]:
    """Each setting with its variable, unit, meaning, default and the value in `settings`."""
    return [
        Setting(
            name=field.name,
            variable=PREFIX + field.name.upper(),
            unit=field.type.__metadata__[0].extra["unit"],
            meaning=field.type.__metadata__[0].description,
            default=field.default,
            value=getattr(settings, field.name),
        )
        for field in msgspec.structs.fields(Settings)
    ]


def load_settings(
    environment: Mapping[str, str],
    *,
    file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """The settings of this process: `overrides` over the environment, over the file, over defaults.

    file: a TOML file that must exist; without it `fieldchart.toml` (or FIELDCHART_CONFIG) is read
    if present. Raises SettingsError, which names the file or variable.
    """
    if file is None and FILE_VARIABLE in environment:
        file = Path(environment[FILE_VARIABLE])
    values = _from_file(file)
    values |= _from_environment(environment)
    values |= {name: value for name, value in (overrides or {}).items() if value is not None}
    try:
        return msgspec.convert(values, Settings)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{file or FILE_NAME} with the environment: {error}") from error


def _from_file(named: Path | None) -> dict[str, Any]:
    path = named or Path(FILE_NAME)
    if named is None and not path.exists():
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from error
    fields = _fields()
    for name, value in values.items():
        if name not in fields:
            raise SettingsError(
                f"{path}: unknown setting {name!r}; `fieldchart settings` lists all"
            )
        _check(f"{path}: {name}", value, fields[name], strict=True)
    return values


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    fields = _fields()
    values: dict[str, Any] = {}
    for variable in sorted(environment):
        if not variable.startswith(PREFIX) or variable == FILE_VARIABLE:
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in fields:
            raise SettingsError(f"{variable}: unknown setting; `fieldchart settings` lists all")
        raw: Any = environment[variable]
        if isinstance(fields[name].default, tuple):
            raw = [part.strip() for part in raw.split(",") if part.strip()]
        values[name] = _check(variable, raw, fields[name], strict=False)
    return values


def _fields() -> dict[str, msgspec.structs.FieldInfo]:
    return {field.name: field for field in msgspec.structs.fields(Settings)}


def _check(where: str, value: Any, field: msgspec.structs.FieldInfo, *, strict: bool) -> Any:
    try:
        return msgspec.convert(value, field.type, strict=strict)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{where}: {error}") from error
