"""The soak clock: how long the new version has run well under copied traffic.

It counts only time of which it is proved that copies were compared; so the elapsed time is never
more than the time on the wall.
"""

from typing import Final

from pydantic import BaseModel, ConfigDict

DEAD_MAN_SECONDS: Final = 300.0
"""A comparator that nobody reads goes on comparing for so long, then discards copies. Longer gaps
are not proved, whatever the counters say afterwards."""
SILENT_SECONDS: Final = 300.0
"""Without a copy for so long, nothing shows that the new version is still tested."""


class Soak(BaseModel):
    """State of the clock; times in seconds since the epoch."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    elapsed: float = 0.0
    """Seconds that counted since the last restart."""
    forfeited: float = 0.0
    """Of these, seconds up to the last moment at which a gate that rules can change had failed.
    A changed rule gives them back, because it re-judges the past without a new soak."""
    counted_to: float | None = None
    """Up to when time was counted; None while the clock stands for a known reason."""
    standstill: str = ""
    """Why it stands, one CamelCase word; empty while it runs."""
    last_restart: float | None = None
    restart_reason: str = ""
    """Why it last began at zero, as a clause."""
    failing: bool = False
    """That gate still fails: the clock stands at zero since `last_restart`."""
    complete_since: float | None = None
    """When it reached what the spec asks for."""

    @property
    def counted(self) -> float:
        """Seconds that count towards the required ones."""
        return self.elapsed - self.forfeited

    @property
    def started(self) -> bool:
        """Whether it ever ran."""
        return self.elapsed > 0.0 or self.counted_to is not None


def run(soak: Soak, *, now: float, interval: float) -> Soak:
    """Count up to `now`: copies are being compared, and were since the last reading.

    A gap (the operator was away) counts up to the dead man's time, because the caller has seen that
    the same processes went on comparing. After a standstill counting begins now: at most one
    interval is lost.
    """
    if soak.counted_to is None or now < soak.counted_to:
        return soak.model_copy(update={"counted_to": now, "standstill": ""})
    gained = min(now - soak.counted_to, max(DEAD_MAN_SECONDS, interval))
    return soak.model_copy(
        update={"elapsed": soak.elapsed + gained, "counted_to": now, "standstill": ""}
    )


def skip(soak: Soak, *, now: float, interval: float) -> Soak:
    """Go on after a gap in which nothing proves that copies were compared: one interval counts."""
    if soak.counted_to is None:
        return run(soak, now=now, interval=interval)
    return run(
        soak.model_copy(update={"counted_to": max(soak.counted_to, now - interval)}),
        now=now,
        interval=interval,
    )


def stop(soak: Soak, reason: str) -> Soak:
    """Stop without losing what was counted: pause, suspension, lost coverage."""
    return soak.model_copy(update={"counted_to": None, "standstill": reason})


def wait(soak: Soak, reason: str) -> Soak:
    """Stand until something can be read again; whether the gap counts is decided then."""
    return soak.model_copy(update={"standstill": reason})


def restart(soak: Soak, *, now: float, reason: str, failing: bool = False) -> Soak:
    """Begin at zero: the new version crashed, or a gate is `failing`."""
    return Soak(
        counted_to=None if soak.counted_to is None else now,
        standstill=soak.standstill,
        last_restart=_since(soak, now, reason) if failing else now,
        restart_reason=reason,
        failing=failing,
    )


def forfeit(soak: Soak, *, now: float, reason: str) -> Soak:
    """Begin at zero because of a gate that a changed rule may turn; rules can give it back."""
    return soak.model_copy(
        update={
            "forfeited": soak.elapsed,
            "last_restart": _since(soak, now, reason),
            "restart_reason": reason,
            "failing": True,
        }
    )


def hold(soak: Soak) -> Soak:
    """Go on: no gate fails."""
    return soak.model_copy(update={"failing": False}) if soak.failing else soak


def give_back(soak: Soak) -> Soak:
    """Return what was forfeited: under the rules of now the gate never failed."""
    if soak.forfeited == 0.0:
        return soak
    return soak.model_copy(
        update={"forfeited": 0.0, "last_restart": None, "restart_reason": "", "failing": False}
    )


def _since(soak: Soak, now: float, reason: str) -> float:
    """Give the moment from which on it stands at zero for this reason."""
    if soak.failing and soak.restart_reason == reason and soak.last_restart is not None:
        return soak.last_restart
    return now
