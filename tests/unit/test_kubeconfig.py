"""What is said where a kubeconfig leads to no cluster, before anything goes over the network."""

from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from shadow_operator.cli.access import Access
from shadow_operator.cli.errors import CliError, Exit


def _kubeconfig(**user: Any) -> str:
    named = {"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "hal9"}}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [named],
            "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
            "users": [{"name": "u", "user": user}],
        }
    )


def _plugin(command: str, *args: str) -> str:
    version = "client.authentication.k8s.io/v1"
    return _kubeconfig(
        exec={
            "apiVersion": version,
            "command": command,
            "args": list(args),
            "interactiveMode": "Never",
        }
    )


NONE: Final = "No cluster: "
CREDENTIALS: Final = "No credentials: "


@pytest.mark.parametrize(
    ("text", "begins", "says"),
    [
        ("clusters: [", NONE, "is no kubeconfig"),
        ("just words", NONE, "is no kubeconfig"),
        ("- a list", NONE, "is no kubeconfig"),
        ("contexts: 7\ncurrent-context: c\n", NONE, "is no kubeconfig"),
        ("\x00\x01", NONE, "is no kubeconfig"),
        ("", NONE, "--kubeconfig"),
        ("apiVersion: v1\nkind: Config\n", NONE, "--context"),
        (_plugin("no-such-plugin"), CREDENTIALS, "no-such-plugin"),
        (_plugin("sh", "-c", "exit 7"), CREDENTIALS, "7"),
    ],
)
def test_what_leads_to_no_cluster_is_one_sentence(
    text: str, begins: str, says: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(CliError) as caught:
        Access(str(file), None, None)
    assert str(caught.value).startswith(begins)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.status is Exit.UNKNOWN
    assert capfd.readouterr() == ("", "")


def test_a_kubeconfig_that_is_whole_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(_kubeconfig(token="t"))
    assert Access(str(file), None, None).namespace == "hal9"
