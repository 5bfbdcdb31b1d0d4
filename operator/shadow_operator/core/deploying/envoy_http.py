"""How HTTP passes through Envoy: unchanged, and which requests are copied.

Envoy's defaults change and limit what passes through it; each setting that departs from them says
why. Sources: Envoy's v3 API reference (1.40) and tests/integration/test_envoy_transparency.py.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

from shadow_operator.api.enums import PathMatchType
from shadow_operator.api.evidence import MARKER_HEADER
from shadow_operator.api.spec import Mirror, PathRule

Config: TypeAlias = dict[str, Any]
"""A part of Envoy's configuration as plain data."""

PRODUCTION: Final = "production"
"""Name of the cluster, and in the statistics of listener and virtual host, of the HTTP port."""
COMPARATOR: Final = "comparator"
"""Name of the cluster that takes the copies."""
ELIGIBLE: Final = "eligible"
OTHER: Final = "other"
STREAM: Final = "stream"
"""The names under which requests are counted: may be copied, or not, or is one that lasts as long
as its two ends like (upgrade, CONNECT, event stream, gRPC), so that its duration says nothing."""

PERCENT_KEY: Final = "shadow.percent"
"""The runtime key of the mirrored percentage."""

LARGEST_COPY_BYTES: Final = 1 << 20
"""Requests with a larger body are never copied, whatever the spec allows: see `buffer_bytes`."""


def typed(type_name: str, **fields: object) -> Config:
    """Return a message of this type."""
    return {"@type": f"type.googleapis.com/{type_name}", **fields}


def present(name: str) -> Config:
    """Match requests that have this header."""
    return {"name": name, "present_match": True}


def header(name: str, **match: object) -> Config:
    """Match requests by the value of a header (a `StringMatcher`)."""
    return {"name": name, "string_match": match}


HTTP1: Final[Config] = {
    "accept_http_10": True,
    "allow_absolute_url": True,
    "default_host_for_http_10": "localhost",
    "enable_trailers": True,
    # Names of headers as their sender wrote them: some servers and clients care.
    "header_key_format": {
        "stateful_formatter": {
            "name": "preserve_case",
            "typed_config": typed(
                "envoy.extensions.http.header_formatters.preserve_case.v3"
                ".PreserveCaseFormatterConfig",
                forward_reason_phrase=True,
            ),
        }
    },
}

_UPGRADES: Final = ("websocket", "CONNECT", "spdy/3.1", "tcp")
_IGNORED_UPGRADES: Final[Config] = {
    # Envoy answers 403 to an upgrade that isn't listed above. A server may ignore an upgrade
    # (RFC 9110, section 7.8), so the others (h2c, TLS/1.2, ...) are left out of the request.
    "ignore_http_11_upgrade": [{"safe_regex": {"regex": "(?i)([^wst].*|tls/.*)"}}]
}

_RESTORED_HEADERS: Final = (
    "x-forwarded-proto",
    "x-envoy-internal",
    "x-envoy-expected-rq-timeout-ms",
)
"""Headers that Envoy sets or takes away: each is kept aside on the way in and put back."""

_INSTRUCTIONS: Final = (
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-max-retries",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-retry-grpc-on",
    "x-envoy-retry-on",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-stream-duration-ms",
)
"""Headers by which a client could make Envoy send a request several times, or give it up."""


def _aside(name: str) -> str:
    return f"x-shadow-aside-{name}"


def _set_header(name: str, source: str) -> Config:
    """Copy a header; where the source is missing, nothing is added."""
    return {
        "header": {"key": name, "value": f"%REQ({source})%"},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }


def _early_mutation() -> Config:
    """Change a request before Envoy itself does."""
    mutation = typed(
        "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
        mutations=[
            *({"remove": _aside(name)} for name in _RESTORED_HEADERS),
            *({"append": _set_header(_aside(name), name)} for name in _RESTORED_HEADERS),
            *({"remove": name} for name in (*_RESTORED_HEADERS, *_INSTRUCTIONS)),
        ],
    )
    return {"name": "envoy.http.early_header_mutation.header_mutation", "typed_config": mutation}


def connection_manager(
    mirror: Mirror,
    max_body_bytes: int,
    virtual_clusters: Sequence[Config],
    access_log: Sequence[Config],
) -> Config:
    """Return the network filter of the mirrored port; the last two only count."""
    manager = typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=PRODUCTION,
        codec_type="AUTO",
        http_protocol_options=HTTP1 | _IGNORED_UPGRADES,
        http2_protocol_options={
            "allow_connect": True,
            "max_concurrent_streams": 2**31 - 1,
            "override_stream_error_on_invalid_http_message": True,
        },
        common_http_protocol_options={"idle_timeout": "3600s", "max_headers_count": 10_000},
        max_request_headers_kb=1024,
        upgrade_configs=[{"upgrade_type": upgrade} for upgrade in _UPGRADES],
        # Requests, answers and their headers stay as they are.
        use_remote_address=False,
        skip_xff_append=True,
        early_header_mutation_extensions=[_early_mutation()],
        generate_request_id=False,
        server_header_transformation="PASS_THROUGH",
        normalize_path=False,
        merge_slashes=False,
        path_with_escaped_slashes_action="KEEP_UNCHANGED",
        proxy_100_continue=True,
        stream_error_on_invalid_http_message=True,
        # Held requests and event streams last as long as production lets them.
        stream_idle_timeout="0s",
        request_timeout="0s",
        route_config=_routes(mirror, max_body_bytes, virtual_clusters),
        http_filters=[router()],
        access_log=list(access_log),
    )
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}


def router() -> Config:
    """Return the HTTP filter that sends a request on, and adds no header of its own."""
    router = typed("envoy.extensions.filters.http.router.v3.Router", suppress_envoy_headers=True)
    return {"name": "envoy.filters.http.router", "typed_config": router}


def _routes(mirror: Mirror, max_body_bytes: int, virtual_clusters: Sequence[Config]) -> Config:
    """Return the routes in order: the first that matches counts."""
    return {
        "name": PRODUCTION,
        # Applied after the virtual host's, so that what was kept aside is put back first.
        "request_headers_to_remove": [_aside(name) for name in _RESTORED_HEADERS],
        "virtual_hosts": [
            {
                "name": PRODUCTION,
                "domains": ["*"],
                "request_headers_to_remove": list(_RESTORED_HEADERS),
                "request_headers_to_add": [
                    _set_header(name, _aside(name)) for name in _RESTORED_HEADERS
                ],
                "routes": [
                    _route(_with_headers(match, headers), retry_on, copied_bytes)
                    for match, copied_bytes in _matches(mirror, max_body_bytes)
                    for headers, retry_on in _RETRIES
                ],
                "virtual_clusters": list(virtual_clusters),
            }
        ],
    }


def eligible_and_other(mirror: Mirror, max_body_bytes: int) -> tuple[list[Config], list[Config]]:
    """Give what the routes match that copy, and what those match that come before them."""
    matches = [(match, copied >= 0) for match, copied in _matches(mirror, max_body_bytes)]
    eligible = [match for match, is_copied in matches if is_copied]
    first = matches.index((eligible[0], True))
    return eligible, [match for match, _ in matches[:first]]


def _matches(mirror: Mirror, max_body_bytes: int) -> Iterator[tuple[Config, int]]:
    """Give what each route matches, and the largest body it copies, or why it copies nothing."""
    largest = min(max_body_bytes, LARGEST_COPY_BYTES)
    yield {"prefix": "/", "headers": [present(MARKER_HEADER)]}, _NO_COPY
    yield {"connect_matcher": {}}, _NO_COPY_OF_STREAMS
    for headers in _STREAMS:
        yield {"prefix": "/", "headers": headers}, _NO_COPY_OF_STREAMS
    for headers in _never_copied(largest):
        yield {"prefix": "/", "headers": headers}, _NO_COPY
    for rule in mirror.exclude:
        yield _path(rule), _NO_COPY
    method = header(":method", safe_regex={"regex": "|".join(mirror.methods)})
    for path in [_path(rule) for rule in mirror.include] or [{"prefix": "/"}]:
        yield {**path, "headers": [method]}, largest
    yield {"prefix": "/"}, _NO_COPY


_NO_COPY: Final = -1
_NO_COPY_OF_STREAMS: Final = -2


def _with_headers(match: Config, headers: list[Config]) -> Config:
    return {**match, "headers": [*match.get("headers", ()), *headers]}


def _path(rule: PathRule) -> Config:
    if rule.match is PathMatchType.EXACT:
        return {"path": rule.path}
    prefix = rule.path.rstrip("/")
    return {"path_separated_prefix": prefix} if prefix else {"prefix": "/"}


_STREAMS: Final = (
    [present("upgrade")],
    [header("accept", contains="text/event-stream", ignore_case=True)],
    [header("content-type", prefix="application/grpc", ignore_case=True)],
)


def _never_copied(largest: int) -> Sequence[list[Config]]:
    """Give, for each kind of request that can't be compared or copied safely, its headers."""
    too_large = {"range_match": {"start": largest + 1, "end": 2**63 - 1}}
    return (
        [present("transfer-encoding")],
        [{"name": "content-length", **too_large}],
        [
            header(":method", safe_regex={"regex": "POST|PUT|PATCH"}),
            {**present("content-length"), "invert_match": True},
        ],
    )


_UNSENT: Final = "connect-failure,refused-stream,reset-before-request"
_SAFE: Final = header(":method", safe_regex={"regex": "GET|HEAD|OPTIONS"})
_RETRIES: Final[tuple[tuple[list[Config], str], ...]] = (
    # A server that stops closes idle connections, and a request may just be on its way on one.
    # Clients send it again where that is safe (RFC 9110, section 9.2.2), but they would not after
    # the 503 that Envoy makes of it; so Envoy sends it again, on another connection.
    ([_SAFE], f"{_UNSENT},reset"),
    # Never again what production may have begun to work on.
    ([], _UNSENT),
)


def buffer_bytes(copied_bytes: int) -> int:
    """Give the size of the buffers between a request and its copy.

    A copy is sent while the request streams to production, and a comparator that takes no bytes
    holds the request up as soon as a buffer is full: 1 s while the copy can't connect, and else
    until it is given up (measured). So a copied body always fits, and is small.
    """
    return copied_bytes + 65_536


def _route(match: Config, retry_on: str, copied_bytes: int) -> Config:
    action: Config = {
        "cluster": PRODUCTION,
        "timeout": "0s",
        "retry_policy": {
            "retry_on": retry_on,
            "num_retries": 2,
            "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.1s"},
        },
    }
    if copied_bytes < 0:
        # What is kept of a body for a retry until production has taken it.
        return {
            **_named(STREAM if copied_bytes == _NO_COPY_OF_STREAMS else OTHER),
            "match": match,
            "request_body_buffer_limit": 65_536,
            "route": action,
        }
    action["request_mirror_policies"] = [
        {
            "cluster": COMPARATOR,
            "runtime_fraction": {
                "default_value": {"numerator": 0, "denominator": "HUNDRED"},
                "runtime_key": PERCENT_KEY,
            },
            "disable_shadow_host_suffix_append": True,
        }
    ]
    return {
        **_named(ELIGIBLE),
        "match": match,
        "request_body_buffer_limit": buffer_bytes(copied_bytes),
        "route": action,
    }


def _named(name: str) -> Config:
    """Count requests under this name, for counters and for access loggers."""
    return {"name": name, "stat_prefix": name}
