"""Courses of numbers as a graph of characters."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import plotille

from shadow_operator.cli.text import is_plain
from shadow_operator.core.wording import cpu, memory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shadow_operator.cli.evidence import Used

WIDTH: Final = 64
HEIGHT: Final = 12
_COLOURS: Final = {"shadow": "cyan", "reference": "yellow", "production": "magenta"}
_MARKS: Final = {"shadow": "s", "reference": "r", "production": "p"}


def draw(use: "Mapping[str, Used]", field: str) -> str:
    """Draw `cpu` or `memory` of each role over time (UTC); from zero, so that growth is in scale.

    Without colours the line of each role is marked with its letter.
    """
    unit, plain = (memory if field == "memory" else cpu), is_plain()
    begin = min(one.times[0] for one in use.values())
    end = max(one.times[-1] for one in use.values())
    figure = plotille.Figure()
    figure.width, figure.height = WIDTH, HEIGHT
    figure.with_colors, figure.color_mode = not plain, "names"
    figure.x_label, figure.y_label = "UTC", field
    figure.set_x_limits(min_=begin, max_=max(end, begin + 1))
    most = max(max(getattr(one, field)) for one in use.values())
    figure.set_y_limits(min_=0, max_=1.1 * most or 1)
    figure.y_ticks_fkt = lambda low, _: f"{unit(low):>9}"
    figure.x_ticks_fkt = lambda low, _: f"{datetime.fromtimestamp(low, UTC):%H:%M}"
    for role, one in use.items():
        figure.plot(
            list(one.times),
            list(getattr(one, field)),
            label=role,
            lc=None if plain else _COLOURS[role],
            marker=_MARKS[role] if plain else None,
        )
    return str(figure.show(legend=True))
