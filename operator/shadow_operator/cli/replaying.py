"""Sends a request from the user's machine to both clones, and shows how their answers differ.

It goes to one pod of each, as `kubectl port-forward` does, with the user's own rights. Nothing of
it is kept, counted or sent elsewhere.
"""

import difflib
import hashlib
import json
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shadow_operator.api.evidence import MARKER_HEADER, SAFE_METHODS
from shadow_operator.api.names import LABEL_ROLE, LABEL_SHADOW, Role
from shadow_operator.cli.commands import samples
from shadow_operator.cli.errors import CliError, Exit
from shadow_operator.cli.target import Target
from shadow_operator.core.comparing.answer import Answer, Text
from shadow_operator.core.counting.replay import Counted, count

if TYPE_CHECKING:
    from shadow_operator.api.resource import ShadowDeployment
    from shadow_operator.cli.access import Access

SECONDS: Final = 30.0
"""How long a clone may take to answer."""
LARGEST_BYTES: Final = 16 << 20
"""Of an answer; more is not shown."""
SEARCHED: Final = 500
"""Samples among which the request id is looked for."""


def replay(target: Target, request_id: str, file: Path, *, unsafe: bool) -> Exit:
    """Send the file's request to both clones, print the difference; give the exit status."""
    request = read_request(file)
    if request.method not in SAFE_METHODS and not unsafe:
        raise CliError(
            Exit.USAGE,
            f"{request.method} may change the state of the clones, and they would differ from then "
            "on; say --unsafe where that does not matter.",
        )
    resource = target.read()
    for line in _sample(target.access, resource, request_id):
        print(line)
    reference, shadow = _both(target.access, resource, request)
    path = request.path.partition("?")[0]
    counted = count(
        resource.spec, request.method, path, reference=reference.answer, shadow=shadow.answer
    )
    for line in (*_heads(request, reference, shadow), *_difference(reference, shadow)):
        print(printable(line))
    for line in _counted(counted):
        print(line)
    if not counted.compared:
        return Exit.UNKNOWN
    return Exit.NO if counted.mismatch else Exit.GREEN


# The request


class Request(BaseModel):
    """What the user supplies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Annotated[str, Field(pattern="^[A-Z]{3,10}$")] = "GET"
    path: Annotated[str, Field(pattern=r"^/[!-~]*$", max_length=8192)]
    """With its query, as it is sent."""
    headers: dict[
        Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")],
        Annotated[str, Field(pattern=r"^[\t -~\u0080-\u00ff]*$")],
    ] = {}
    body: Any = None
    """A string is sent as it is, anything else as JSON."""

    def content(self) -> bytes | None:
        """Give the body as it is sent."""
        if self.body is None:
            return None
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()

    def all_headers(self, host: str) -> dict[str, str]:
        """Give all headers; `host` where the user names none."""
        given = {name.lower() for name in self.headers}
        json_type = {"Content-Type": "application/json"}
        added = json_type if self.body is not None and not isinstance(self.body, str) else {}
        defaults = {"Host": host, "Accept": "*/*", MARKER_HEADER: "replay", **added}
        return {n: v for n, v in defaults.items() if n.lower() not in given} | self.headers


def read_request(file: Path) -> Request:
    """Read the user's file; raise `CliError` with what is wrong in it, not with its content."""
    try:
        return Request.model_validate_json(file.read_bytes())
    except OSError as error:
        raise CliError(Exit.USAGE, f"{file} can't be read: {error.strerror}.") from error
    except ValidationError as error:
        problem = error.errors(include_input=False)[0]
        where = ".".join(map(str, problem["loc"])) or "the file"
        raise CliError(
            Exit.USAGE,
            f"{file} is no request: {where}: {problem['msg']}. Write for example: "
            '{"method": "GET", "path": "/api/v1/status", "headers": {"Accept": "text/html"}}',
        ) from error


def _sample(access: "Access", resource: "ShadowDeployment", request_id: str) -> Iterable[str]:
    """Show the sample of this id; what is not remembered is sent all the same."""
    found, silent = samples.read(access, resource.name, SEARCHED)
    known = [one for one in found if one.sample.request_id == request_id]
    if known:
        return [f"Sample {request_id}:", *(line for one in known for line in samples.lines_of(one))]
    why = f" ({'; '.join(silent)})" if silent else ""
    return [f"No sample {request_id} is remembered{why}; the request is sent all the same."]


# To the clones and back


@dataclass(frozen=True)
class Seen:
    """What a clone answered."""

    role: Role
    pod: str
    answer: Answer
    seconds: float


def _both(access: "Access", resource: "ShadowDeployment", request: Request) -> tuple[Seen, Seen]:
    """Ask one pod of each at the same time, since answers may hold the time."""
    headers = request.all_headers(resource.spec.production_ref.service_name)
    where = [(role, *_pod(access, resource.name, role)) for role in (Role.REFERENCE, Role.SHADOW)]

    def ask(role: Role, pod: str, port: int) -> Seen:
        started = time.monotonic()
        answer = send(lambda: access.connect(pod, port), request, headers)
        return Seen(role, pod, answer, time.monotonic() - started)

    with ThreadPoolExecutor(2) as pool:
        reference, shadow = pool.map(lambda one: ask(*one), where)
    return reference, shadow


def _pod(access: "Access", name: str, role: Role) -> tuple[str, int]:
    """Give a ready pod of a role and the port where it serves."""
    pods = access.pods(f"{LABEL_SHADOW}={name},{LABEL_ROLE}={role}")
    ready = [pod["metadata"]["name"] for pod in pods if _is_ready(pod)]
    if not ready:
        raise CliError(
            Exit.UNKNOWN, f"No pod of {name}-{role} is ready; see: kubectl shadow status"
        )
    path = f"/api/v1/namespaces/{access.namespace}/services/{name}-{role}"
    service = json.loads(access.raw(path, "get services"))
    return ready[0], int(service["spec"]["ports"][0]["targetPort"])


def _is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def send(
    connect: Callable[[], socket.socket], request: Request, headers: Mapping[str, str]
) -> Answer:
    """Send it on a connection of its own; raise `CliError` where no answer comes."""
    connection = HTTPConnection("clone", timeout=SECONDS)
    try:
        connection.sock = connect()
        connection.sock.settimeout(SECONDS)
        connection.request(request.method, request.path, request.content(), dict(headers))
        answer = connection.getresponse()
        body = answer.read(LARGEST_BYTES + 1)
    except (OSError, HTTPException) as error:
        raise CliError(Exit.UNKNOWN, f"A clone gave no answer ({type(error).__name__}).") from error
    finally:
        connection.close()
    given: dict[str, str] = {}
    for name, value in answer.getheaders():
        lower = name.lower()
        joint = "\n" if lower == "set-cookie" else ", "
        given[lower] = f"{given[lower]}{joint}{value}" if lower in given else value
    cut = "BodyTooLarge" if len(body) > LARGEST_BYTES else ""
    return Answer(answer.status, given, b"" if cut else body, len(body), cut)


# What is shown


def _heads(request: Request, reference: Seen, shadow: Seen) -> Iterable[str]:
    yield f"{request.method} {request.path}"
    for seen in (reference, shadow):
        yield (
            f"  {seen.role} {seen.pod}: {seen.answer.status}, {seen.answer.size} bytes "
            f"in {1000 * seen.seconds:.0f} ms"
        )


def _difference(reference: Seen, shadow: Seen) -> Iterable[str]:
    return difflib.unified_diff(
        shown(reference.answer), shown(shadow.answer), "reference", "shadow", lineterm=""
    )


def shown(answer: Answer) -> list[str]:
    """Give an answer as lines: status, headers by name, and the body, JSON with sorted keys."""
    headers = [
        f"{name}: {value}"
        for name, values in sorted(answer.headers.items())
        for value in values.split("\n")
    ]
    return [f"HTTP {answer.status}", *headers, "", *_body(answer)]


def _body(answer: Answer) -> list[str]:
    if answer.cut:
        return [f"(more than {LARGEST_BYTES} bytes)"]
    content = answer.content
    if not isinstance(content, Text):
        return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False).splitlines()
    try:
        return content.data.decode().splitlines()
    except UnicodeDecodeError:
        digest = hashlib.sha256(content.data).hexdigest()
        return [f"({len(content.data)} bytes that are no text, SHA-256 {digest[:16]})"]


def printable(line: str) -> str:
    """Give a line without what a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\t" else f"\\x{ord(c):02x}" for c in line)


def _counted(counted: Counted) -> Iterable[str]:
    yield f"Counted as: {counted.route} {counted.outcome}"
    for place, excuse in counted.places:
        detail = f" {place.detail}" if place.detail else ""
        why = f" ({excuse})" if excuse else ""
        yield f"  {place.path} {place.kind}{detail}{why}"
    if counted.mismatch:
        yield "Whether that is noise, controls tell: one pair alone does not show it."
