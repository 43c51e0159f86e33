"""Where settings come from: the environment, a ``.env`` file, and files named by ``NAME_FILE``.

Values are found here and judged in `radiuscore.settings`.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final, NamedTuple

_ENV_LINE: Final = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_QUOTED: Final = re.compile(r"""'([^']*)'|"((?:[^"\\]|\\.)*)\"""")


class SettingsError(Exception):
    """A setting cannot be used. The text is one sentence for a person and holds no secret."""


class Given(NamedTuple):
    """One value and where it was found, in words that follow the variable's name."""

    text: str
    origin: str


def collect(
    names: Collection[str], secret_names: Collection[str], environ: Mapping[str, str], env_file: Path | None
) -> dict[str, Given]:
    """Return what was given, per name. The environment hides the file; a NAME_FILE counts as its NAME.

    Raises `SettingsError` where a file cannot be read, or a name is given twice in one place.
    """
    layers = [(environ, "")]
    if env_file is not None:
        layers.append((_read_env_file(env_file), f" in {env_file}"))
    given: dict[str, Given] = {}
    for name in names:
        for values, origin in layers:
            if name in values and name + "_FILE" in values:
                raise SettingsError(f"{name} and {name}_FILE are both set{origin}; keep one, for example {name}_FILE.")
            if name in values:
                given[name] = Given(values[name], origin)
                break
            if name + "_FILE" in values:
                given[name] = _read_value_file(name, values[name + "_FILE"], secret=name in secret_names)
                break
    return given


def shown(text: str) -> str:
    """Quote a value for one line of a terminal or a log: short, control characters escaped."""
    return ascii(text if len(text) <= 60 else text[:57] + "...")


def _read_value_file(name: str, path: str, *, secret: bool) -> Given:
    try:
        return Given(Path(path).read_text("utf-8"), f" (from {path})")
    except (OSError, ValueError) as error:
        # What stands in a _FILE variable by mistake may be the secret itself.
        named = "a file" if secret else shown(path)
        raise SettingsError(
            f"{name}_FILE names {named}, which {_fault_of_file(error)}; "
            f"set it for example to {name}_FILE=/run/secrets/{name.lower()}."
        ) from None


def _read_env_file(path: Path) -> dict[str, str]:
    """Return the names and values of a ``.env`` file; none when it is not there."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{path} {_fault_of_file(error)}; make it a readable text file with lines such as RADIUS_AUTH_PORT=1812."
        ) from None
    values: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _ENV_LINE.fullmatch(line.strip())
        value = None if match is None else _unquote(match[2])
        if match is None or value is None:
            raise SettingsError(
                f"{path} line {number} is not a setting; write NAME=value, for example RADIUS_AUTH_PORT=1812."
            )
        values[match[1]] = value
    return values


def _unquote(text: str) -> str | None:
    """Return the value that a shell would read: quotes and a comment behind it taken off; ``None`` if malformed."""
    if text[:1] not in ("'", '"'):
        return re.sub(r"(^|\s+)#.*", "", text).strip()
    match = _QUOTED.match(text)
    rest = "" if match is None else text[match.end() :].strip()
    if match is None or (rest and not rest.startswith("#")):
        return None
    return match[1] if match[1] is not None else re.sub(r"\\(.)", r"\1", match[2])


def _fault_of_file(error: OSError | ValueError) -> str:
    return f"cannot be read ({error.strerror})" if isinstance(error, OSError) else "is not UTF-8 text"
