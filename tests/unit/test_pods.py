"""The few facts of a pod that decisions need."""

import datetime
from typing import Any

import pytest

from shadow_operator.core import pods
from shadow_operator.core.snapshot import Pod

BARE: dict[str, Any] = {
    "metadata": {"name": "a", "uid": "u"},
    "spec": {"containers": [{"name": "proxy"}, {"name": "web"}]},
}


NOW = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC).timestamp()


def read_pod(manifest: dict[str, Any], name: str | None = None) -> Pod:
    return pods.read_pod(manifest, name, now=NOW)


def container(name: str, **changes: Any) -> dict[str, Any]:
    ids = {"imageID": f"img-{name}", "containerID": f"c-{name}"}
    return {"name": name, "restartCount": 1, "state": {"running": {}}, **ids, **changes}


def pod(*containers: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {**BARE, "status": {"containerStatuses": list(containers), **status}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return container("proxy", state={"waiting": {"reason": reason, "message": message}})


def test_a_pod_that_was_just_made_says_little() -> None:
    seen = read_pod(BARE)
    assert (seen.role, seen.ip, seen.ready, seen.image_id) == ("production", "", False, "")


@pytest.mark.parametrize(
    ("name", "image"), [(None, "img-proxy"), ("web", "img-web"), ("another", "img-proxy")]
)
def test_the_image_is_the_one_that_serves(name: str | None, image: str) -> None:
    assert read_pod(pod(container("proxy"), container("web")), name).image_id == image


def test_restarts_of_all_containers_count() -> None:
    seen = read_pod(pod(container("proxy"), container("web")))
    assert (seen.restarts, seen.container_id) == (2, "c-proxy c-web")


def test_why_it_last_ended_is_known() -> None:
    ended = container("proxy", lastState={"terminated": {"reason": "OOMKilled"}})
    assert read_pod(pod(ended)).last_termination == "OOMKilled"


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (pod(waiting("CrashLoopBackOff")), "CrashLoopBackOff"),
        (pod(waiting("ImagePullBackOff", "no such image")), "ImagePullBackOff: no such image"),
        (pod(waiting("ContainerCreating")), ""),
        (pod(waiting("PodInitializing")), ""),
        (pod(container("proxy")), ""),
        (
            pod(
                conditions=[
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/1 nodes are available: 1 Insufficient cpu. no new claims "
                        "to deallocate, preemption: not eligible.",
                    }
                ]
            ),
            "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu",
        ),
    ],
)
def test_why_it_does_not_run(status: dict[str, Any], why: str) -> None:
    assert read_pod(status).waiting == why


@pytest.mark.parametrize(
    ("status", "ready"), [("True", True), ("False", False), ("Unknown", False)]
)
def test_it_is_ready_when_its_condition_says_so(status: str, ready: bool) -> None:
    assert read_pod(pod(conditions=[{"type": "Ready", "status": status}])).ready is ready


def test_labels_and_deletion_are_read() -> None:
    metadata = {
        **BARE["metadata"],
        "labels": {"hal9.ai/role": "shadow"},
        "deletionTimestamp": "2026-01-01T12:00:30Z",
    }
    seen = read_pod({**BARE, "metadata": metadata})
    assert (seen.role, seen.terminating, seen.ends_by) == ("shadow", True, NOW + 30.0)


READY = {"conditions": [{"type": "Ready", "status": "True"}]}


@pytest.mark.parametrize(
    ("deleted", "status", "ip"),
    [
        pytest.param(None, {"phase": "Running"}, "10.0.0.1", id="it runs"),
        pytest.param(None, {"phase": "Failed"}, "", id="it was evicted"),
        pytest.param(None, {"phase": "Succeeded"}, "", id="it has ended"),
        pytest.param("12:00:30", {}, "10.0.0.1", id="it is stopping"),
        pytest.param("11:59:10", {}, "10.0.0.1", id="it is a little late"),
        pytest.param("11:58:50", {}, "", id="its node is lost"),
        pytest.param("11:58:50", READY, "10.0.0.1", id="it is late but answers"),
    ],
)
def test_a_pod_that_is_gone_has_no_address(
    deleted: str | None, status: dict[str, Any], ip: str
) -> None:
    deletion = {"deletionTimestamp": f"2026-01-01T{deleted}Z"} if deleted else {}
    metadata = BARE["metadata"] | deletion
    assert (
        read_pod({**BARE, "metadata": metadata, "status": status | {"podIP": "10.0.0.1"}}).ip == ip
    )
