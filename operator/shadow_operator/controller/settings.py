"""Settings of an installation, from the environment; the chart sets them."""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shadow_operator.core.snapshot import Settings

PREFIX: Final = "SHADOW_"


class SettingsError(Exception):
    """The environment can't be used; the message says which variable and why."""


class OperatorSettings(BaseModel):
    """`SHADOW_<NAME>` in the environment."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    operator_image: str
    """Image of the operator itself: comparators and isolation probes run it too."""
    envoy_image: str = "envoyproxy/envoy:v1.40.0"
    """Image with `envoy` on its path, 1.30 or later."""
    interval_seconds: Annotated[float, Field(ge=1, le=300)] = 30.0
    """How often comparators are scraped and each resource is looked at, in seconds. A short one is
    for trying things out: evidence is written once in each interval."""
    cluster_domain: str = "cluster.local"
    """DNS domain of the cluster's Services."""
    image_pull_policy: str = "IfNotPresent"
    """For comparators, probes and Envoy."""
    image_pull_secrets: str = ""
    """Names of Secrets by which comparators, probes and Envoy pull their images, comma separated.
    They must be in the namespace of each ShadowDeployment: the operator can't read or copy them."""
    clone_priority_class: str = ""
    """PriorityClass of shadow and reference. Empty: the cluster's default."""
    prometheus_url: Annotated[str, Field(pattern="^(https?://.+)?$")] = ""
    """Where a Prometheus answers, e.g. `http://prometheus.monitoring:9090`; it tells which alerts
    began, how much is logged, and how busy the nodes' network is. Empty: none is asked."""
    prometheus_token: Annotated[str, Field(repr=False)] = ""
    """Bearer token for it."""
    grafana_url: Annotated[str, Field(pattern="^(https?://.+)?$")] = ""
    """Grafana that gets an annotation at start, pause, verdict and stop of each shadow, e.g.
    `http://grafana.monitoring:3000`. Empty: none is made."""
    grafana_token: Annotated[str, Field(repr=False)] = ""
    """Token of a service account of Grafana that may make annotations."""
    watch_namespaces: str = ""
    """Namespaces to serve, comma separated. Empty: all, which needs a ClusterRole."""
    liveness_address: str = "http://0.0.0.0:8080/healthz"
    """Where the kubelet asks whether the operator lives."""
    log_format: str = "json"
    """`json`, or `console` for people."""
    namespace: str = "shadow-system"
    """Where the operator runs (`POD_NAMESPACE`): the network policies let it in."""
    instance: str = "shadow-operator"
    """Label `app.kubernetes.io/instance` of the operator's pods."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "OperatorSettings":
        """Read them; raise `SettingsError` with a sentence."""
        values = {
            name: environ[PREFIX + name.upper()]
            for name in cls.model_fields
            if environ.get(PREFIX + name.upper())
        }
        if "POD_NAMESPACE" in environ:
            values["namespace"] = environ["POD_NAMESPACE"]
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            problem = error.errors()[0]
            variable = PREFIX + str(problem["loc"][0]).upper()
            raise SettingsError(
                f"Set the environment variable {variable}: {problem['msg']}."
            ) from error

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces to serve; none: all."""
        return _names(self.watch_namespaces)

    def for_decisions(self) -> Settings:
        """Give the part that decisions read."""
        return Settings(
            operator_image=self.operator_image,
            envoy_image=self.envoy_image,
            operator_namespace=self.namespace,
            operator_labels={
                "app.kubernetes.io/name": "shadow-operator",
                "app.kubernetes.io/instance": self.instance,
            },
            interval_seconds=self.interval_seconds,
            cluster_domain=self.cluster_domain,
            image_pull_policy=self.image_pull_policy,
            image_pull_secrets=_names(self.image_pull_secrets),
            clone_priority_class=self.clone_priority_class,
        )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for part in text.split(",") if (name := part.strip()))
