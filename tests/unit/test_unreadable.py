"""Of a spec that can't be read as a whole, all that can be read by itself counts."""

from typing import Any

import pytest

from shadow_operator.api.enums import MirrorProvider, RequestedPhase
from shadow_operator.api.errors import InvalidSpec
from shadow_operator.core.telling.unreadable import names_production, read_resource, salvage
from tests.support.world import World

NONSENSE: dict[str, Any] = {"samplingPercent": "many"}
PRODUCTION = {"deploymentName": "hal9-server", "serviceName": "hal9-service"}


def body(**spec: Any) -> dict[str, Any]:
    world = World()
    world.edit(**NONSENSE, **spec)
    return world.body


@pytest.mark.parametrize("phase", ["Shadow", "None"])
@pytest.mark.parametrize("suspend", [True, False])
def test_what_stops_copies_is_read(phase: str, suspend: bool) -> None:
    spec = salvage(body(phase=phase, suspend=suspend)).spec
    assert (spec.phase, spec.suspend) == (RequestedPhase(phase), suspend)


def test_a_phase_that_nobody_knows_ends_nothing() -> None:
    assert salvage(body(phase="Canary")).spec.phase is RequestedPhase.SHADOW


def test_a_member_is_read_where_its_neighbour_can_not_be() -> None:
    spec = salvage(body(mirror={"provider": "External", "later": 1})).spec
    assert spec.mirror.provider is MirrorProvider.EXTERNAL


@pytest.mark.parametrize(
    ("production", "named"),
    [
        (PRODUCTION, True),
        (PRODUCTION | {"later": "version"}, True),
        (PRODUCTION | {"serviceName": 7}, False),
        ({"serviceName": "hal9-service"}, False),
        ("hal9", False),
        (None, False),
    ],
)
def test_whether_it_names_production(production: object, named: bool) -> None:
    stored = body()
    stored["spec"]["productionRef"] = production
    resource = salvage(stored)
    assert names_production(resource) is named
    assert (resource.spec.production_ref.service_name == "hal9-service") >= named


@pytest.mark.parametrize("spec", [None, "nonsense", []])
def test_without_any_spec_there_is_a_resource_all_the_same(spec: object) -> None:
    assert salvage({**body(), "spec": spec}).name == "hal9"


def test_only_a_resource_on_its_way_out_is_read_in_part() -> None:
    stored = body()
    with pytest.raises(InvalidSpec):
        read_resource(stored)
    stored["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    assert read_resource(stored).name == "hal9"
