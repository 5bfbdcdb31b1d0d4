"""HAL9 of examples/ as end-to-end tests run it: production, clients, and a quick shadow of it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
IMAGE: Final = "localhost/shadow-operator/hal9-example:dev"
"""The image as the examples name it."""

Manifest = dict[str, Any]

QUICK: Final[Mapping[str, Any]] = {
    "clones": {"replicas": 1, "isolation": "BestEffort"},
    # One reference pod has no control that could tell that these are noise.
    "comparison": {
        "ignore": [
            {"path": path, "reason": "Of the instance"}
            for path in ("$.meta.instance", "$.uptime_seconds", "$.requests_served")
        ]
    },
    "mirror": {"rampSeconds": 0},
    "soakSeconds": 15,
    # On one node copies take production's CPU, and it is slower for them.
    "guard": {
        "baselineSeconds": 2,
        "maxP50IncreasePercent": 1000,
        "maxP99IncreasePercent": 1000,
        "maxErrorIncreasePercent": "100",
    },
    "gates": {
        "productionImpact": {"mode": "Advisory"},
        "matchRate": {"minPercent": "90"},
        "minimumPairs": {"total": 100, "perRoute": 10},
        "shadowErrors": {"maxExcessPercent": "5"},
        # One clone gets the load of production's two pods, and a busy machine is noisy.
        "timeouts": {"mode": "Advisory", "maxExcessPercent": "5"},
        "latencyP50": {"mode": "Advisory"},
        "latencyP99": {"mode": "Advisory"},
    },
}
"""What is shortened in comparison with the example: all waiting, and the numbers that need it."""


def production(image: str) -> list[Manifest]:
    """Give production's manifests: ConfigMap, Secret, Deployment and Service."""
    return _example("hal9/production.yaml", image)


def short_lived(image: str) -> list[Manifest]:
    """Give production as a test wants it that never rolls it out: its end takes no time."""
    manifests = production(image)
    (deployment,) = (one for one in manifests if one["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    pod["terminationGracePeriodSeconds"] = 5
    pod["containers"][0]["env"].append({"name": "HAL9_DRAIN_SECONDS", "value": "1"})
    return manifests


def traffic(image: str, *flags: str, **options: Any) -> Manifest:
    """Give clients of `hal9-mirror`; `options` are the generator's, such as `rate=40`."""
    manifest = _example("hal9/traffic.yaml", image)[0]
    arguments = {"url": "http://hal9-mirror:8080", "rate": 40, "wait": 600, **options}
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    told = [f"--{key.replace('_', '-')}={value}" for key, value in arguments.items()]
    container["args"] = ["hal9sim.traffic", *told, *flags]
    return manifest


def shadow_deployment(image: str, **spec: Any) -> Manifest:
    """Give a ShadowDeployment like the example's good one, made quick, with other fields of spec.

    Fields are merged into the example's; a list or a scalar replaces what was there.
    """
    manifest = _example("hal9/shadow.yaml", image)[0]
    manifest["spec"] = merged(merged(manifest["spec"], QUICK), spec)
    return manifest


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> Manifest:
    """Merge maps deeply; the second wins."""
    result = dict(one)
    for key, value in other.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else copy.deepcopy(value)
    return result


def _example(path: str, image: str) -> list[Manifest]:
    return read(EXAMPLES / path, IMAGE, image)


def read(path: Path, old: str, image: str) -> list[Manifest]:
    """Give the manifests of an example with another image."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8").replace(old, image)))
