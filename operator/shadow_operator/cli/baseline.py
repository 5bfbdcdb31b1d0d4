"""The baseline: production as it runs before the start, recorded for as long as is asked for."""

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from shadow_operator.api.enums import RequestedPhase
from shadow_operator.cli import evidence, waiting
from shadow_operator.cli.errors import CliError, Exit
from shadow_operator.cli.target import Output, Target
from shadow_operator.cli.text import YES, mark, show, write
from shadow_operator.core.wording import cpu, memory, percent
from shadow_operator.core.wording import duration as written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shadow_operator.api.resource import ShadowDeployment
    from shadow_operator.cli.evidence import Evidence, Recorded

ENOUGH: Final = 0.9
"""Share of the time asked for that must be recorded: records don't end with the clock."""
PATIENCE_SECONDS: Final = 300.0
"""Waited for besides the time asked for: the operator looks once in a minute."""


def baseline(target: Target, wanted: int, file: str | None) -> None:
    """Wait until so many seconds without copies are recorded; print them, and save them as JSON."""
    resource, found = _wait(target, wanted)
    shown = _as_json(resource, found)
    if file:
        write(file, json.dumps(shown, indent=2).splitlines())
    if target.form in {Output.JSON, Output.YAML}:
        show(target.form, shown)
        return
    print(f"{mark(YES)} Baseline of {written(found.seconds)} recorded{_saved(file)}")
    for line in _lines(found):
        print(line)


def _saved(file: str | None) -> str:
    return f", saved to {file}" if file else ""


def _wait(target: Target, wanted: int) -> "tuple[ShadowDeployment, Recorded]":
    until = time.monotonic() + wanted + PATIENCE_SECONDS
    with waiting.following(wanted) as tell:
        while True:
            resource = target.read()
            known = evidence.parse(target.access.evidence(resource.name), resource.name)
            found = evidence.recording(known, wanted)
            seconds = found.seconds if found else 0.0
            if found is not None and seconds >= ENOUGH * wanted:
                return resource, found
            _check_that_it_goes_on(resource, known, seconds, wanted)
            if time.monotonic() > until:
                raise CliError(
                    Exit.UNKNOWN,
                    f"Only {written(seconds)} of {written(wanted)} were recorded; does the "
                    "operator run? See: kubectl shadow status",
                )
            tell(seconds, f"Recorded {written(seconds)} of {written(wanted)}")
            time.sleep(waiting.POLL_SECONDS)


def _check_that_it_goes_on(
    resource: "ShadowDeployment", known: "Evidence", seconds: float, wanted: int
) -> None:
    idle = resource.spec.phase is RequestedPhase.NONE
    if idle and not known.baseline.meter.processes and (why := evidence.without_metrics(known)):
        raise CliError(
            Exit.UNKNOWN,
            f"Nothing of production can be recorded before the start: {why}, and its own metrics "
            "tell nothing. Its requests are recorded for guard.baselineSeconds before the first "
            "copy.",
        )
    mirror = resource.status.mirror
    if not idle and mirror and mirror.effective_percent:
        raise CliError(
            Exit.UNKNOWN,
            f"Copies are made, and before them {written(seconds)} were recorded; for "
            f"{written(wanted)} ask before the start, or set guard.baselineSeconds.",
        )


def _lines(found: "Recorded") -> "Iterator[str]":
    if found.ran:
        yield (
            f"production: {found.ran.rate:.1f} requests/s, "
            f"{percent(found.ran.error_rate)} errors, "
            f"p50 {found.ran.p50:.1f} ms, p99 {found.ran.p99:.1f} ms ({_BY[found.source]})"
        )
    else:
        yield (
            "production: its requests are not seen yet; they are recorded for "
            "guard.baselineSeconds before the first copy"
        )
    if found.used:
        yield (
            f"production: {found.used.pods} pods, {cpu(_mean(found.used.cpu))} and "
            f"{memory(_mean(found.used.memory))} each, at most {cpu(max(found.used.cpu))} and "
            f"{memory(max(found.used.memory))}"
        )


_BY: Final = {
    "envoy": "as Envoy counts",
    "metrics": "as its own metrics say",
    "prometheus": "as Prometheus says",
}


def _mean(values: tuple[int, ...]) -> float:
    return sum(values) / len(values)


def _as_json(resource: "ShadowDeployment", found: "Recorded") -> dict[str, object]:
    ran, used = found.ran, found.used
    return {
        "resource": f"{resource.namespace}/{resource.name}",
        "begin": _moment(found.begin),
        "end": _moment(found.end),
        "recordedSeconds": round(found.seconds),
        "requests": ran
        and {
            "source": found.source,
            "count": ran.requests,
            "perSecond": round(ran.rate, 3),
            "errorRate": round(ran.error_rate, 6),
            "p50Milliseconds": round(ran.p50, 1),
            "p99Milliseconds": round(ran.p99, 1),
        },
        "pods": used
        and {
            "source": "metrics-api",
            "count": used.pods,
            "cpuMillicores": {"mean": round(_mean(used.cpu)), "most": max(used.cpu)},
            "memoryBytes": {"mean": round(_mean(used.memory)), "most": max(used.memory)},
        },
    }


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
