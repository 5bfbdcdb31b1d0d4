"""The dashboard as an image for the documentation."""

import re
from copy import deepcopy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

from dev.monitor import main
from tests.support.reported import ended
from tests.support.world import EVIDENCE

EVENT = {
    "kind": "Event",
    "involvedObject": {"name": "hal9"},
    "eventTime": "2026-01-31T14:05:00.000000Z",
    "reason": "MirroringStarted",
    "message": "Copies are made: 100% of the requests.",
}


def kept(folder: Path) -> list[str]:
    """Write what `kubectl get -o yaml` would; gives the files."""
    world = deepcopy(ended(hours=0.5))
    evidence = {"kind": "ConfigMap", **world.objects[EVIDENCE]}
    documents: list[Any] = [world.body, {"kind": "List", "items": [evidence, EVENT]}]
    for number, document in enumerate(documents):
        (folder / f"{number}.yaml").write_text(yaml.safe_dump(document))
    return [str(folder / f"{number}.yaml") for number in range(len(documents))]


def test_the_image_shows_the_resource_its_evidence_and_its_events(tmp_path: Path) -> None:
    image = tmp_path / "images" / "monitor.svg"
    assert main([str(image), *kept(tmp_path)]) == 0
    drawn = image.read_text(encoding="utf-8")
    root = ElementTree.fromstring(drawn)  # noqa: S314 - our own
    shown = " ".join("".join(root.itertext()).replace("\N{NO-BREAK SPACE}", " ").split())
    for text in (
        "Soaking",
        "pairs/s",
        "match-rate",
        "MirroringStarted",
        "Substrate",
    ):
        assert text in shown
    assert not re.search(r"url\(.?http", drawn)  # it fetches nothing
