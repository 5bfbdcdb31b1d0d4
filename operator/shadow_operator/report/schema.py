"""Write the schema of the JSON form: `python -m shadow_operator.report.schema`."""

import json
import sys
from pathlib import Path
from typing import Final

from shadow_operator.report.model import Report

ROOT: Final = Path(__file__).parents[3]
"""The checkout; the generator is not meant for an installed package."""
FILE: Final = ROOT / "docs/report.schema.json"


def schema() -> str:
    """Give the schema as JSON Schema, draft 2020-12."""
    made = Report.model_json_schema(by_alias=True)
    text = json.dumps(
        {"$schema": "https://json-schema.org/draft/2020-12/schema", **made},
        indent=1,
        ensure_ascii=False,
    )
    return f"{text}\n"


def main() -> None:
    """Write the file where it differs."""
    if FILE.exists() and FILE.read_text(encoding="utf-8") == schema():
        return
    FILE.write_text(schema(), encoding="utf-8")
    sys.stdout.write(f"wrote {FILE.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
