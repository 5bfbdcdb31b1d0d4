"""How Envoy counts production's answers by status and size: of eligible requests, by template.

Envoy's name for it is a virtual cluster: a matcher of requests that are counted together, and
nothing else. The first that matches a request counts it. Statuses are counted for each, and for all
that is eligible. Sizes Envoy counts only for a whole upstream cluster; by virtual cluster an access
logger does, which writes into histograms and nowhere else (`envoy.access_loggers.stats`).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from shadow_operator.core.comparing import mix
from shadow_operator.core.deploying.envoy_http import ELIGIBLE, PRODUCTION, Config, header, typed

SKIPPED: Final = "skipped"
"""What is not eligible, and therefore in no template's mix."""

COUNTERS: Final = (
    rf"vhost\.{PRODUCTION}\.(?:route\.{ELIGIBLE}|vcluster\.([0-9a-f]{{8}}))"
    r"\.upstream_rq_([1-5]\d\d)"
)
"""Matches the counters that `statuses` reads."""
_COUNTER: Final = re.compile(COUNTERS)
HISTOGRAMS: Final = r"answers\.bytes\.template\.([0-9a-f]{8})?"
"""Matches the histograms that `sizes` reads; without a name it holds requests of no template."""
_HISTOGRAM: Final = re.compile(HISTOGRAMS)

Histogram: TypeAlias = Sequence[tuple[float, int]]
"""Lower bound of a bin, count."""


def virtual_clusters(
    copied: Sequence[Config], skipped: Sequence[Config], templates: Sequence[str]
) -> list[Config]:
    """Return the virtual clusters of the templates.

    `copied` and `skipped` are Envoy's matches (`RouteMatch`) of requests that are eligible and that
    are not, where those that are not come first.
    """
    paths = [_path_regex(match) for match in copied]
    included = [] if "" in paths else [_path(f"(?:{'|'.join(paths)})")]
    methods = copied[0].get("headers", [])
    return [
        *({"name": SKIPPED, "headers": headers} for headers in map(_headers, skipped) if headers),
        *(
            {
                "name": mix.key(template),
                "headers": [*methods, _path(_template_regex(template)), *included],
            }
            for template in templates[: mix.MOST_TEMPLATES]
        ),
    ]


def _headers(match: Config) -> list[Config]:
    """Write a match as headers, of which method and path are two."""
    if "connect_matcher" in match:
        return [header(":method", exact="CONNECT")]
    path = _path_regex(match)
    return [*match.get("headers", ()), *([_path(path)] if path else [])]


def _path_regex(match: Config) -> str:
    if "path" in match:
        return re.escape(str(match["path"]))
    prefix = match.get("path_separated_prefix")
    return rf"{re.escape(prefix)}(?:/[^?]*)?" if prefix else ""


def _template_regex(template: str) -> str:
    segments = template.split("/")[1:]
    return "".join(
        "/[^/?]*" if part.startswith("{") and part.endswith("}") else f"/{re.escape(part)}"
        for part in segments
    )


def _path(regex: str) -> Config:
    return header(":path", safe_regex={"regex": rf"{regex}(?:\?.*)?"})


def statuses(values: dict[str, int]) -> dict[str, dict[str, int]]:
    """Take the counters of statuses out of an Envoy's values: key of the mix -> group -> count."""
    found: dict[str, dict[str, int]] = {}
    for name in list(values):
        read = _COUNTER.fullmatch(name)
        if read:
            mine = found.setdefault(read[1] or mix.ALL, {})
            group = mix.group(int(read[2]))
            mine[group] = mine.get(group, 0) + values.pop(name)
    return found


def access_log() -> list[Config]:
    """Return the access logger that counts the sizes of whole bodies by virtual cluster.

    An answer that broke off, or whose client went away, has a flag.
    """
    expression = " && ".join(
        (
            f"xds.route_name == '{ELIGIBLE}'",
            "request.method != 'HEAD'",
            *(f"!('{name}' in request.headers)" for name in mix.NOT_WHOLE),
            "response.code == 200",
            "response.flags == 0",
        )
    )
    histogram = {
        "stat": {
            "name": "bytes",
            "tags": [{"name": "template", "value_format": "%VIRTUAL_CLUSTER_NAME%"}],
        },
        "unit": "Bytes",
        "value_format": "%BYTES_SENT%",
    }
    return [
        {
            "name": "envoy.access_loggers.stats",
            "filter": {
                "extension_filter": {
                    "name": "envoy.access_loggers.extension_filters.cel",
                    "typed_config": typed(
                        "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
                        expression=expression,
                    ),
                }
            },
            "typed_config": typed(
                "envoy.extensions.access_loggers.stats.v3.Config",
                stats_scope={"prefix": "answers"},
                histograms=[histogram],
            ),
        }
    ]


def sizes(histograms: Mapping[str, Histogram]) -> dict[str, dict[str, int]]:
    """Read an Envoy's histograms of bytes, by name: key of the mix -> class of sizes -> count."""
    found: dict[str, dict[str, int]] = {}
    for name, bins in histograms.items():
        read = _HISTOGRAM.fullmatch(name)
        for key in {mix.ALL, read[1] or mix.ALL} if read else ():
            mine = found.setdefault(key, {})
            for lower, count in bins:
                size = mix.size_class(round(lower))
                mine[size] = mine.get(size, 0) + count
    return found
