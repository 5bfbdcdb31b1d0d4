"""The runbook as it is written, line by line and in order, on a live shadow.

Changed in its lines are only hosts, the namespace, and waiting times: the output says by how much.
What comes of each line goes to build/runbook.txt.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.cluster import Progress
from dev.cluster.base import environment
from tests.support import hal9, runbook
from tests.support.kubectl import PATIENCE_SECONDS, Namespace
from tests.support.operator import ShadowCluster, fresh_namespace
from tests.support.runbook import Change, Kind, Line

ROOT = Path(__file__).parents[2]
FASTER = int(os.environ.get("RUNBOOK_FASTER", "60"))
"""By how much waiting times are shorter; 1 runs the runbook whole."""
PRODUCTION, GRAFANA = "api.hal9.production.example.com", "grafana.production.example.com"
SOAK_SECONDS = 86_400 // FASTER
"""The runbook's 24 hours; until then the runbook has taken the shadow down."""
LONGEST_SECONDS = 900 + 3600 // FASTER
"""What a command takes at most; one of the runbook's lasts half an hour."""
LEARNT = {
    "path": "header:x-hal9-learning",
    "maxPercent": "10",
    "reason": "What learning changes is meant to differ",
}
ENDLESS_SECONDS = 8
"""How long a command is watched that goes on until somebody ends it."""

ANSWERS = {
    "hal9-cli resources": ({0, 1}, "how much room there is on this machine is not ours to say"),
    "hal9-migrate verify --tests latency": ({0, 1, 3}, "clones and clients share few cores"),
    "1.3 ": (
        {2, 4, 5},
        "production is not hierarchical: jq (each has its own) finds no JSON in 404",
    ),
    "journalctl": ({0, 1}, "grep finds nothing where the shadow is well"),
    "kubectl delete": ({1}, "gone already: the operator has taken it down"),
}
"""Exit statuses that are an answer instead of 0, and why; by the start of a line or its step."""

ENDLESS = (
    "hal9-migrate monitor",
    "kubectl -n hal9 get shd hal9 --watch",
    "kubectl -n hal9 logs -f",
)


class Grafana(ThreadingHTTPServer):
    """Takes annotations, as the runbook's Grafana does."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), _Annotations)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Annotations(BaseHTTPRequestHandler):
    server: Grafana

    def do_POST(self) -> None:
        """Take one."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append(json.loads(body) | {"path": self.path})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"message": "Annotation added"}\n')

    def log_message(self, *_: object) -> None:
        """Keep the terminal clean."""


@dataclass
class Terminal:
    """A person's shell in one namespace, with the runbook's programs in it."""

    namespace: Namespace
    folder: Path
    proxy: str
    grafana: Grafana
    progress: Progress
    started: bool = False
    """Whether the shadow is up: then the runbook's host is the comparator, before it production."""
    transcript: list[str] = field(default_factory=list)

    def change(self) -> Change:
        """Give what is changed in the next line."""
        service = "hal9-comparator:admin" if self.started else "hal9-service:api"
        services = f"{self.proxy}/api/v1/namespaces/{self.namespace.name}/services"
        hosts = {PRODUCTION: f"{services}/{service}/proxy", GRAFANA: self.grafana.url}
        return Change(self.namespace.name, hosts, FASTER)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a line of the runbook, changed; what never ends is ended."""
        changed = self.change()(command)
        endless = command.startswith(ENDLESS)
        longest = ENDLESS_SECONDS if endless else LONGEST_SECONDS
        shell = ["timeout", str(longest), "bash", "-c", changed]
        env = {
            **environment(),
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "operator"),
            "KUBECONFIG": str(self.folder / "kubeconfig"),
            "GRAFANA_TOKEN": "dummy",
            "NO_COLOR": "1",
        }
        done = subprocess.run(
            shell, cwd=self.folder, env=env, capture_output=True, text=True, check=False
        )
        if endless and done.returncode == 124:
            done.returncode = 0
        self.transcript.append(f"$ {changed}\n{done.stdout}{done.stderr}[{done.returncode}]\n")
        return done

    def follow(self, line: Line, command: str) -> None:
        """Run a line until it shows what the runbook expects, as a person would."""
        names = line.text, line.step
        known = (v for k, v in ANSWERS.items() if any(name.startswith(k) for name in names))
        allowed, _ = next(known, ({0}, ""))
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            done = self.run(command)
            said = done.stdout + done.stderr
            assert "Traceback" not in said, said
            missing = [one for one in line.expected if one not in said]
            if not missing and done.returncode in allowed:
                return
            what = f"line {line.number} ({line.step}): {command}\n{said}[{done.returncode}]"
            assert done.returncode != 2 or 2 in allowed, f"wrong usage in {what}"
            assert time.monotonic() < deadline, f"not seen: {missing or allowed} in {what}"
            time.sleep(2)  # each look costs what the pods need


@contextmanager
def a_grafana() -> Iterator[Grafana]:
    with Grafana() as grafana:
        thread = threading.Thread(target=grafana.serve_forever, daemon=True)
        thread.start()
        yield grafana
        grafana.shutdown()


@contextmanager
def a_proxy(namespace: Namespace) -> Iterator[str]:
    """Give the API server at a local address, with the rights of the kubeconfig."""
    with namespace.kubectl.start("proxy", "--port=0") as process:
        assert process.stdout is not None
        address = process.stdout.readline().rsplit(" ", 1)[-1].strip()
        try:
            yield f"http://{address}"
        finally:
            process.terminate()


def furnish(folder: Path, namespace: Namespace) -> None:
    """Put the programs and a kubeconfig for this namespace where the shell finds them."""
    for program in ("curl", "jq"):
        assert shutil.which(program), f"the runbook calls {program}: apt install {program}"
    programs = folder / "bin"
    programs.mkdir()
    (programs / "kubectl").symlink_to(namespace.kubectl.program)
    for name in ("hal9-migrate", "hal9-cli", "kubectl-shadow"):
        function = name.replace("-", "_")
        text = f"from shadow_operator.cli.main import {function} as run; run()"
        (programs / name).write_text(f"#!/bin/sh\nexec {sys.executable} -c '{text}' \"$@\"\n")
        (programs / name).chmod(0o755)
    content = yaml.safe_load(namespace.kubectl.kubeconfig.read_text())
    for context in content["contexts"]:
        context["context"]["namespace"] = namespace.name
    (folder / "kubeconfig").write_text(yaml.safe_dump(content))


def resource(image: str) -> dict[str, Any]:
    """Give the runbook's resource: nothing is asked for yet."""
    return hal9.shadow_deployment(
        image,
        phase="None",
        samplingPercent=0,
        soakSeconds=SOAK_SECONDS,
        clones={"replicas": 2},  # as production: its load is comparable
        comparison={"ignore": [], "expectedVariations": [LEARNT]},
        gates={"matchRate": {"minPercent": "99"}, "timeouts": {"mode": "Required"}},
    )


@pytest.fixture
def terminal(
    request: pytest.FixtureRequest, shadow_cluster: ShadowCluster, tmp_path: Path
) -> Iterator[Terminal]:
    """Give a shell beside production, its clients, and a resource that asks for nothing yet."""
    with ExitStack() as stack:
        namespace = stack.enter_context(contextmanager(fresh_namespace)(request, shadow_cluster))
        image = shadow_cluster.hal9_image
        namespace.apply(*hal9.short_lived(image), hal9.traffic(image))
        namespace.apply(resource(image))
        furnish(tmp_path, namespace)
        grafana, proxy = stack.enter_context(a_grafana()), stack.enter_context(a_proxy(namespace))
        made = Terminal(namespace, tmp_path, proxy, grafana, shadow_cluster.progress)
        yield made
        out = ROOT / "build/runbook.txt"
        out.parent.mkdir(exist_ok=True)
        out.write_text("\n".join(made.transcript), encoding="utf-8")


def start_again(terminal: Terminal) -> None:
    """Bring the shadow back: the runbook's troubleshooting is for one that runs."""
    terminal.progress.say("runbook: the shadow is started again, for its troubleshooting")
    for command in (
        "hal9-migrate feature enable shadow_mode --percentage 100",
        "hal9-migrate migrate --phase shadow --yes",
    ):
        assert terminal.run(command).returncode == 0, terminal.transcript[-1]


def test_every_line_of_the_runbook_is_run_or_has_what_stands_for_it(terminal: Terminal) -> None:
    lines = runbook.lines(runbook.RUNBOOK.read_text(encoding="utf-8"))
    stands_for = runbook.equivalents(runbook.GUIDE.read_text(encoding="utf-8"))
    done = dict.fromkeys(Kind, 0)
    for number, line in enumerate(lines, 1):
        if line.step == "High Resource Usage" and not done_before(lines, number - 1, line.step):
            start_again(terminal)
        command = stands_for[line.text] if line.kind is Kind.MAPPED else line.command
        terminal.progress.say(f"runbook {number}/{len(lines)}, {line.step}: {_short(command)}")
        terminal.follow(line, command)
        check_more(terminal, line, lines)
        if "--phase shadow --yes" in line.text:
            terminal.started = True
        done[line.kind] += 1
    assert sum(done.values()) == len(lines)
    terminal.progress.say(
        f"runbook: {len(lines)} lines: {done[Kind.RUN]} run as written, {done[Kind.WATCH]} that "
        f"`watch` repeats run once, {done[Kind.MAPPED]} by what docs/runbook.md has for them; "
        f"hosts and namespace are the test's, waiting times {FASTER} times shorter"
    )


def done_before(lines: list[Line], index: int, step: str) -> bool:
    """Tell whether an earlier line is of this step."""
    return any(line.step == step for line in lines[:index])


def check_more(terminal: Terminal, line: Line, lines: list[Line]) -> None:
    """Check what the runbook says in words of its own."""
    if line.text.startswith("curl -X POST"):
        [mark] = terminal.grafana.taken
        assert mark["path"] == "/api/annotations"
        assert mark["tags"] == ["migration", "shadow-start"]
    elif line.text.startswith("hal9-cli resources"):
        cpu_and_memory = terminal.transcript[-1].splitlines()[1:3]
        assert not [one for one in cpu_and_memory if "not known" in one]
    elif "--tests latency" in line.text:
        names = ("timeouts", "latency-p50", "latency-p99")
        found = (terminal.folder / line.words[-1]).read_text().splitlines()
        assert [one.split()[1].rstrip(":") for one in found] == list(names), "each has its answer"
    elif "grep shadow_requests_total" in line.text:
        for one in (one for one in lines if "/hierarchical/" in one.text):
            done = terminal.run(one.command)
            assert done.returncode == 0, f"the shadow's layers: {terminal.transcript[-1]}"
        first = counted(terminal, line)
        terminal.namespace.wait("increasing counter", lambda: counted(terminal, line) > first)
    elif "--verbose" in line.text:
        replay(terminal)
    elif line.text.startswith("kubectl delete"):
        assert "not found" in terminal.transcript[-1]
    elif "--output" in line.text or "--save" in line.text:
        assert (terminal.folder / line.words[-1]).stat().st_size > 0


def replay(terminal: Terminal) -> None:
    """Send a request of our own to both clones, through a real kubelet."""
    request = {"method": "GET", "path": "/api/v1/network/status"}
    (terminal.folder / "request.json").write_text(json.dumps(request))
    done = terminal.run("kubectl shadow replay none --from-file request.json")
    assert done.returncode in {0, 1}, terminal.transcript[-1]
    assert "Counted as: GET /api/v1/network/status " in done.stdout


def counted(terminal: Terminal, line: Line) -> float:
    """Give the sum of shadow_requests_total."""
    lines = terminal.run(line.command).stdout.splitlines()
    return sum(float(one.split()[-1]) for one in lines if not one.startswith("#"))


def _short(command: str) -> str:
    return " ".join(command.split())[:100]
