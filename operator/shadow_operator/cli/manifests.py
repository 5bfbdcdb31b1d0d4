"""Files of manifests, read as kubectl reads them."""

import re
import sys
from pathlib import Path
from typing import Any, Final

import yaml

from shadow_operator.api.names import GROUP, KIND
from shadow_operator.cli.errors import CliError, Exit

Manifest = dict[str, Any]


class Loader(yaml.SafeLoader):
    """Reads YAML as kubectl does: no times, `1e-6` is a number, and so are no base-60 texts."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as its base has it
    bool_values = {**yaml.SafeLoader.bool_values, "y": True, "n": False}  # noqa: RUF012


_SCALARS: Final = {
    "bool": (r"^(y|Y|n|N|[yY]es|YES|[nN]o|NO|[tT]rue|TRUE|[fF]alse|FALSE|[oO]n|ON|[oO]ff|OFF)$"),
    "int": r"^[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)$",
    "float": r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$",
    "null": r"^(~|null|Null|NULL|)$",
    "merge": r"^<<$",
}
"""YAML tag -> plain scalars that have it (github.com/go-yaml/yaml v2, resolve.go)."""

for _tag, _pattern in _SCALARS.items():
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), None)


def read(path: str) -> list[Manifest]:
    """Give the objects of a file, or of standard input for `-`; lists are taken apart."""
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        documents = list(yaml.load_all(text, Loader))
    except OSError as error:
        raise CliError(Exit.USAGE, f"{path} can't be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        raise CliError(Exit.USAGE, f"{path} is not YAML: {' '.join(str(error).split())}") from error
    objects = [one for document in documents for one in _members(document)]
    if not all(isinstance(one, dict) for one in objects):
        raise CliError(Exit.USAGE, f"{path} has a document that is not an object.")
    return objects


def read_resources(path: str) -> list[Manifest]:
    """Give the ShadowDeployments of a file; there must be one."""
    found = [one for one in read(path) if is_resource(one)]
    if not found:
        raise CliError(Exit.USAGE, f"{path} has no {KIND} of {GROUP}.")
    return found


def only_resource(path: str) -> Manifest:
    """Give the one ShadowDeployment of a file."""
    found = read_resources(path)
    if len(found) > 1:
        raise CliError(Exit.USAGE, f"{path} has {len(found)} of {KIND}; this takes one.")
    return found[0]


def is_resource(manifest: Manifest) -> bool:
    """Whether it is a ShadowDeployment of some version."""
    group = str(manifest.get("apiVersion", "")).partition("/")[0]
    return (group, manifest.get("kind")) == (GROUP, KIND)


def _members(document: Any) -> list[Any]:
    if document is None:
        return []
    if isinstance(document, dict) and document.get("kind") == "List":
        return list(document.get("items") or ())
    return [document]
