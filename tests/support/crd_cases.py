"""Objects that the API server accepts or refuses: files in tests/data/crd, and what follows.

Bounds, enumerations and required fields are broken one by one, from the resources in which every
field is set.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
import yaml

from tests.support.schema import ROOT, root_schema
from tests.support.violations import Variant

CASES: Final = ROOT / "tests/data/crd"
Resource = dict[str, Any]


def cases(outcome: str) -> list[Any]:
    """Give every object that is `accepted`, or `refused`."""
    return [
        pytest.param(resource, id=f"{path.stem}-{index}")
        for path in sorted((CASES / outcome).glob("*.yaml"))
        for index, resource in enumerate(yaml.safe_load_all(path.read_text("utf-8")))
    ]


EVERY_FIELD: list[Resource] = list(
    yaml.safe_load_all((CASES / "accepted/every-field.yaml").read_text("utf-8"))
)

COMPANIONS: dict[tuple[str, Any], Resource] = {
    # A value at the edge may need another field to make sense.
    ("soakSeconds", 2_592_000): {"maxDurationSeconds": 2_592_000},
    ("maxDurationSeconds", 1): {"soakSeconds": 1},
    ("preset", "HAL9"): {"layers": ["Substrate"]},
    ("reference.mode", "Production"): {"mirror": {"methods": ["GET"]}},
    ("mirror.provider", "Envoy"): {"mirror": {"provider": "Envoy"}},
    ("mirror.provider", "External"): {"mirror": {"provider": "External"}},
    ("mirror.provider", "GatewayAPI"): {
        "mirror": {"provider": "GatewayAPI", "httpRouteRef": {"name": "shop"}}
    },
    ("mirror.provider", "Istio"): {
        "mirror": {"provider": "Istio", "virtualServiceRef": {"name": "shop"}}
    },
    # A method at the head of the list may stand in it again.
    **{
        ("mirror.methods.0", method): {"mirror": {"methods": [method]}}
        for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
    },
}


def variants(make: Callable[[Resource, Resource], Iterator[Variant]]) -> list[Any]:
    """Give the objects that `make` derives from those in which every field is set."""
    schema = root_schema()["properties"]["spec"]
    found = {
        str(variant): (resource, variant)
        for resource in EVERY_FIELD
        for variant in make(schema, resource["spec"])
    }
    return [pytest.param(*case, id=name) for name, case in found.items()]


def with_companions(variant: Variant) -> Resource:
    """Give the spec of a variant at an edge, with the fields that it needs to make sense."""
    path = ".".join(str(step) for step in variant.path)
    value: Any = variant.resource
    for step in variant.path:
        value = value[step]
    return {**variant.resource, **COMPANIONS.get((path, value), {})}


def _smallest(**spec: Any) -> Resource:
    return {
        "apiVersion": "hal9.ai/v1alpha1",
        "kind": "ShadowDeployment",
        "metadata": {"name": "tricky"},
        "spec": {
            "productionRef": {"deploymentName": "shop", "serviceName": "shop"},
            "shadow": {"image": "shop:new"},
            **spec,
        },
    }


def _egress(cidr: str) -> Resource:
    return _smallest(clones={"egressTo": [{"cidr": cidr}]})


TRICKY: Final[dict[str, Resource]] = {
    "nothing but what is needed": _smallest(),
    "null for a field with a default": _smallest(samplingPercent=None),
    "null for a field without one": _smallest(restartedAt=None),
    "null for what is needed": _smallest(shadow=None),
    "null in a list": _smallest(layers=[None]),
    "an address": _egress("10.0.0.1"),
    "a network with bits of a host": _egress("10.0.0.1/24"),
    "a network by its mask": _egress("10.0.0.0/255.255.255.0"),
    "a network of more bits than there are": _egress("10.0.0.0/33"),
    "a length with a zero before it": _egress("10.0.0.0/08"),
    "a network of IPv6": _egress("fd00::/8"),
    "a network in a zone": _egress("fe80::1%eth0/64"),
    "an octet with a zero before it": _egress("10.0.0.01/24"),
    "a whole number as a fraction": _smallest(samplingPercent=50.0),
    "a fraction": _smallest(samplingPercent=50.5),
    "true for a number": _smallest(samplingPercent=True),
    "a list for an object": _smallest(gates=[]),
    "an unknown field deep inside": _smallest(gates={"matchRate": {"minimum": "99"}}),
    "letters beyond ASCII at the bound": _smallest(
        comparison={"ignore": [{"path": "$.a", "reason": "\u4e2d" * 256}]}
    ),
    "one letter more": _smallest(
        comparison={"ignore": [{"path": "$.a", "reason": "\u4e2d" * 257}]}
    ),
    "the same place twice, once by default": _smallest(
        comparison={
            "ignore": [
                {"path": "$.a", "reason": "x"},
                {"route": "*", "path": "$.a", "reason": "y"},
            ]
        }
    ),
    "a line break after a name": _smallest(restartedAt="a\n", layers=["Substrate\n"]),
    "a status that nobody may write": {**_smallest(), "status": {"phase": "Idle"}},
    "an unknown field beside spec": {**_smallest(), "specs": {}},
    "no spec": {key: value for key, value in _smallest().items() if key != "spec"},
    "an empty spec": {**_smallest(), "spec": {}},
    "a name that is too long": {**_smallest(), "metadata": {"name": "a" * 41}},
    "no name": {**_smallest(), "metadata": {}},
}
"""Where it is easy to judge otherwise than the API server; only it says which are refused."""
