"""The Tiltfile, run as the Python that Starlark is a part of, with Tilt's functions recorded."""

import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
Calls = dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]]


def _run(deployment: dict[str, Any]) -> Calls:
    calls: Calls = defaultdict(list)

    def recorded(name: str, result: Any = None) -> Callable[..., Any]:
        def call(*positional: Any, **named: Any) -> Any:
            calls[name].append((positional, named))
            return result

        return call

    names = ("load", "allow_k8s_contexts", "fall_back_on", "sync", "k8s_yaml", "k8s_resource")
    functions = {name: recorded(name) for name in (*names, "docker_build_with_restart")}
    functions["helm"] = recorded("helm", "rendered")
    functions["read_file"] = lambda path: (ROOT / path).read_text()
    functions["decode_yaml_stream"] = recorded("decode_yaml_stream", [deployment])
    functions["encode_yaml"] = functions["encode_yaml_stream"] = lambda value: value
    exec(compile((ROOT / "Tiltfile").read_text(), "Tiltfile", "exec"), functions)  # noqa: S102
    return calls


def _deployment() -> dict[str, Any]:
    pod = {"securityContext": {"runAsNonRoot": True}, "containers": [{"name": "operator"}]}
    return {"kind": "Deployment", "spec": {"template": {"spec": pod}}}


def test_the_inner_loop_names_files_and_values_that_exist() -> None:
    calls = _run(_deployment())
    [((synced, target), _)] = calls["sync"]
    assert (ROOT / synced / "__main__.py").exists()
    assert target.endswith("site-packages/shadow_operator")
    [((watched,), _)] = calls["fall_back_on"]
    assert all((ROOT / name).exists() for name in watched)
    [((chart,), options)] = calls["helm"]
    values = yaml.safe_load((ROOT / chart / "values.yaml").read_text())
    for setting in options["set"]:
        section, key = setting.split("=")[0].split(".")
        assert key in values[section]


def test_the_container_that_files_are_put_into_is_writable() -> None:
    deployment = _deployment()
    applied = [positional[0] for positional, _ in _run(deployment)["k8s_yaml"]]
    assert [deployment] in applied
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert "readOnlyRootFilesystem" not in container["securityContext"]


def test_one_user_makes_the_restart_file_in_the_image_and_writes_it_in_the_container() -> None:
    deployment = _deployment()
    [(_, options)] = _run(deployment)["docker_build_with_restart"]
    lines = options["dockerfile_contents"].splitlines()
    [*_, user] = [line.split()[1] for line in lines if line.startswith("USER ")]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert int(user.split(":")[0]) == container["securityContext"]["runAsUser"] == 0
    chart = (ROOT / "helm/shadow-operator/templates/deployment.yaml").read_text()
    mounted = re.findall(r"mountPath: (\S+)}", chart)
    assert mounted
    for path in mounted:
        assert not Path(options["restart_file"]).is_relative_to(path), "a volume hides it"
