"""Commands that change the resource: feature, migrate, configure, stop, resume; and wait."""

import time
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from shadow_operator.api.enums import Decision, Learning, RequestedPhase
from shadow_operator.api.names import ANNOTATION_STOP
from shadow_operator.api.reasons import ConditionStatus, ConditionType
from shadow_operator.cli.errors import CliError, Exit
from shadow_operator.cli.target import Target, command
from shadow_operator.cli.text import NO, YES, mark

if TYPE_CHECKING:
    from shadow_operator.api.resource import ShadowDeployment

POLL_SECONDS: Final = 1.0


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
    command(app, "wait", example="kubectl shadow wait --for verdict --timeout 7200")(wait)


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
    change: dict[str, object] = {"spec": {"phase": RequestedPhase.NONE.value, "samplingPercent": 0}}
    if manager := gitops_manager(resource):
        note = f"{feature} disabled"
        change["metadata"] = {"annotations": {ANNOTATION_STOP: note}}
        print(f"{manager} manages this resource; commit to keep it so:  phase: None")
    print(_feature_line(target.change(change)))


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
        print(f"The soak starts again: {soak.elapsed_seconds // 60} min of it are given up.")
    print(_learning_line(target.change({"spec": {"learning": wanted.value}})))


def _learning_line(resource: "ShadowDeployment") -> str:
    if resource.spec.learning is Learning.DISABLED:
        return f"{mark(NO)} Disabled"
    return f"{mark(YES)} Enabled (shadow only)"


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
    changed = target.change({"spec": {"phase": wanted.value}})
    end = _follow(target, changed.metadata.generation, wanted, timeout)
    name = "Migration" if phase is Phase.SHADOW else "Current"
    print(f"{name} Phase: {phase}")
    if phase is Phase.SHADOW and end.spec.sampling_percent == 0:
        print("Nothing is copied (0%): hal9-migrate feature enable shadow_mode --percentage 100")


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
    """Stop copying at once; it wins over spec, so that GitOps can't undo it. Clones are kept."""
    resource = target.change({"metadata": {"annotations": {ANNOTATION_STOP: note}}})
    print(f"{mark(YES)} {resource.namespace}/{resource.name} is stopped: {note}")


def resume(target: Target, note: Note = "by hand") -> None:
    """Take back a stop, a suspension, or a pause of the guard."""
    resource = target.read()
    change: dict[str, object] = {"metadata": {"annotations": {ANNOTATION_STOP: None}}}
    spec: dict[str, object] = {"suspend": False} if resource.spec.suspend else {}
    if resource.status.paused_time and ANNOTATION_STOP not in resource.metadata.annotations:
        spec["restartedAt"] = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {note}"[:64]
    target.change(change | ({"spec": spec} if spec else {}))
    print(f"{mark(YES)} {resource.namespace}/{resource.name} goes on")


# wait


class What(StrEnum):
    """What can be waited for."""

    VERDICT = "verdict"


def wait(
    target: Target,
    what: Annotated[What, typer.Option("--for", help="What to wait for.")] = What.VERDICT,
    timeout: Annotated[int, typer.Option(min=1, help="Seconds.")] = 7200,
) -> None:
    """Wait for a final verdict; exit status 0 for ProceedToCanary, 1 for Investigate, else 3."""
    until = time.monotonic() + timeout
    while True:
        seen = target.read().status
        if seen.verdict and seen.phase is not None and seen.phase.value == "Completed":
            print(f"{seen.verdict.decision}: {seen.verdict.message}")
            raise typer.Exit(_EXITS[seen.verdict.decision])
        if time.monotonic() > until:
            raise CliError(
                Exit.UNKNOWN, f"No {what} after {timeout} s: {seen.message or 'nothing observed'}"
            )
        time.sleep(POLL_SECONDS)


_EXITS: Final = {
    Decision.PROCEED_TO_CANARY: Exit.GREEN,
    Decision.INVESTIGATE: Exit.NO,
    Decision.EXTEND_SHADOW: Exit.UNKNOWN,
}
