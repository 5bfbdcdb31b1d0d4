"""Container images without a registry: built by Docker or buildah, kept as OCI archives."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from dev.cluster import packages
from dev.cluster.base import Progress, Unavailable, run
from dev.cluster.choose import builds_with_docker
from dev.cluster.namespace import unmount_below
from dev.cluster.store import cache_folder, digest, locked

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCKERFILES = Path(__file__).parent.parent / "images"
SUITE = "bookworm"
BASE_PACKAGES = ("python3", "python3-venv", "python3-pip", "ca-certificates")
# What debootstrap leaves that belongs to this machine, to the installation, or to readers.
_LEFTOVERS = (
    "etc/hostname",
    "etc/resolv.conf",
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
    "usr/share/doc",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/man",
)


def build(
    tag: str,
    dockerfile: Path,
    context: Path,
    build_args: Mapping[str, str],
    progress: Progress,
    *,
    ask: bool = False,
) -> Path:
    """Build an image and return the OCI archive that holds it under `tag`.

    Layers are cached by content, so a second build of the same takes seconds. With buildah the
    build argument BASE_IMAGE is our own base image unless given.
    """
    check()
    with_docker = builds_with_docker()
    if not with_docker:
        packages.ensure(packages.IMAGES, progress, ask=ask, avoid="start a Docker engine")
    with progress.step(f"building image {tag} from {dockerfile}"):
        if with_docker:
            return _build_with_docker(tag, dockerfile, context, build_args)
        arguments = {"BASE_IMAGE": base_image(progress), **build_args}
        return _build_with_buildah(tag, dockerfile, context, arguments)


def check() -> None:
    """Raise Unavailable where this machine can build no image."""
    if not (builds_with_docker() or (platform.system() == "Linux" and os.geteuid() == 0)):
        raise Unavailable(
            "Building images needs a Docker engine, or root on Linux (buildah and debootstrap are "
            "used then): start Docker, or run this as root."
        )


def push(tag: str) -> None:
    """Push an image that `build` has built to the registry in its name."""
    if builds_with_docker():
        run(["docker", "push", tag])
    else:
        _buildah("push", "--quiet", tag, f"docker://{tag}")


def program_image(tag: str, program: Path, progress: Progress) -> Path:
    """Make an image of one statically linked program and nothing else."""
    archive = _archive(tag, digest([tag, program, DOCKERFILES / "program" / "Dockerfile"]))
    if archive.exists():
        return archive
    with progress.step(f"building image {tag}"), tempfile.TemporaryDirectory() as context:
        shutil.copy(program, Path(context) / "program")
        dockerfile = DOCKERFILES / "program" / "Dockerfile"
        _build_with_buildah(tag, dockerfile, Path(context), {}).rename(archive)
    return archive


def base_image(progress: Progress) -> str:
    """Give the tag of a Debian with Python in buildah's storage; make it when it is missing."""
    tag = f"localhost/shadow-base:{digest([SUITE, *BASE_PACKAGES, *_LEFTOVERS])}"
    with locked("base-image"):
        if _buildah("images", "--quiet", tag, check=False):
            return tag
        with (
            progress.step("making the base image from Debian packages: about 70 s, once"),
            tempfile.TemporaryDirectory(dir=_images_folder()) as scratch,
        ):
            root = Path(scratch) / "root"
            include = f"--include={','.join(BASE_PACKAGES)}"
            debootstrap = packages.find("debootstrap")
            try:
                run([debootstrap, "--variant=minbase", include, SUITE, root])
            finally:
                unmount_below(root)
            for leftover in _LEFTOVERS:
                _empty(root / leftover)
            run(["tar", "-C", root, "-cf", Path(scratch) / "root.tar", "."])
            shutil.rmtree(root)
            _bud(tag, DOCKERFILES / "base" / "Dockerfile", Path(scratch), {})
    return tag


def _empty(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
        path.mkdir()
    else:
        path.unlink(missing_ok=True)


def _build_with_docker(
    tag: str, dockerfile: Path, context: Path, build_args: Mapping[str, str]
) -> Path:
    arguments = [f"--build-arg={key}={value}" for key, value in build_args.items()]
    run(["docker", "build", f"--tag={tag}", f"--file={dockerfile}", *arguments, context])
    identity = run(["docker", "inspect", "--format={{.Id}}", tag]).stdout.strip()
    archive = _archive(tag, digest([tag, identity]))
    if not archive.exists():
        partial = archive.with_suffix(f".{os.getpid()}")
        run(["docker", "save", f"--output={partial}", tag])
        partial.rename(archive)
    return archive


def _build_with_buildah(
    tag: str, dockerfile: Path, context: Path, build_args: Mapping[str, str]
) -> Path:
    _bud(tag, dockerfile, context, build_args)
    identity = _buildah("inspect", "--type=image", "--format={{.FromImageID}}", tag)
    archive = _archive(tag, digest([tag, identity]))
    if not archive.exists():
        partial = archive.with_suffix(f".{os.getpid()}")
        _buildah("push", "--quiet", tag, f"oci-archive:{partial}:{tag}")
        partial.rename(archive)
    return archive


def _bud(tag: str, dockerfile: Path, context: Path, build_args: Mapping[str, str]) -> None:
    arguments = [f"--build-arg={key}={value}" for key, value in build_args.items()]
    _buildah(
        "build",
        "--quiet",
        "--layers",
        "--isolation=chroot",
        "--network=host",
        "--pull=never",
        *_authorities(),
        f"--tag={tag}",
        f"--file={dockerfile}",
        *arguments,
        str(context),
    )


def _authorities() -> list[str]:
    """Lay this machine's certificate authorities over the image's own while RUN steps run.

    A network that inspects TLS has an authority that no image knows. It is only mounted: the
    image that comes out holds nothing of it.
    """
    target = "/etc/ssl/certs/ca-certificates.crt"
    bundle = Path(os.environ.get("SSL_CERT_FILE") or target)
    return [f"--volume={bundle.resolve()}:{target}:ro"] if bundle.is_file() else []


def _buildah(*words: str, check: bool = True) -> str:
    """Run buildah on a storage of our own, without leaving its mounts behind."""
    storage = _images_folder() / "storage"
    policy = _images_folder() / "policy.json"
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    own = [f"--root={storage}", f"--runroot={storage}/run", "--storage-driver=overlay"]
    subcommand, *rest = words
    if subcommand in ("build", "push"):
        rest.insert(0, f"--signature-policy={policy}")
    with locked("buildah"):
        try:
            done = run([packages.find("buildah"), *own, subcommand, *rest], check=check)
        finally:
            unmount_below(storage)
    return done.stdout.strip()


def _archive(tag: str, key: str) -> Path:
    name = tag.rpartition("/")[2].replace(":", "-")
    return _images_folder() / f"{name}-{key}.tar"


def _images_folder() -> Path:
    folder = cache_folder() / "images"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
