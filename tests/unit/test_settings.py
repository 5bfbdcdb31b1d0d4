"""Settings come from the environment, and a wrong one is named."""

import pytest

from shadow_operator.controller.settings import OperatorSettings, SettingsError

IMAGE = {"SHADOW_OPERATOR_IMAGE": "operator:1"}


def test_the_image_is_all_that_has_to_be_set() -> None:
    settings = OperatorSettings.from_environment(IMAGE)
    assert (settings.interval_seconds, settings.namespaces) == (30.0, ())


def test_every_setting_can_be_set() -> None:
    environ = {
        "SHADOW_OPERATOR_IMAGE": "operator:2",
        "SHADOW_INTERVAL_SECONDS": "5",
        "SHADOW_CLUSTER_DOMAIN": "example.org",
        "SHADOW_INSTANCE": "mine",
        "SHADOW_IMAGE_PULL_SECRETS": "registry, mirror.example.com",
        "SHADOW_WATCH_NAMESPACES": "shop,hal9",
        "SHADOW_PROMETHEUS_URL": "http://prometheus:9090",
        "SHADOW_PROMETHEUS_TOKEN": "t0ken",
        "SHADOW_GRAFANA_URL": "http://grafana:3000",
        "SHADOW_GRAFANA_TOKEN": "gr4fana",
        "POD_NAMESPACE": "there",
        "SHADOW_UNKNOWN": "is somebody else's",
    }
    settings = OperatorSettings.from_environment(environ)
    assert settings.namespaces == ("shop", "hal9")
    assert settings.prometheus_url == "http://prometheus:9090"
    assert settings.grafana_url == "http://grafana:3000"
    assert not {"t0ken", "gr4fana"} & set(repr(settings).replace("'", " ").split())
    decisions = settings.for_decisions()
    assert decisions.operator_image == "operator:2"
    assert (decisions.interval_seconds, decisions.cluster_domain) == (5.0, "example.org")
    assert decisions.operator_namespace == "there"
    assert decisions.image_pull_secrets == ("registry", "mirror.example.com")
    assert decisions.operator_labels["app.kubernetes.io/instance"] == "mine"


def test_an_empty_variable_counts_as_unset() -> None:
    assert OperatorSettings.from_environment(IMAGE | {"SHADOW_INTERVAL_SECONDS": ""})


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({}, "SHADOW_OPERATOR_IMAGE"),
        (IMAGE | {"SHADOW_INTERVAL_SECONDS": "0"}, "SHADOW_INTERVAL_SECONDS"),
        (IMAGE | {"SHADOW_INTERVAL_SECONDS": "often"}, "SHADOW_INTERVAL_SECONDS"),
        (IMAGE | {"SHADOW_PROMETHEUS_URL": "prometheus:9090"}, "SHADOW_PROMETHEUS_URL"),
        (IMAGE | {"SHADOW_GRAFANA_URL": "grafana:3000"}, "SHADOW_GRAFANA_URL"),
    ],
)
def test_a_wrong_setting_is_named(environ: dict[str, str], variable: str) -> None:
    with pytest.raises(SettingsError, match=f"Set the environment variable {variable}: "):
        OperatorSettings.from_environment(environ)
