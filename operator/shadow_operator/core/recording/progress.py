"""How far one resource has come: what `plan` must remember between two reconciles.

Most of what the operator knows is read from the cluster each time. This is the rest; it is stored
in the evidence ConfigMap, in the same write as the ledger.
"""

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

PROGRESS_KEY: Final = "progress.json"
"""Key in the data of the evidence ConfigMap."""


class Progress(BaseModel):
    """Facts that can't be read from the cluster. Times are seconds since the epoch."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    epoch: str = ""
    """Current epoch: hash of what the evidence belongs to, and a number."""
    shadow_image: str = ""
    """Image id that the shadow's pods ran when they were last copied to, in this epoch."""
    production_image: str = ""
    """The same for the reference's pods, which run production's version."""
    isolated: bool | None = None
    """What the isolation probe showed; None: not tested, or it could not tell."""
    isolation_tested: float | None = None
    """When it showed that; None: not since the clones were last absent."""
    isolation_message: str = ""
    recording_since: float | None = None
    """Since when production is recorded in this epoch, before the first copy and after it."""
    mirroring_since: float | None = None
    """When copying began in this epoch."""
    mirroring: bool = False
    """Whether the last plan wanted copies."""
    off_reason: str = ""
    """Why copying last stopped."""
    down_since: float | None = None
    """Since when Envoy is on its way out."""
    repaired: tuple[str, ...] = ()
    """Which fields of which objects the last look found changed (`changes.repairs`)."""
    deployed: bool = False
    """Whether a shadow was asked for and accepted, and not taken down since."""
    finished: bool = False
    """The verdict of this epoch is final."""
    clone_restarts: int = 0
    """Restarts of the shadow's containers seen in this epoch."""

    headroom: str = ""
    """The epoch for which it was read how much room there is (`headroom`)."""

    def stored(self) -> dict[str, str]:
        """Give the ConfigMap data that holds it."""
        return {PROGRESS_KEY: self.model_dump_json(exclude_defaults=True)}

    @classmethod
    def read(cls, data: Mapping[str, str] | None) -> "Progress":
        """Read it back; what can't be read counts as no progress, which is always safe."""
        try:
            return cls.model_validate_json((data or {}).get(PROGRESS_KEY, "{}"))
        except ValidationError:
            return cls()
