"""Commands that record what people decide: approve, reject, note."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from shadow_operator.api.base import utc_text
from shadow_operator.api.enums import Approval, Decision, RecordedDecision
from shadow_operator.cli.commands.change import gitops_manager
from shadow_operator.cli.errors import CliError, Conflict, Exit
from shadow_operator.cli.target import Target, command
from shadow_operator.cli.text import NO, YES, mark

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shadow_operator.api.resource import ShadowDeployment

Manifest = dict[str, Any]

MOST_RECORDS: Final = 32
"""Records that the resource holds."""
_ATTEMPTS: Final = 5

Why = Annotated[
    str, typer.Option("--note", "--text", help="Why; whoever reads the report sees it.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, "approve", example='kubectl shadow approve --note "as agreed"')(approve)
    command(app, "reject", example='kubectl shadow reject --note "too slow at noon"')(reject)
    command(app, "note", example='kubectl shadow note --text "the cache was cold"')(note)


def approve(target: Target, note: Why) -> None:
    """Approve the version that was judged, in your name.

    It holds for the epoch of evidence that status names, and lapses with it. It overrides no gate.
    """
    resource = _record(target, RecordedDecision.APPROVED, note)
    verdict = resource.status.verdict
    if resource.spec.approval is Approval.NOT_REQUIRED:
        print("The verdict does not wait for it: spec.approval is NotRequired.")
    elif verdict and verdict.decision is Decision.INVESTIGATE:
        print(f"It overrides no gate that failed. {verdict.message}")


def reject(target: Target, note: Why) -> None:
    """Reject the version that was judged, in your name."""
    resource = _record(target, RecordedDecision.REJECTED, note)
    if resource.spec.approval is Approval.NOT_REQUIRED:
        print("The verdict is not changed by it: spec.approval is NotRequired.")


def note(target: Target, text: Why) -> None:
    """Note something about the migration, in your name; the report shows it."""
    _record(target, RecordedDecision.NOTED, text)


def _record(target: Target, decision: RecordedDecision, why: str) -> "ShadowDeployment":
    """Add a record to the resource as it is then; two people can do that at once."""
    if not why.strip():
        raise CliError(Exit.USAGE, "Say why: --note is empty.")
    by = target.access.user()
    for attempt in range(1, _ATTEMPTS + 1):
        body = target.body()
        record = _written(body, decision, why, by)
        kept = _with_room(body)
        change = {
            "metadata": {"resourceVersion": body["metadata"].get("resourceVersion")},
            "spec": {"records": [*kept, record]},
        }
        try:
            resource = target.change(change, name=body["metadata"]["name"])
        except Conflict:
            if attempt == _ATTEMPTS:
                raise
        else:
            _say(resource, record)
            return resource
    raise AssertionError  # the last attempt returns or raises


def _written(body: Manifest, decision: RecordedDecision, why: str, by: str) -> Manifest:
    now = utc_text(datetime.now(UTC))
    record = {"time": now, "by": by, "decision": decision.value, "note": why}
    verdict: Mapping[str, str] = (body.get("status") or {}).get("verdict") or {}
    if decision is RecordedDecision.NOTED and not verdict:
        return record
    if not verdict:
        raise CliError(
            Exit.UNKNOWN,
            "Nothing was judged yet, so there is nothing to decide on; see: kubectl shadow status",
        )
    image = verdict.get("shadowImageID")
    return {**record, "epoch": verdict["epoch"], **({"shadowImageID": image} if image else {})}


def _with_room(body: Manifest) -> list[Manifest]:
    """Give the records that stay beside a new one: the oldest that decides nothing now goes."""
    records: list[Manifest] = list(body["spec"].get("records") or ())
    if len(records) < MOST_RECORDS:
        return records
    verdict = (body.get("status") or {}).get("verdict") or {}
    idle = [one for one in records if one.get("epoch") != verdict.get("epoch")]
    if not idle:
        raise CliError(
            Exit.USAGE,
            f"spec.records has {MOST_RECORDS} records of this epoch, and no room for another; "
            "remove one of your own first.",
        )
    oldest = min(idle, key=lambda one: str(one["time"]))
    print(f"There is no room for more than {MOST_RECORDS} records: that of {oldest['time']} goes.")
    records.remove(oldest)
    return records


def _say(resource: "ShadowDeployment", record: Manifest) -> None:
    sign = NO if record["decision"] == RecordedDecision.REJECTED else YES
    about = f" (epoch {record['epoch']})" if "epoch" in record else ""
    where = f"{resource.namespace}/{resource.name}{about}"
    print(f"{mark(sign)} {record['decision']} by {record['by']}: {where}: {record['note']}")
    if manager := gitops_manager(resource):
        print(f"{manager} manages this resource; commit to keep it so:")
        print(f"  records: [{json.dumps(record, ensure_ascii=False)}]")
