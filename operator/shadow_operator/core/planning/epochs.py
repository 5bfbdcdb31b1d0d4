"""Which epoch the evidence of now belongs to: that of its images and templates."""

from collections.abc import Iterable

from shadow_operator.api.spec import Spec
from shadow_operator.core.counting.rules import number_edges
from shadow_operator.core.deploying.objects import fingerprint
from shadow_operator.core.recording.progress import Progress
from shadow_operator.core.snapshot import Manifest, Pod


def wanted_epoch(spec: Spec, production: Manifest, progress: Progress) -> str:
    """Name the epoch that spec and production's template ask for.

    Same hash, same epoch, also after a restart of the operator. The number behind it counts image
    ids that moved under an unchanged tag, which no template shows.
    """
    key = fingerprint(
        {
            "shadow": spec.shadow.model_dump(mode="json"),
            "clones": spec.clones.model_dump(mode="json", exclude={"isolation"}),
            "reference": spec.reference.mode,
            "layers": sorted(spec.layers),
            "preset": spec.preset,
            "learning": spec.learning,
            "selfTest": spec.self_test,
            "restartedAt": spec.restarted_at,
            "measuring": _measuring(spec),
            "production": production["spec"]["template"]["spec"],
        }
    )
    current, _, number = progress.epoch.partition("-")
    return f"{key}-{number or 1}" if current == key else f"{key}-1"


def _measuring(spec: Spec) -> dict[str, object]:
    """Give the settings that decide what comparators see and count.

    What was counted under others can't be judged again. The percentage only decides how much is
    seen, and rules are applied to what was counted.
    """
    mirror, comparison = spec.mirror, spec.comparison
    edges = number_edges(comparison)
    return {
        "methods": sorted(mirror.methods),
        "include": sorted((rule.path, rule.match) for rule in mirror.include),
        "exclude": sorted((rule.path, rule.match) for rule in mirror.exclude),
        "forwardHeaders": sorted(header.lower() for header in mirror.forward_headers),
        "routes": spec.effective_routes,  # the first match wins
        "timeoutSeconds": comparison.timeout_seconds,
        "maxBodyBytes": comparison.max_body_bytes,
        **({"edges": edges} if edges else {}),
    }


def next_epoch(epoch: str) -> str:
    """Name the epoch that follows when an image moved under its tag."""
    key, _, number = epoch.partition("-")
    return f"{key}-{int(number) + 1}"


def images_of(pods: Iterable[Pod], role: str) -> set[str]:
    """Give the image ids that the ready pods of a role run."""
    return {pod.image_id for pod in pods if pod.role == role and pod.ready and pod.image_id}


def image_of(pods: Iterable[Pod], role: str) -> str:
    """Give the one image id that all ready pods of a role run; empty while they disagree."""
    images = images_of(pods, role)
    return images.pop() if len(images) == 1 else ""
