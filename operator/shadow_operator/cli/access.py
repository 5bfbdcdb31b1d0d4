"""The API server, as kubectl reaches it: kubeconfig, in-cluster account, exec plugins."""

import builtins
import json
import logging
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlencode

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError
from yaml import YAMLError

from shadow_operator.api.names import GROUP, KIND, LABEL_EVIDENCE, PLURAL, SHORT_NAME, VERSION
from shadow_operator.cli.errors import CliError, Conflict, Exit
from shadow_operator.cli.happened import Happened, happened

TIMEOUT_SECONDS: Final = 10
_NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_INVALID: Final = 422
_CONFLICT: Final = 409
_UNTYPED: Final = "failed to create typed patch object"
"""What does not fit the schema, such as an unknown field; the API server answers it with 500."""
_FIELD_MANAGER: Final = "kubectl-shadow"

Manifest = dict[str, Any]


class Access:
    """ShadowDeployments of one namespace."""

    def __init__(self, kubeconfig: str | None, context: str | None, namespace: str | None) -> None:
        """Find the cluster; raise `CliError` where there is none to be found."""
        settings = client.Configuration()
        try:
            with _credentials():
                default = _load(settings, kubeconfig, context)
        except (ConfigException, OSError, ValueError) as error:
            raise _no_cluster(_first_line(error)) from error
        except (YAMLError, AttributeError, KeyError, TypeError) as error:  # of another shape
            file = kubeconfig or "What KUBECONFIG or ~/.kube/config holds"
            raise _no_cluster(f"{file} is no kubeconfig") from error
        self.namespace = namespace or default
        settings.retries = False
        self._server = settings.host
        self._client = client.ApiClient(settings)
        self._api = client.CustomObjectsApi(self._client)

    def list(self) -> list[Manifest]:
        """Give all of the namespace."""
        with self._explained("list"):
            answer = self._api.list_namespaced_custom_object(
                GROUP, VERSION, self.namespace, PLURAL, _request_timeout=TIMEOUT_SECONDS
            )
        return list(cast("Manifest", answer)["items"])

    def get(self, name: str) -> Manifest:
        """Give one by name."""
        with self._explained("get", name):
            found = self._api.get_namespaced_custom_object(
                GROUP, VERSION, self.namespace, PLURAL, name, _request_timeout=TIMEOUT_SECONDS
            )
        return cast("Manifest", found)

    def patch(self, name: str, change: Mapping[str, Any]) -> Manifest:
        """Apply a merge patch; the API server refuses what makes no sense."""
        with self._explained("patch", name):
            found = self._api.patch_namespaced_custom_object(
                GROUP,
                VERSION,
                self.namespace,
                PLURAL,
                name,
                dict(change),
                field_manager=_FIELD_MANAGER,
                _content_type="application/merge-patch+json",
                _request_timeout=TIMEOUT_SECONDS,
            )
        return cast("Manifest", found)

    def apply(self, manifest: Mapping[str, Any], *, force: bool) -> Manifest:
        """Apply a manifest server-side, in our own name; fields of others only by force."""
        name = str((manifest.get("metadata") or {}).get("name") or "")
        try:
            with self._reached():
                found = self._api.patch_namespaced_custom_object(
                    GROUP,
                    VERSION,
                    self.namespace,
                    PLURAL,
                    name,
                    dict(manifest),
                    field_manager=_FIELD_MANAGER,
                    field_validation="Strict",
                    force=force,
                    _content_type="application/apply-patch+yaml",
                    _request_timeout=TIMEOUT_SECONDS,
                )
        except ApiException as error:
            if error.status == _CONFLICT:
                says = f"{' '.join(_message(error).split())}; --force-conflicts takes them over."
                raise CliError(Exit.USAGE, says) from error
            if _UNTYPED in _message(error):
                says = f"The API server refuses the file: {_message(error)}"
                raise CliError(Exit.USAGE, says) from error
            # Without the kind there is no 404 for a name: applying creates it.
            raise self._refusal(error, "patch", "") from error
        # The client knows no answer to a patch that creates (201).
        return cast("Manifest", found) if found else self.get(name)

    def user(self) -> str:
        """Give the name by which the API server knows who asks (SelfSubjectReview)."""
        with self._explained("create"):
            answer = client.AuthenticationV1Api(self._client).create_self_subject_review(
                client.V1SelfSubjectReview(), _request_timeout=TIMEOUT_SECONDS
            )
        told = answer.status.user_info if answer.status else None
        if told is None or not told.username:
            raise CliError(Exit.UNKNOWN, "The API server does not say who you are.")
        return str(told.username)

    def pods(self, selector: str) -> builtins.list[Manifest]:
        """Give the pods of the namespace that a label selector takes."""
        return self._listed("pods", labelSelector=selector)

    def evidence(self, name: str) -> dict[str, dict[str, str]]:
        """Give what the operator recorded of one: name of a ConfigMap -> its data."""
        found = self._told("configmaps", labelSelector=f"{LABEL_EVIDENCE}={name}")
        return {one["metadata"]["name"]: one.get("data") or {} for one in found}

    def events(self, name: str) -> tuple[Happened, ...]:
        """Give what happened to one lately, the newest last."""
        about = f"involvedObject.kind={KIND},involvedObject.name={name}"
        return happened(self._told("events", fieldSelector=about))

    def _told(self, plural: str, **query: str) -> builtins.list[Manifest]:
        """List what a command can't do without; a refusal is the sentence that ends it."""
        try:
            return self._listed(plural, **query)
        except CliError as error:
            text = str(error)
            raise CliError(error.status, f"{text[0].upper()}{text[1:]}") from error

    def _listed(self, plural: str, **query: str) -> builtins.list[Manifest]:
        path = f"/api/v1/namespaces/{self.namespace}/{plural}?{urlencode(query, safe='/')}"
        return list(json.loads(self.raw(path, f"list {plural}"))["items"])

    def raw(self, path: str, what: str) -> bytes:
        """Give what the API server answers to a GET of this path, with the user's own rights.

        `what` says it in the words of `kubectl auth can-i`. Raises `CliError` for any answer but a
        success.
        """
        status, body = self.answer(path)
        if status in {401, 403}:
            where = f"in namespace {self.namespace}"
            raise CliError(
                Exit.UNKNOWN,
                f"you may not {what} {where}; see: kubectl auth can-i {what} -n {self.namespace}",
            )
        if not 200 <= status < 300:
            raise CliError(Exit.UNKNOWN, f"the API server answers {status} to: {what}")
        return body

    def answer(self, path: str) -> tuple[int, bytes]:
        """Give the status and the body of what the API server answers to a GET of this path."""
        api = self._client
        headers: dict[str, str] = {}
        api.update_params_for_auth(headers, [], ["BearerToken"], path, "GET", None)
        with self._reached():
            answer = api.call_api(
                "GET", self._server + path, headers, _request_timeout=TIMEOUT_SECONDS
            )
            return answer.status, bytes(answer.read())  # type: ignore[no-untyped-call]

    def connect(self, pod: str, port: int) -> socket.socket:
        """Open a connection to a port of a pod, through the API server and its kubelet.

        As `kubectl port-forward` does: no NetworkPolicy stands in its way, and nothing is changed
        in what is sent.
        """
        from kubernetes.stream import portforward  # noqa: PLC0415 - only this needs it

        try:
            forward = portforward(
                client.CoreV1Api(self._client).connect_get_namespaced_pod_portforward,
                pod,
                self.namespace,
                ports=str(port),
            )
        except ApiException as error:
            right = "create pods/portforward"
            raise CliError(
                Exit.UNKNOWN,
                f"No way to pod {pod} ({_first_line(error)}); see: "
                f"kubectl auth can-i {right} -n {self.namespace}",
            ) from error
        opened: socket.socket = forward.socket(port)
        return opened

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Say in a sentence that nothing answers."""
        try:
            yield
        except (HTTPError, OSError) as error:
            raise self._unreached(type(error).__name__) from error
        except ApiException as error:
            if error.status:
                raise
            raise self._unreached(" ".join(str(error.reason).split())) from error  # TLS fails so

    def _unreached(self, why: str) -> CliError:
        sentence = (
            f"The API server {self._server} does not answer ({why}); see: kubectl cluster-info"
        )
        return CliError(Exit.UNKNOWN, sentence)

    @contextmanager
    def _explained(self, verb: str, name: str = "") -> Iterator[None]:
        try:
            with self._reached():
                yield
        except ApiException as error:
            raise self._refusal(error, verb, name) from error

    def _refusal(self, error: ApiException, verb: str, name: str) -> CliError:
        status, where = error.status, f"namespace {self.namespace}"
        if status == 404 and name:
            return CliError(
                Exit.USAGE,
                f"There is no ShadowDeployment {name} in {where}; see: kubectl get {SHORT_NAME} -A",
            )
        if status == 404:
            return CliError(
                Exit.UNKNOWN,
                f"This cluster knows no ShadowDeployments; install the operator "
                f"({PLURAL}.{GROUP} is its definition).",
            )
        if status in {401, 403}:
            return CliError(
                Exit.UNKNOWN,
                f"You may not {verb} ShadowDeployments in {where}; see: "
                f"kubectl auth can-i {verb} {PLURAL}.{GROUP} -n {self.namespace}",
            )
        if status == _CONFLICT:
            return Conflict(Exit.UNKNOWN, f"{name} was changed meanwhile; try again.")
        return CliError(
            Exit.USAGE if status == _INVALID else Exit.UNKNOWN,
            f"The API server refuses to {verb} it: {_message(error)}",
        )


class _Failures(logging.Handler):
    """What the client only logs: that a plugin gives no credentials."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.heard.append(" ".join(record.getMessage().split()))


@contextmanager
def _credentials() -> Iterator[None]:
    """End in a sentence where the plugin fails, rather than ask without credentials."""
    failures, logger = _Failures(), logging.getLogger()
    logger.addHandler(failures)
    try:
        yield
    finally:
        logger.removeHandler(failures)
    if failures.heard:
        raise CliError(
            Exit.UNKNOWN, f"No credentials: {failures.heard[0]}; see: kubectl auth whoami"
        )


def _no_cluster(why: str) -> CliError:
    return CliError(
        Exit.UNKNOWN,
        f"No cluster: {why}. Set KUBECONFIG, or name a file with --kubeconfig and one of its "
        "contexts with --context.",
    )


def _load(settings: client.Configuration, kubeconfig: str | None, context: str | None) -> str:
    """Fill in the settings; give the namespace of the context."""
    try:
        contexts, active = config.list_kube_config_contexts(kubeconfig)  # type: ignore[no-untyped-call]
        config.load_kube_config(kubeconfig, context, client_configuration=settings)  # type: ignore[no-untyped-call]
    except ConfigException:
        if kubeconfig or context or not _NAMESPACE_FILE.exists():
            raise
        config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        return _NAMESPACE_FILE.read_text().strip()
    chosen = next((one for one in contexts if one["name"] == context), active)
    return str(chosen["context"].get("namespace") or "default")


def _message(error: ApiException) -> str:
    try:
        return str(json.loads(error.body or "")["message"])
    except (TypeError, KeyError, ValueError):
        return f"{error.status} {error.reason}"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else "unknown"
