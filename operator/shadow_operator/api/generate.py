"""Write every file that is generated from the models: `python -m shadow_operator.api.generate`."""

import sys
from pathlib import Path
from typing import Final

import yaml

from shadow_operator.api.crd import custom_resource_definition
from shadow_operator.api.names import GROUP, PLURAL
from shadow_operator.api.reference import reference_page

ROOT: Final = Path(__file__).parents[3]
"""The checkout; the generator is not meant for an installed package."""

_HEADER: Final = "# Generated from the models by `make generate`; do not edit.\n"
_CRD_FILE: Final = f"{GROUP}_{PLURAL}.yaml"


def generated_files(root: Path = ROOT) -> dict[Path, str]:
    """Give the wanted content of every generated file by its path."""
    crd = _HEADER + yaml.safe_dump(custom_resource_definition(), width=100, allow_unicode=True)
    return {
        root / "crds" / _CRD_FILE: crd,
        root / "helm/shadow-operator/files" / _CRD_FILE: crd,
        root / "docs/reference.md": reference_page(),
    }


def main() -> None:
    """Write the files that differ, and say which."""
    for path, content in generated_files().items():
        if path.exists() and path.read_text(encoding="utf-8") == content:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
