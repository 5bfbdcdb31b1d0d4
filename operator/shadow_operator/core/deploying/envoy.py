"""The configuration of the Envoy in production's path: transparent, and copying some requests.

Sources: Envoy's v3 API reference (1.40). What can't be the same as without Envoy stands in
docs/envoy.md.

An Envoy process has three kinds of listeners: one for each port of production's Service, of which
one is mirrored (HTTP) and the others are plain TCP; the admin interface, on loopback only; and the
control listener, which lets a few admin calls through to the operator and the kubelet.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from shadow_operator.api.spec import Mirror
from shadow_operator.core.deploying import envoy_http
from shadow_operator.core.deploying.envoy_http import (
    COMPARATOR,
    HTTP1,
    LARGEST_COPY_BYTES,
    PERCENT_KEY,
    PRODUCTION,
    Config,
    buffer_bytes,
    header,
    router,
    typed,
)
from shadow_operator.core.deploying.envoy_mix import (
    COUNTERS,
    HISTOGRAMS,
    access_log,
    virtual_clusters,
)

ADMIN_PORT: Final = 9901
"""Loopback only."""
CONTROL_PORT: Final = 9902


@dataclass(frozen=True, slots=True)
class Process:
    """One of the Envoys that share a pod, and what it does not share."""

    name: str
    """Of its container."""
    admin_port: int
    control_port: int


PROCESSES: Final = (
    Process("envoy", ADMIN_PORT, CONTROL_PORT),
    Process("envoy-twin", 9903, 9904),
)
"""Both listen on the same ports (SO_REUSEPORT). Where one dies, the kernel gives new connections to
the other at once; with one alone they would be refused until every node knows."""
CONTROL_PORTS: Final = tuple(process.control_port for process in PROCESSES)

READY_PATH: Final = "/ready"
"""200 while Envoy serves; 503 while it drains."""
REACHABLE_PATH: Final = "/reachable"
"""200 once Envoy can open a connection to production. Asked before the first request only: what
happens to production later must look through Envoy as it looks without."""
RUNTIME_PATH: Final = "/runtime"

ELIGIBLE: Final = f"vhost.{PRODUCTION}.route.{envoy_http.ELIGIBLE}"
OTHER: Final = f"vhost.{PRODUCTION}.route.{envoy_http.OTHER}"
STREAM: Final = f"vhost.{PRODUCTION}.route.{envoy_http.STREAM}"
ROUTES: Final = (ELIGIBLE, OTHER, STREAM)
SENT: Final = "upstream_rq_total"
SENT_AGAIN: Final = "upstream_rq_retry"
"""The two counters of a route: each request is counted once in their difference."""
ANSWERED: Final = "upstream_rq_completed"
ERRORS: Final = "upstream_rq_5xx"
"""Answers with such a status, and requests that could not be sent on: Envoy answers them itself."""
LATENCIES: Final = tuple(f"{route}.upstream_rq_time" for route in (ELIGIBLE, OTHER))
"""Histograms, from the end of a request to the end of its answer, in whole milliseconds."""
COPIES: Final = f"cluster.{COMPARATOR}.upstream_rq_total"
COPIES_FAILED: Final = f"cluster.{COMPARATOR}.upstream_rq_5xx"
"""Envoy itself answers a copy that can't be sent, or is given up, with a status of this class."""
ACTIVE: Final = (
    r"http\.production\.downstream_rq_active|cluster\.production-\d+\.upstream_cx_active"
)
"""Matches the gauges of requests (with upgraded connections) and TCP connections in progress."""

_COUNTERS: Final = (
    *(f"{route}.{counter}" for route in ROUTES for counter in (SENT, SENT_AGAIN, ANSWERED, ERRORS)),
    *LATENCIES,
    COPIES,
    COPIES_FAILED,
)
STATS_PATH: Final = "/stats?format=json&histogram_buckets=detailed&filter=" + quote(
    f"^({'|'.join((*map(re.escape, _COUNTERS), ACTIVE, COUNTERS, HISTOGRAMS))})$", safe=""
)
"""What the operator reads."""

COPY_SECONDS: Final = 5
"""A comparator answers a copy before it asks a clone; a copy that takes longer is given up."""
MAX_COPIES: Final = 256
"""Copies in flight at most, per Envoy: this bounds the memory that a frozen comparator costs."""

UNLIMITED: Final = 1_000_000_000
"""Above any number of connections that a machine has, below the largest 32-bit number."""


@dataclass(frozen=True, slots=True)
class Port:
    """A TCP port of production's Service, and how it passes through Envoy."""

    number: int
    """Port of production's Service, and of the entry."""
    listener: int
    """Where Envoy listens."""
    upstream: int
    """Where Envoy connects to."""
    mirrored: bool
    """HTTP, with copies; else TCP, untouched."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where production is.

    Normally the cluster IP of production's Service: kube-proxy goes on choosing pods and following
    rollouts as it does without Envoy, and production needs no name resolution that it did not need
    before. A headless Service has no such address: there, `resolve` is true and `address` is its
    name, and Envoy balances over the pods.
    """

    address: str
    resolve: bool
    ports: tuple[Port, ...]


def bootstrap(
    mirror: Mirror,
    upstream: Upstream,
    *,
    comparator: tuple[str, int],
    max_body_bytes: int,
    templates: Sequence[str] = (),
    bind: str = "0.0.0.0",  # noqa: S104  # a pod listens on all its addresses
    admin_port: int = ADMIN_PORT,
    control_port: int = CONTROL_PORT,
) -> Config:
    """Return Envoy's configuration as plain data.

    `comparator` is the host name (or address) and port that take the copies; requests with bodies
    over `max_body_bytes` are not copied. Production's answers are counted for each of `templates`.
    A started Envoy copies nothing until it is told to.
    """
    clusters = virtual_clusters(*envoy_http.eligible_and_other(mirror, max_body_bytes), templates)
    return {
        "admin": {"address": _address("127.0.0.1", admin_port)},
        # Histograms are as old as the last flush, and an interval must not be told from another's.
        "stats_flush_interval": "1s",
        "layered_runtime": {
            "layers": [
                {
                    "name": "static",
                    "static_layer": {
                        PERCENT_KEY: 0,
                        # A fragment in a request's path is dropped, not answered with 400.
                        "envoy.reloadable_features.http_reject_path_with_fragment": False,
                        # Templates and paths are longer than the 100 steps that are the default.
                        "re2.max_program_size.error_level": 1_000_000,
                    },
                },
                {"name": "admin", "admin_layer": {}},
            ]
        },
        "static_resources": {
            "listeners": [
                *(
                    _listener(port, mirror, max_body_bytes, bind, clusters)
                    for port in upstream.ports
                ),
                _control_listener(bind, control_port),
            ],
            "clusters": [
                *(_production_cluster(upstream, port) for port in upstream.ports),
                _comparator_cluster(*comparator, max_body_bytes),
                {
                    "name": "admin",
                    "type": "STATIC",
                    "load_assignment": _endpoint("admin", "127.0.0.1", admin_port),
                },
            ],
        },
    }


def _address(host: str, port: int) -> Config:
    return {"socket_address": {"address": host, "port_value": port}}


def _endpoint(cluster: str, host: str, port: int) -> Config:
    endpoint = {"endpoint": {"address": _address(host, port)}}
    return {"cluster_name": cluster, "endpoints": [{"lb_endpoints": [endpoint]}]}


# Listeners


def _listener(
    port: Port, mirror: Mirror, max_body_bytes: int, bind: str, clusters: Sequence[Config]
) -> Config:
    network_filter = (
        envoy_http.connection_manager(mirror, max_body_bytes, clusters, access_log())
        if port.mirrored
        else _tcp(port)
    )
    address = _address(bind, port.listener)
    address["socket_address"]["ipv4_compat"] = bind == "::"
    return {
        "name": _production(port),
        "address": address,
        "filter_chains": [{"filters": [network_filter]}],
    }


def _production(port: Port) -> str:
    return PRODUCTION if port.mirrored else f"{PRODUCTION}-{port.number}"


def _tcp(port: Port) -> Config:
    proxy = typed(
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix=_production(port),
        cluster=_production(port),
        idle_timeout="0s",
    )
    return {"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}


# Clusters


def _production_cluster(upstream: Upstream, port: Port) -> Config:
    name = _production(port)
    return {
        "name": name,
        **_discovery(resolve=upstream.resolve),
        "connect_timeout": "5s",
        "load_assignment": _endpoint(name, upstream.address, port.upstream),
        "circuit_breakers": _limits(UNLIMITED),
        **({**_connection_test(), **_upstream_protocol()} if port.mirrored else {}),
    }


def _connection_test() -> Config:
    """Open a connection until one succeeds, for `REACHABLE_PATH`, and then hardly ever.

    Requests go out whatever it finds, as they do without Envoy.
    """
    test = {
        "timeout": "2s",
        **dict.fromkeys(("no_traffic_interval", "unhealthy_interval"), "2s"),
        **dict.fromkeys(("no_traffic_healthy_interval", "interval"), "60s"),
        "healthy_threshold": 1,
        "unhealthy_threshold": 1,
        "tcp_health_check": {},
    }
    return {
        "health_checks": [test],
        "common_lb_config": {"healthy_panic_threshold": {"value": 100}},
        "ignore_health_on_host_removal": True,
    }


def _discovery(*, resolve: bool) -> Config:
    if not resolve:
        return {"type": "STATIC"}
    return {"type": "STRICT_DNS", "dns_lookup_family": "V4_PREFERRED"}


def _limits(most: int) -> Config:
    kinds = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    return {
        "thresholds": [
            {"priority": priority, **dict.fromkeys(kinds, most)} for priority in ("DEFAULT", "HIGH")
        ]
    }


_LARGE_HEADERS: Final = {"max_headers_count": 10_000, "max_response_headers_kb": 1024}


def _upstream_protocol() -> Config:
    """Speak to production as the client speaks to us."""
    options = typed(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        common_http_protocol_options={
            # Servers close idle connections after 2 s (gunicorn), 5 s (uvicorn, Node) or more; a
            # request that meets such a close fails. Opening a connection costs less than that.
            "idle_timeout": "1s",
            # kube-proxy chooses a pod for each connection: this is how new pods get their share.
            "max_connection_duration": "30s",
            **_LARGE_HEADERS,
        },
        use_downstream_protocol_config={
            "http_protocol_options": HTTP1,
            # Few streams for each connection, because each connection leads to one pod.
            "http2_protocol_options": {"allow_connect": True, "max_concurrent_streams": 4},
        },
    )
    return {
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options
        }
    }


def _comparator_cluster(host: str, port: int, max_body_bytes: int) -> Config:
    copied_bytes = min(max_body_bytes, LARGEST_COPY_BYTES)
    options = typed(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        common_http_protocol_options={
            "max_stream_duration": f"{COPY_SECONDS}s",
            "idle_timeout": "30s",
            "max_headers_count": 10_000,
        },
        explicit_http_config={"http_protocol_options": HTTP1},
    )
    return {
        "name": COMPARATOR,
        **_discovery(resolve=True),
        "connect_timeout": "1s",
        "load_assignment": _endpoint(COMPARATOR, host, port),
        "circuit_breakers": _limits(MAX_COPIES),
        "per_connection_buffer_limit_bytes": buffer_bytes(copied_bytes),
        # Production must not wait for the comparator's name.
        "wait_for_warm_on_init": False,
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options
        },
    }


# Control


def _control_listener(bind: str, port: int) -> Config:
    """Let through what the operator and the kubelet need, each call exactly as they make it."""
    get = header(":method", exact="GET")
    percent = rf"/runtime_modify\?{PERCENT_KEY.replace('.', '[.]')}=(100|[1-9]?[0-9])"
    allowed = (
        [get, header(":path", exact=READY_PATH)],
        [get, header(":path", exact=RUNTIME_PATH)],
        [get, header(":path", exact=STATS_PATH)],
        [header(":method", exact="POST"), header(":path", safe_regex={"regex": percent})],
    )
    manager = typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="control",
        route_config={
            "name": "control",
            "virtual_hosts": [
                {
                    "name": "control",
                    "domains": ["*"],
                    "routes": [
                        {
                            "match": {"prefix": "/", "headers": headers},
                            "route": {"cluster": "admin", "timeout": "5s"},
                        }
                        for headers in allowed
                    ],
                }
            ],
        },
        http_filters=[_reachable(), router()],
    )
    address = _address(bind, port)
    address["socket_address"]["ipv4_compat"] = bind == "::"
    return {
        "name": "control",
        "address": address,
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": manager,
                    }
                ]
            }
        ],
    }


def _reachable() -> Config:
    check = typed(
        "envoy.extensions.filters.http.health_check.v3.HealthCheck",
        pass_through_mode=False,
        headers=[header(":path", exact=REACHABLE_PATH)],
        cluster_min_healthy_percentages={PRODUCTION: {"value": 1}},
    )
    return {"name": "envoy.filters.http.health_check", "typed_config": check}
