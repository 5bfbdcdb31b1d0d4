"""The price of a decision as an SVG."""

from collections.abc import Callable, Iterable, Mapping
from math import log10
from typing import Final

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 760, 440, 90, 56, 24, 64
_X: Final = (0.00005, 0.05)
_Y: Final = (100.0, 1_000_000.0)
_INK, _GRID, _SEEN, _LEAST = "#24292f", "#d8dee4", "#0969da", "#8c959f"


def _x(rate: float) -> float:
    part = (log10(rate) - log10(_X[0])) / (log10(_X[1]) - log10(_X[0]))
    return _LEFT + part * (_WIDTH - _LEFT - _RIGHT)


def _y(pairs: float) -> float:
    part = (log10(pairs) - log10(_Y[0])) / (log10(_Y[1]) - log10(_Y[0]))
    return _HEIGHT - _BOTTOM - part * (_HEIGHT - _TOP - _BOTTOM)


def picture(costs: Mapping[float, float], least: Callable[[float], float], limit: float) -> str:
    """Draw true mismatches -> pairs up to the decision, beside the theoretical minimum."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="Helvetica, Arial, sans-serif" '
        f'font-size="13" fill="{_INK}">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        _text(_LEFT, 26, "Pairs until the match rate is decided (threshold 99.9 %)", size=16),
        *_axes(),
        *_limit(limit),
    ]
    for good in (True, False):
        seen = {rate: pairs for rate, pairs in costs.items() if (rate < limit) is good}
        low, high = (_X[0], 0.88 * limit) if good else (1.16 * limit, _X[1])
        curve = [low * (high / low) ** (step / 80) for step in range(81)]
        inside = [(rate, least(rate)) for rate in curve if _Y[0] <= least(rate) <= _Y[1]]
        parts += [
            _line(inside, f'stroke="{_LEAST}" stroke-width="2" stroke-dasharray="6 4"'),
            _line(seen.items(), f'stroke="{_SEEN}" stroke-width="2.5"'),
        ]
        parts += [
            f'<circle cx="{_x(r):.1f}" cy="{_y(p):.1f}" r="4.5" fill="{_SEEN}"/>'
            for r, p in seen.items()
        ]
    return "\n".join([*parts, *_legend(), "</svg>", ""])


def _axes() -> list[str]:
    parts = []
    for power in range(2, 7):
        y = _y(10.0**power)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="{_GRID}"/>')
        parts.append(_text(_LEFT - 10, y + 4, f"{10**power:,}", anchor="end"))
    for rate in (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03):
        x = _x(rate)
        parts.append(f'<path d="M{x:.1f} {_TOP}V{_HEIGHT - _BOTTOM}" stroke="{_GRID}"/>')
        parts.append(_text(x, _HEIGHT - _BOTTOM + 20, f"{100 * rate:g} %", anchor="middle"))
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(_text(middle, _HEIGHT - 16, "pairs that really differ", anchor="middle"))
    return parts


def _limit(limit: float) -> list[str]:
    x = _x(limit)
    return [
        f'<path d="M{x:.1f} {_TOP}V{_HEIGHT - _BOTTOM}" stroke="#cf222e" stroke-width="1.5"/>',
        _text(x - 8, _TOP + 16, "passes", anchor="end"),
        _text(x + 8, _TOP + 16, "fails"),
    ]


def _legend() -> list[str]:
    x, y = _WIDTH - 300, _TOP + 40
    return [
        f'<path d="M{x} {y}h36" stroke="{_SEEN}" stroke-width="2.5"/>',
        _text(x + 44, y + 4, "simulated mean, at every interval"),
        f'<path d="M{x} {y + 22}h36" stroke="{_LEAST}" stroke-width="2" stroke-dasharray="6 4"/>',
        _text(x + 44, y + 26, "least of any test (Wald)"),
    ]


def _line(points: Iterable[tuple[float, float]], style: str) -> str:
    path = " ".join(f"{_x(rate):.1f},{_y(pairs):.1f}" for rate, pairs in points)
    return f'<polyline points="{path}" fill="none" {style}/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 13) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{text}</text>'
