"""What would be in the way of a shadow, before anything is changed: one finding for each question.

It reads the same facts by the same functions as the operator, so that both say the same.
`QUESTIONS` is the whole of it, in the order in which people read it. A finding says what was found
and what to do about it. What can't be known before requests pass through the entry says so.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, TypeAlias

from shadow_operator.api.enums import (
    CheckResult,
    Egress,
    GateMode,
    GateName,
    GateResult,
    MirrorProvider,
    SelfTest,
)
from shadow_operator.api.enums import Isolation as Demand
from shadow_operator.api.evidence import CREDENTIAL_HEADERS
from shadow_operator.api.names import Role
from shadow_operator.api.reasons import Reason
from shadow_operator.api.status import Check
from shadow_operator.core import names
from shadow_operator.core.deploying import children, entry, leads, mirror
from shadow_operator.core.deploying.serving import serving
from shadow_operator.core.errors import CannotClone, CannotMirror
from shadow_operator.core.judging import pace
from shadow_operator.core.planning import room
from shadow_operator.core.planning.outlook import Finding, Look, Surroundings
from shadow_operator.core.planning.situation import Situation
from shadow_operator.core.recording import headroom
from shadow_operator.core.snapshot import (
    Found,
    Item,
    Manifest,
    ObjectRef,
    Unknown,
    found,
)
from shadow_operator.core.wording import count, percent, words

PASSED, FAILED, UNKNOWN = CheckResult.PASSED, CheckResult.FAILED, CheckResult.UNKNOWN

Question: TypeAlias = Callable[[Look], Iterator[Finding]]


def known(situation: Situation) -> tuple[Check, ...]:
    """Give the checks that `status.preflight` has beside those of the plan: what a person may mind.

    Only what stays the same from one look to the next: status is written when it changes.
    """
    look = Look(situation, Surroundings())
    found = (*_secrets(look), *_image(look))
    return tuple(
        Check(name=one.name, result=one.result or PASSED, message=one.message)
        for one in found
        if one.result is not (PASSED if one.name == "secrets" else None)
    )


def findings(look: Look) -> tuple[Finding, ...]:
    """Answer every question."""
    return tuple(finding for question in QUESTIONS for finding in question(look))


def _refused(look: Look, name: str, *reasons: Reason) -> Iterator[Finding]:
    for refusal in look.refusals:
        if refusal.reason in reasons:
            yield from (Finding(name, FAILED, sentence) for sentence in refusal.sentences)


def _unread(name: str, what: str, item: Unknown) -> Finding:
    return Finding(name, UNKNOWN, f"{what} could not be read: {item.reason}.")


# The questions


def _spec(look: Look) -> Iterator[Finding]:
    """Say whether the operator can act on the spec."""
    refused = list(_refused(look, "spec", Reason.NOT_SUPPORTED_YET, Reason.INVALID_SPEC))
    yield from refused or [Finding("spec", PASSED, "The operator can act on it.")]


def _production(look: Look) -> Iterator[Finding]:
    """Say whether production is there, and which of its containers answers."""
    snapshot, name = look.situation.snapshot, "production"
    ref = look.spec.production_ref
    yield from _refused(look, name, Reason.PRODUCTION_NOT_FOUND)
    for what, item in (
        (f"Deployment {ref.deployment_name}", snapshot.deployment),
        (f"Service {ref.service_name}", snapshot.service),
    ):
        if isinstance(item, Unknown):
            yield _unread(name, what, item)
    if look.production is None:
        return
    try:
        served = serving(*look.production, look.spec)
    except CannotClone as error:
        yield Finding(name, FAILED, str(error))
        return
    deployment = look.production[0]
    wanted = deployment["spec"].get("replicas", 1)
    ready = (deployment.get("status") or {}).get("availableReplicas", 0)
    text = (
        f"{ready} of {wanted} pods of Deployment {ref.deployment_name} are available; container "
        f"{served.container} answers behind port {served.service_port} of Service "
        f"{ref.service_name}."
    )
    yield Finding(name, PASSED if ready >= wanted > 0 else UNKNOWN, text)


def _names(look: Look) -> Iterator[Finding]:
    """Say whether somebody else has an object of a name that the operator needs."""
    name, unread = "names", None
    for ref, item in look.situation.snapshot.children.items():
        if isinstance(item, Unknown):
            unread = unread or _unread(name, f"{ref.kind} {ref.name}", item)
    free = f"The names {look.situation.name}-... are free, or this resource's own."
    taken = list(_refused(look, name, Reason.CHILD_NAME_TAKEN))
    yield from taken or [unread or Finding(name, PASSED, free)]


def _selectors(look: Look) -> Iterator[Finding]:
    """Say whether something would take a clone for production."""
    name, selecting = "selectors", look.situation.snapshot.selecting
    if isinstance(selecting, Unknown):
        yield _unread(name, "what selects pods here", selecting)
        return
    text = "Nothing that selects production's pods would select the clones."
    taken = list(_refused(look, name, Reason.SELECTOR_CONFLICT))
    yield from taken or [Finding(name, PASSED, text)]


def _entry(look: Look) -> Iterator[Finding]:
    """Say whether requests can be copied on their way in, and whether something leads there."""
    name, situation = "entry", look.situation
    if look.spec.mirror.provider is not MirrorProvider.ENVOY:
        receiver = names.child(situation.name, Role.COMPARATOR)
        text = f"Let your own mirror send its copies to port 8080 of Service {receiver}."
        yield Finding(name, None, text)
        return
    if look.production is None:
        return
    deployment, service = look.production
    try:
        entry.require_pods(service)
        mirror.manifests(situation.resource, service, deployment, situation.snapshot.settings)
    except (CannotMirror, CannotClone) as error:
        yield Finding(name, FAILED, str(error))
        return
    yield _attached(look)


def _attached(look: Look) -> Finding:
    ref, own = entry.reference(look.situation.name), look.spec.production_ref.service_name
    made = isinstance(look.situation.entry, Found)
    there = f"Service {ref.name} {'is there' if made else 'is made once this is applied'}"
    leading = look.around.leading
    if not isinstance(leading, Found):
        reason = f" ({leading.reason})" if isinstance(leading, Unknown) else ""
        text = f"{there}; what leads to it is not known from here{reason}. Let clients come to it."
        return Finding("entry", UNKNOWN, text)
    through = [leads.named(one) for one in leading.value if leads.leads_to(one, ref.name)]
    past = [leads.named(one) for one in leading.value if leads.leads_to(one, own)]
    if past:
        text = f"{there}. {', '.join(past)} leads past it to Service {own}: let it lead to "
        return Finding("entry", UNKNOWN, f"{text}{ref.name}, or nothing is copied.")
    if through:
        return Finding("entry", PASSED, f"{there}; {', '.join(through)} leads to it.")
    text = f"{there}; no Ingress, HTTPRoute or VirtualService here leads to it, or to Service {own}"
    return Finding("entry", UNKNOWN, f"{text}. Let clients come to {ref.name}.")


def _clones(look: Look) -> Iterator[Finding]:
    """Say what clones lack of production's pods."""
    if look.clone is None:
        return
    if not look.clone.notes:
        yield Finding("clones", PASSED, "They are like production's pods.")
    for note in look.clone.notes:
        yield Finding("clones", None, f"{note[0].upper()}{note[1:]}{remedy(note)}.")


_REMEDIES: Final = (
    ("container ", "clones.keepContainers keeps it"),
    ("init container ", "clones.keepContainers keeps it"),
    ("service account ", "clones.serviceAccountToken: true gives it"),
    ("the token ", "clones.serviceAccountToken: true gives it"),
    ("volume ", "the clones begin without data"),
)
"""How a note begins -> what to do about it."""


def remedy(note: str) -> str:
    """Give the field that changes what a note says, as a clause; empty where none does."""
    text = next((text for begin, text in _REMEDIES if note.startswith(begin)), "")
    return f" ({text})" if text else ""


def _secrets(look: Look) -> Iterator[Finding]:
    """Say which of production's Secrets clones get."""
    if look.clone is None:
        return
    known = secrets(look.clone.manifest["spec"]["template"]["spec"])
    if not known:
        yield Finding("secrets", PASSED, "The clones get no Secret of production's.")
        return
    text = (
        f"The clones get of production: {', '.join(known)}; clones.omitSecretEnv keeps variables "
        "from them."
    )
    yield Finding("secrets", None, text)


def secrets(pod: Manifest) -> tuple[str, ...]:
    """Name the Secrets that a pod's containers get, as `Secret a`; nothing of them is read."""
    known: dict[str, None] = {}
    for container in (*(pod.get("initContainers") or ()), *pod["containers"]):
        sources = [one.get("valueFrom") or {} for one in container.get("env") or ()]
        known |= {s["secretKeyRef"]["name"]: None for s in sources if "secretKeyRef" in s}
        whole = container.get("envFrom") or ()
        known |= {one["secretRef"]["name"]: None for one in whole if "secretRef" in one}
    for volume in pod.get("volumes") or ():
        if "secret" in volume:
            known[volume["secret"]["secretName"]] = None
        parts = (volume.get("projected") or {}).get("sources") or ()
        known |= {one["secret"]["name"]: None for one in parts if "secret" in one}
    return tuple(f"Secret {name}" for name in known)


def _image(look: Look) -> Iterator[Finding]:
    """Say whether the image is a new one."""
    name, image = "image", look.spec.shadow.image
    if look.spec.self_test is not SelfTest.DISABLED:
        yield Finding(name, None, "In a self-test production's own image is tested.")
        return
    if image == _running(look):
        same = "@" in image
        text = f"Production runs {image} already"
        more = "nothing new would be tested." if same else "a tag can mean both: write a digest."
        yield Finding(name, FAILED if same else UNKNOWN, f"{text}; {more}")
        return
    pulls = (look.clone.manifest["spec"]["template"]["spec"] if look.clone else {}).get(
        "imagePullSecrets"
    )
    by = f" by Secret {', '.join(one['name'] for one in pulls)}" if pulls else ""
    text = f"{image} is pulled{by} when the shadow starts; only that shows whether it can be."
    yield Finding(name, None, text)


def _running(look: Look) -> str:
    """Give the image in the template of production's container that is cloned."""
    if look.production is None or look.clone is None:
        return ""
    served = serving(*look.production, look.spec).container
    pod = look.production[0]["spec"]["template"]["spec"]
    return next((str(c.get("image")) for c in pod["containers"] if c["name"] == served), "")


_ENFORCING: Final = ("calico", "cilium", "antrea", "kube-router", "weave", "canal", "kube-ovn")
"""Network plugins that enforce NetworkPolicy, by the names of their DaemonSets."""


def _isolation(look: Look) -> Iterator[Finding]:
    """Say whether the cluster keeps clones from calling others."""
    name, clones, progress = "isolation", look.spec.clones, look.situation.progress
    if clones.egress is Egress.ALLOW:
        yield Finding(name, None, "clones.egress is Allow: the clones may call everything.")
        return
    if progress.isolated is not None and progress.isolation_message:
        yield Finding(name, PASSED if progress.isolated else FAILED, progress.isolation_message)
        return
    agents = found(look.around.agents) or ()
    known = sorted({a for a in agents for plugin in _ENFORCING if plugin in a})
    probed = "the operator's probe tests it before a clone starts"
    if known:
        yield Finding(name, PASSED, f"{', '.join(known)} enforces NetworkPolicy; {probed}.")
        return
    required = clones.isolation is Demand.REQUIRED
    blocks = ", and none starts where it is not" if required else ""
    text = f"Whether NetworkPolicy is enforced is not known from here; {probed}{blocks}."
    yield Finding(name, UNKNOWN if required else None, text)


def _room(look: Look) -> Iterator[Finding]:
    """Say whether there is room for what clones ask for."""
    name = "headroom"
    if look.spec.mode(GateName.HEADROOM) is GateMode.OFF:
        yield Finding(name, None, "The gate is off, so room is not looked at.")
        return
    planned = _planned(look)
    read = room.read(planned) if planned else None
    if read is None:
        return
    gate = headroom.judge(look.spec.gates.headroom, read, copied=False)
    yield Finding(name, _RESULTS.get(gate.result, UNKNOWN), gate.message)


_RESULTS: Final = {GateResult.PASSED: PASSED, GateResult.FAILED: FAILED}


def _planned(look: Look) -> Situation | None:
    """Give the situation in which the Deployments are there that the operator would make."""
    situation = look.situation
    if look.production is None:
        return None
    deployment, service = look.production
    resource, settings = situation.resource, situation.snapshot.settings
    try:
        config = children.comparator_config(
            resource, deployment, service, settings, epoch="", nonce=""
        )
        built = children.desired(resource, deployment, service, settings, config).all
        if situation.through_envoy:
            built = (*built, *mirror.manifests(resource, service, deployment, settings))
    except (CannotClone, CannotMirror):
        return None
    there: dict[ObjectRef, Item[Manifest]] = {ObjectRef.of(one): Found(one) for one in built}
    live = {ref: one for ref, one in situation.snapshot.children.items() if isinstance(one, Found)}
    snapshot = replace(situation.snapshot, children={**there, **live})
    return Situation(snapshot, resource, situation.now)


def _requests(look: Look) -> Iterator[Finding]:
    """Say how many of production's requests are of a method and path that is compared."""
    ledger, _ = look.situation.evidence
    name = "requests"
    if ledger is None or not ledger.coverage.requests:
        methods = ", ".join(look.spec.mirror.methods)
        text = f"Compared are {methods}; their share shows once requests pass through the entry."
        yield Finding(name, None, text)
        return
    requests, eligible = ledger.coverage.requests, ledger.coverage.eligible
    skipped = sorted(ledger.counts.skipped.items(), key=lambda item: -item[1])[:5]
    why = "".join(f"; {words(reason)} {count(number)}" for reason, number in skipped)
    share = eligible / requests
    enough = 100 * share >= look.spec.gates.eligible_share.min_percent
    text = f"{percent(share)} of {count(requests)} requests are of a method and path that is "
    more = "" if enough else " mirror.methods and include decide that."
    yield Finding(name, PASSED if enough else UNKNOWN, f"{text}compared{why}.{more}")


def _credentials(look: Look) -> Iterator[Finding]:
    """Say whether requests carry credentials that copies lose."""
    ledger, _ = look.situation.evidence
    name, listed = "credentials", {header.lower() for header in look.spec.mirror.forward_headers}
    carried = dict(ledger.counts.credentials) if ledger else {}
    eligible = ledger.counts.eligible if ledger else 0
    if not eligible:
        known = ", ".join(sorted(listed)) or "none"
        text = f"Passed on: {known}. Which ones requests carry shows with the first copies."
        yield Finding(name, None, text)
        return
    lost = {h: n for h, n in carried.items() if n and h in set(CREDENTIAL_HEADERS) - listed}
    if not lost:
        yield Finding(name, PASSED, "Copies lose no credential that requests carry.")
    for header, number in sorted(lost.items(), key=lambda item: -item[1]):
        text = (
            f"{count(number)} of {count(eligible)} requests carry {header}, which copies lose; "
            "list it in mirror.forwardHeaders where the clones may have it."
        )
        yield Finding(name, UNKNOWN, text)


def _time(look: Look) -> Iterator[Finding]:
    """Say when there can be a verdict."""
    ledger, _ = look.situation.evidence
    own = look.around.requests_per_second
    rate = pace.told(own) if own is not None else pace.recorded(ledger, look.situation.now)
    expected = pace.expected(look.spec, rate)
    result = FAILED if expected.too_long else None if rate is None else PASSED
    yield Finding("time", result, expected.sentence)


QUESTIONS: Final[tuple[Question, ...]] = (
    _spec,
    _production,
    _names,
    _selectors,
    _entry,
    _clones,
    _secrets,
    _image,
    _isolation,
    _room,
    _requests,
    _credentials,
    _time,
)
