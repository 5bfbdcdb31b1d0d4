"""Commands that change the resource: feature, migrate, configure, stop, resume; and wait."""

import json
import time
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

import typer

from shadow_operator.api.enums import Learning, MirrorProvider, RequestedPhase
from shadow_operator.api.names import ANNOTATION_STOP, Role
from shadow_operator.api.reasons import ConditionStatus, ConditionType
from shadow_operator.cli.errors import CliError, Exit
from shadow_operator.cli.target import Target, command
from shadow_operator.cli.text import NO, YES, mark
from shadow_operator.core.wording import duration

if TYPE_CHECKING:
    from shadow_operator.api.resource import ShadowDeployment

POLL_SECONDS: Final = 1.0
CONFIRMED_SECONDS: Final = 15.0
"""Within which an operator that runs has told every Envoy of a stop; it takes less than 5."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    feature = typer.Typer(no_args_is_help=True, help="Switch a feature, or ask for it.")
    app.add_typer(feature, name="feature")
    example = "hal9-migrate feature enable shadow_mode --percentage 100"
    command(feature, "enable", example=example)(enable)
    command(feature, "disable", example="hal9-migrate feature disable shadow_mode")(disable)
    command(feature, "status", example="hal9-migrate feature status shadow_mode")(feature_status)
    command(app, "migrate", example="hal9-migrate migrate --phase shadow --yes")(migrate)
    command(app, "configure", example="hal9-migrate configure --shadow-sampling 50")(configure)
    command(app, "stop", example='kubectl shadow stop --note "latency alarm"')(stop)
    command(app, "resume", example='kubectl shadow resume --note "was a deploy"')(resume)


# feature


class Feature(StrEnum):
    """Features of the runbook."""

    SHADOW_MODE = "shadow_mode"
    LEARNING = "hierarchical_learning"


Percentage = Annotated[int | None, typer.Option(min=0, max=100, help="Share of the requests.")]


def enable(
    target: Target,
    feature: Feature,
    percentage: Percentage = None,
    shadow_only: Annotated[
        bool, typer.Option("--shadow-only", help="Learning: nowhere but in the shadow.")
    ] = False,
) -> None:
    """Set the share of requests that is copied, or let the shadow learn.

    The phase is set by `migrate`. A stop is taken back.
    """
    if feature is Feature.LEARNING:
        if not shadow_only:
            raise CliError(Exit.USAGE, "Production never learns here: add --shadow-only.")
        _switch_learning(target, Learning.SHADOW_ONLY)
        return
    share = 100 if percentage is None else percentage
    annotations = {"annotations": {ANNOTATION_STOP: None}}
    resource = target.change({"metadata": annotations, "spec": {"samplingPercent": share}})
    print(_feature_line(resource))


def disable(target: Target, feature: Feature) -> None:
    """Take the shadow down at once, mirror first, or end its learning; twice is fine.

    Where a GitOps manager owns the resource it is stopped as well, so that the next
    synchronisation can't undo it.
    """
    if feature is Feature.LEARNING:
        _switch_learning(target, Learning.DISABLED)
        return
    resource = target.read()
    spec = {"phase": RequestedPhase.NONE.value, "samplingPercent": 0}
    print(_feature_line(target.change(_off(resource, spec, f"{feature} disabled"))))


def feature_status(target: Target, feature: Feature) -> None:
    """Say whether the feature is enabled, and for which share; exit status 1 where it is not."""
    resource = target.read()
    line = _learning_line(resource) if feature is Feature.LEARNING else _feature_line(resource)
    print(line)
    if "Enabled" not in line:
        raise typer.Exit(Exit.NO)


def _feature_line(resource: "ShadowDeployment") -> str:
    spec, stopped = resource.spec, resource.metadata.annotations.get(ANNOTATION_STOP)
    if stopped is not None:
        return f"{mark(NO)} Disabled (stopped: {stopped or 'no reason given'})"
    if spec.suspend or spec.sampling_percent == 0:
        return f"{mark(NO)} Disabled ({'suspended' if spec.suspend else '0%'})"
    return f"{mark(YES)} Enabled ({spec.sampling_percent}%)"


def _switch_learning(target: Target, wanted: Learning) -> None:
    """Switch learning; the soak starts again, since the answers change."""
    before = target.read()
    soak = before.status.soak
    if before.spec.learning is not wanted and soak and soak.elapsed_seconds:
        print(f"The soak starts again: {duration(soak.elapsed_seconds)} of it are given up.")
    print(_learning_line(target.change({"spec": {"learning": wanted.value}})))


def _learning_line(resource: "ShadowDeployment") -> str:
    if resource.spec.learning is Learning.DISABLED:
        return f"{mark(NO)} Disabled"
    return f"{mark(YES)} Enabled (shadow only)"


def _off(resource: "ShadowDeployment", spec: dict[str, object], note: str) -> dict[str, object]:
    """Give a change that takes the shadow down, and keeps it down where GitOps owns the spec."""
    change: dict[str, object] = {"spec": spec}
    if _told_to_commit(resource, spec) and ANNOTATION_STOP not in resource.metadata.annotations:
        change["metadata"] = {"annotations": {ANNOTATION_STOP: f"{_BY_COMMAND}{note}"}}
    return change


_BY_COMMAND: Final = "by command: "
"""How a stop begins that stands in for a commit; a stop by a person is never taken back so."""


def _told_to_commit(resource: "ShadowDeployment", spec: dict[str, object]) -> bool:
    """Say what to commit where a GitOps manager owns the resource; give whether one does."""
    manager = gitops_manager(resource)
    if manager:
        fields = ", ".join(f"{field}: {value}" for field, value in spec.items())
        print(f"{manager} manages this resource; commit to keep it so:  spec: {{{fields}}}")
    return bool(manager)


def gitops_manager(resource: "ShadowDeployment") -> str:
    """Name the GitOps manager that owns the resource, by what it leaves there; else empty."""
    marks = resource.metadata.annotations.keys() | resource.metadata.labels.keys()
    for name, signs in _MANAGERS.items():
        if any(sign in marks for sign in signs):
            return name
    return ""


_MANAGERS: Final = {
    "Argo CD": ("argocd.argoproj.io/tracking-id", "argocd.argoproj.io/instance"),
    "Flux": ("kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name"),
}


# migrate


class Phase(StrEnum):
    """Phases of the migration that this command knows."""

    SHADOW = "shadow"
    NONE = "none"


def migrate(
    target: Target,
    phase: Annotated[Phase, typer.Option(help="Where to go.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    timeout: Annotated[int, typer.Option(min=1, help="Seconds to follow it.")] = 900,
) -> None:
    """Start the shadow, or take it down, and follow it until it is there."""
    resource = target.read()
    if not yes:
        what = "Take the shadow of" if phase is Phase.NONE else "Start a shadow of"
        typer.confirm(f"{what} {resource.namespace}/{resource.name}?", abort=True)
    wanted = RequestedPhase.SHADOW if phase is Phase.SHADOW else RequestedPhase.NONE
    changed = target.change(_towards(resource, wanted))
    end = _follow(target, changed.metadata.generation, wanted, timeout)
    name = "Migration" if phase is Phase.SHADOW else "Current"
    print(f"{name} Phase: {phase}")
    if phase is Phase.SHADOW and end.spec.sampling_percent == 0:
        print("Nothing is copied (0%): hal9-migrate feature enable shadow_mode --percentage 100")


def _towards(resource: "ShadowDeployment", wanted: RequestedPhase) -> dict[str, object]:
    """Give the change to a phase; on the way up a stop is taken back that stood for a commit."""
    spec: dict[str, object] = {"phase": wanted.value}
    if wanted is RequestedPhase.NONE:
        return _off(resource, spec, "migrate --phase none")
    _told_to_commit(resource, spec)
    ours = resource.metadata.annotations.get(ANNOTATION_STOP, "").startswith(_BY_COMMAND)
    taken = {"metadata": {"annotations": {ANNOTATION_STOP: None}}} if ours else {}
    return {"spec": spec, **taken}


def _follow(
    target: Target, generation: int, wanted: RequestedPhase, timeout: int
) -> "ShadowDeployment":
    """Print what status says until the operator has done it."""
    said, until = "", time.monotonic() + timeout
    while True:
        resource = target.read()
        seen = resource.status
        observed = (seen.observed_generation or 0) >= generation
        if observed and seen.message and seen.message != said:
            said = seen.message
            print(f"{datetime.now(UTC):%H:%M:%S} {seen.phase}: {said}")
        ready, stalled = seen.condition(ConditionType.READY), seen.condition(ConditionType.STALLED)
        if observed and stalled:
            raise CliError(Exit.NO, f"{stalled.message} Next: {seen.next_step or 'see status'}")
        idle = seen.phase is not None and seen.phase.value == "Idle"
        there = idle if wanted is RequestedPhase.NONE else bool(ready) and not idle
        if observed and there and ready and ready.status is ConditionStatus.TRUE:
            return resource
        if time.monotonic() > until:
            raise CliError(
                Exit.UNKNOWN,
                f"Not there after {timeout} s: {ready.message if ready else said} "
                f"Next: {seen.next_step or 'see status'}",
            )
        time.sleep(POLL_SECONDS)


# configure


def configure(
    target: Target,
    shadow_sampling: Annotated[
        int | None, typer.Option(min=0, max=100, help="Share of the requests, in percent.")
    ] = None,
    shadow_layers: Annotated[
        str | None, typer.Option(help="Layers that stay on, e.g. substrate,protocol.")
    ] = None,
) -> None:
    """Change the share of requests or the layers of a running shadow."""
    if shadow_sampling is None and shadow_layers is None:
        raise CliError(Exit.USAGE, "Say --shadow-sampling N, or --shadow-layers a,b.")
    spec: dict[str, object] = {}
    if shadow_sampling is not None:
        spec["samplingPercent"] = shadow_sampling
    if shadow_layers is not None:
        spec["layers"] = _layers(target.read(), shadow_layers)
    resource = target.change({"spec": spec})
    print(f"Sampling: {resource.spec.sampling_percent}%")
    if resource.spec.layers:
        print(f"Layers: {', '.join(resource.spec.layers)}")


def _layers(resource: "ShadowDeployment", text: str) -> list[str]:
    preset = resource.spec.effective_preset
    known = preset.layers if preset else resource.spec.layers
    by_name = {layer.lower(): layer for layer in known}
    named = [part.strip().lower() for part in text.split(",") if part.strip()]
    if unknown := [name for name in named if name not in by_name]:
        raise CliError(
            Exit.USAGE,
            f"Unknown layer {', '.join(unknown)}; known are: {', '.join(by_name) or 'none'}.",
        )
    return [by_name[name] for name in named]


# stop, resume


Note = Annotated[str, typer.Option(help="Why; whoever looks at it reads this.")]


def stop(target: Target, note: Note = "by hand") -> None:
    """Stop copying at once; it wins over spec, so that GitOps can't undo it. Clones are kept.

    Where the operator does not confirm it, the line is printed that works without one.
    """
    resource = target.change({"metadata": {"annotations": {ANNOTATION_STOP: note}}})
    until = time.monotonic() + CONFIRMED_SECONDS
    while not _copies_nothing(resource):
        if time.monotonic() > until:
            raise CliError(
                Exit.UNKNOWN,
                f"{resource.namespace}/{resource.name} is marked as stopped, but the operator has "
                f"not confirmed it. Without an operator this stops it:\n{by_hand(resource)}",
            )
        time.sleep(POLL_SECONDS)
        resource = target.read()
    print(f"{mark(YES)} {resource.namespace}/{resource.name} is stopped: {note}")


def _copies_nothing(resource: "ShadowDeployment") -> bool:
    mirror = resource.status.mirror
    return mirror is None or mirror.effective_percent == 0


def by_hand(resource: "ShadowDeployment") -> str:
    """Give the line of kubectl that ends copies while no operator runs (docs/runbook.md)."""
    kubectl = f"kubectl -n {resource.namespace}"
    if resource.spec.mirror.provider is MirrorProvider.ENVOY:
        entry = f"service {resource.name}-{Role.MIRROR}"
        kept = r"jsonpath='{.metadata.annotations.hal9\.ai/lead-back}'"
        return f'{kubectl} patch {entry} --type=json -p "$({kubectl} get {entry} -o {kept})"'
    nowhere = """'{"spec":{"selector":{"hal9.ai/role":"none"}}}'"""
    receiver = f"service {resource.name}-{Role.COMPARATOR}"
    return f"{kubectl} patch {receiver} --type=merge -p {nowhere}"


def resume(target: Target, note: Note = "by hand") -> None:
    """Take back a stop, a suspension, or a pause of the guard."""
    resource = target.read()
    change: dict[str, object] = {"metadata": {"annotations": {ANNOTATION_STOP: None}}}
    spec: dict[str, object] = {"suspend": False} if resource.spec.suspend else {}
    if resource.status.paused_time and ANNOTATION_STOP not in resource.metadata.annotations:
        spec["restartedAt"] = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {note}"[:64]
    target.change(change | ({"spec": spec} if spec else {}))
    if _is_stopped_as_a_whole(target):
        namespace = resource.namespace
        raise CliError(
            Exit.NO,
            f"The whole namespace is stopped: kubectl annotate namespace {namespace} "
            f"{ANNOTATION_STOP}-",
        )
    print(f"{mark(YES)} {resource.namespace}/{resource.name} goes on")


def _is_stopped_as_a_whole(target: Target) -> bool:
    """Whether its namespace has a stop of its own; who may not read that is not told."""
    status, body = target.access.answer(f"/api/v1/namespaces/{target.access.namespace}")
    found = json.loads(body) if status == HTTPStatus.OK else {}
    return ANNOTATION_STOP in (found.get("metadata", {}).get("annotations") or {})
