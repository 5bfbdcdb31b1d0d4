"""The children of the resource in tests/data/clones/base.yaml."""

from typing import Any

from shadow_operator.core.deploying import children
from shadow_operator.core.snapshot import Manifest
from tests.support.clones import Case, production, resource, settings


def built(case: Case | None = None, **config: Any) -> children.Children:
    """Build all children of a case (`clones.Case`); `config` goes to `comparator_config`."""
    case = case or {}
    wanted, (deployment, service) = resource(case.get("spec")), production(case)
    told = children.comparator_config(
        wanted, deployment, service, settings(case), **{"epoch": "e-1", "nonce": "n", **config}
    )
    return children.desired(wanted, deployment, service, settings(case), told)


def probe_of(case: Case | None = None) -> Manifest:
    """Build the isolation probe of a case."""
    case = case or {}
    return children.probe(resource(case.get("spec")), *production(case), settings(case))


def children_of(case: Case | None = None, **config: Any) -> tuple[Manifest, ...]:
    """Give all children of a case, the isolation probe last."""
    return (*built(case, **config).all, probe_of(case))
