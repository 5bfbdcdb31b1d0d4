"""Reads answer Found, Missing or Unknown; writes raise a sentence."""

from pathlib import Path

import httpx
import pytest

from shadow_operator.adapters.kubernetes import ApiError, KubernetesApi, ServiceAccountAuth
from shadow_operator.core.snapshot import Found, Missing, ObjectRef, Unknown
from tests.support.api import FakeApi

REF = ObjectRef("v1", "Service", "web")
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
}


def answering(status: int, content: bytes = b"") -> KubernetesApi:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=content))
    return KubernetesApi(httpx.AsyncClient(transport=transport, base_url="http://api"))


def silent() -> KubernetesApi:
    def hang(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("secret detail", request=request)

    transport = httpx.MockTransport(hang)
    return KubernetesApi(httpx.AsyncClient(transport=transport, base_url="http://api"))


@pytest.mark.parametrize(
    ("api", "answer"),
    [
        (answering(404), Missing()),
        (answering(403, b'{"message": "forbidden: services"}'), Unknown("forbidden: services")),
        (answering(503), Unknown("the API server answered 503")),
        (answering(500, b"[]"), Unknown("the API server answered 500")),
        (answering(200, b"<html>"), Unknown("what answered is no API server")),
        (silent(), Unknown("the API server did not answer (ReadTimeout)")),
        (answering(200, b'{"kind": "Service"}'), Found({"kind": "Service"})),
    ],
    ids=str,
)
async def test_only_a_404_is_missing(api: KubernetesApi, answer: object) -> None:
    assert await api.get(REF, "shop") == answer


async def test_a_list_is_read_page_by_page_and_its_items_know_their_kind() -> None:
    pages = {
        "": b'{"metadata": {"continue": "more"}, "items": [{"metadata": {"name": "a"}}]}',
        "more": b'{"metadata": {}, "items": [{"metadata": {"name": "b"}}]}',
    }

    def page(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=pages[request.url.params.get("continue", "")])

    transport = httpx.MockTransport(page)
    api = KubernetesApi(httpx.AsyncClient(transport=transport, base_url="http://api"))
    listed = await api.list("v1", "Service", "shop")
    assert isinstance(listed, Found)
    assert [ObjectRef.of(item).name for item in listed.value] == ["a", "b"]
    assert {item["kind"] for item in listed.value} == {"Service"}


async def test_the_kind_of_a_list_may_be_missing() -> None:
    listed = await answering(404).list("monitoring.coreos.com/v1", "PodMonitor", "shop")
    assert listed == Missing()


@pytest.mark.parametrize(("status", "conflict"), [(409, True), (422, False), (403, False)])
async def test_a_refused_write_raises_the_servers_sentence(status: int, conflict: bool) -> None:
    with pytest.raises(ApiError, match="no room") as caught:
        await answering(status, b'{"message": "no room"}').apply(SERVICE, "shop")
    assert (caught.value.status, caught.value.conflict) == (status, conflict)


async def test_a_write_without_an_answer_raises_too() -> None:
    with pytest.raises(ApiError, match="did not answer"):
        await silent().create(SERVICE, "shop")


async def test_what_was_made_anew_meanwhile_is_not_deleted() -> None:
    fake = FakeApi(SERVICE)
    async with fake.client() as api:
        await api.delete(REF, "shop", "an older uid")
        assert isinstance(await api.get(REF, "shop"), Found)
        await api.delete(REF, "shop", "uid-1")
        assert await api.get(REF, "shop") == Missing()
        await api.delete(REF, "shop", "uid-1")


async def test_a_failed_deletion_raises() -> None:
    with pytest.raises(ApiError):
        await answering(500).delete(REF, "shop", "uid-1")


async def test_the_token_of_a_pod_is_sent_without_its_newline(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("abc\n")
    auth = ServiceAccountAuth(tmp_path / "token")
    transport = httpx.MockTransport(
        lambda request: httpx.Response(200, text=request.headers["Authorization"])
    )
    async with httpx.AsyncClient(transport=transport, auth=auth) as client:
        assert (await client.get("http://api")).text == "Bearer abc"
