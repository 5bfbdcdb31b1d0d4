"""What people say about a migration, kept in the resource so that Git can hold it as well."""

from typing import Annotated

from pydantic import Field

from shadow_operator.api.base import Model, matching
from shadow_operator.api.enums import RecordedDecision

RecordTime = Annotated[
    str,
    Field(max_length=20),
    matching(
        r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$",
        "write the time in UTC and whole seconds, for example 2026-01-31T14:05:00Z",
    ),
]
"""A moment in UTC as text, so that the order of texts is the order of times."""


class Record(Model):
    """What a person decided or noted about the migration, and why."""

    time: RecordTime
    """When, in UTC and whole seconds, e.g. `2026-01-31T14:05:00Z`. Of two decisions about one
    epoch the later one counts."""

    by: Annotated[str, Field(min_length=1, max_length=253)]
    """Who: the user name that the API server knows. The chart's admission policy lets a person
    write only their own."""

    decision: RecordedDecision
    """`Approved` or `Rejected`, for the epoch that is named; `Noted` decides nothing."""

    note: Annotated[
        str,
        Field(max_length=512),
        matching(r"\S", "write why: whoever reads the record wants to know"),
    ]
    """Why, or what happened, for whoever reads the report."""

    epoch: Annotated[str, Field(min_length=1, max_length=32)] | None = None
    """The epoch of evidence that is meant, as `status.verdict.epoch` has it. A decision lapses with
    it: other images, or another configuration, need another decision."""

    shadow_image_id: Annotated[
        Annotated[str, Field(max_length=160)] | None, Field(alias="shadowImageID")
    ] = None
    """Image of the shadow that is meant, as `status.verdict.shadowImageID` has it; where it is set
    the decision holds for this image only."""
