"""Draw the dashboard of `monitor` as SVG, from what a cluster had.

kubectl -n hal9 get shd hal9 -o yaml > shd.yaml
kubectl -n hal9 get configmap -l hal9.ai/evidence=hal9 -o yaml > evidence.yaml
kubectl -n hal9 get events -o yaml > events.yaml
.venv/bin/python -m dev.monitor docs/images/monitor.svg shd.yaml evidence.yaml events.yaml
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from rich.console import Console

from shadow_operator.api.names import KIND
from shadow_operator.cli import dashboard
from shadow_operator.cli.commands.monitor import look
from shadow_operator.cli.happened import happened
from shadow_operator.cli.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shadow_operator.cli.happened import Happened

WIDTH = 120
"""Columns of the terminal that is drawn."""
ASPECT_RATIO = 0.602
"""Of a character of DejaVu Sans Mono, which viewers take that have no font of their own."""
AGE = timedelta(seconds=7)
"""How long ago it was measured, in the picture."""
_FOREIGN = re.compile(r"@font-face \{.*?\}", re.DOTALL)
"""Fonts that a viewer would fetch from elsewhere."""


class Kept:
    """Objects of one resource; takes the place of a cluster."""

    namespace = ""

    def __init__(self, objects: Sequence[dict[str, Any]]) -> None:
        self._objects = objects

    def list(self) -> Sequence[dict[str, Any]]:
        """Give the resource."""
        return self._of(KIND)

    def evidence(self, _: str) -> dict[str, dict[str, str]]:
        """Give its ConfigMaps."""
        return {one["metadata"]["name"]: one.get("data") or {} for one in self._of("ConfigMap")}

    def events(self, name: str) -> tuple[Happened, ...]:
        """Give its events."""
        return happened(
            one for one in self._of("Event") if one.get("involvedObject", {}).get("name") == name
        )

    def _of(self, kind: str) -> Sequence[dict[str, Any]]:
        return tuple(one for one in self._objects if one["kind"] == kind)


def objects(texts: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Read YAML documents; members of lists come one by one."""
    for document in (part for text in texts for part in yaml.safe_load_all(text) if part):
        yield from document["items"] if document["kind"].endswith("List") else (document,)


def draw(kept: Kept, title: str) -> str:
    """Return the dashboard as an SVG image."""
    target = Target()
    target.__dict__["access"] = kept
    frame = look(target)
    measured = frame.resource.status.last_measurement_time or datetime.now(UTC)
    frame = replace(frame, now=measured + AGE)
    console = Console(width=WIDTH, record=True, file=StringIO(), force_terminal=True)
    console.print(dashboard.picture(frame, WIDTH))
    drawn = console.export_svg(title=title, font_aspect_ratio=ASPECT_RATIO)
    return _FOREIGN.sub("", drawn)


def main(arguments: list[str] | None = None) -> int:
    """Draw; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog=".venv/bin/python -m dev.monitor",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("image", type=Path, help="the SVG to write")
    parser.add_argument("files", type=Path, nargs="+", help="YAML of kubectl get -o yaml")
    options = parser.parse_args(arguments)
    texts = [file.read_text(encoding="utf-8") for file in options.files]
    options.image.parent.mkdir(parents=True, exist_ok=True)
    drawn = draw(Kept(list(objects(texts))), "hal9-migrate monitor --dashboard shadow")
    options.image.write_text(drawn, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
