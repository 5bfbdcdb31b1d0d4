"""Keys and certificates of one cluster, made with openssl and thrown away with it."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from dev.cluster.base import run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Kept short: nobody should come to rely on a development cluster.
DAYS = "365"
_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


class Authority:
    """A certificate authority in a folder that only its owner can read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificate = folder / "ca.crt"
        self.key = folder / "ca.key"
        self._config = folder / "openssl.cnf"

    def create(self) -> None:
        """Make the authority and the key for service account tokens, unless they are there."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        tokens, public = self.folder / "tokens.key", self.folder / "tokens.pub"
        if public.exists():
            return
        # Extensions come from the command line only; the machine's openssl.cnf may add others.
        self._config.write_text("[req]\ndistinguished_name = subject\n[subject]\n")
        self._request(
            "ca",
            "/CN=shadow-operator-dev",
            ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"],
        )
        run(["openssl", "genrsa", "-out", tokens, "2048"])
        run(["openssl", "rsa", "-in", tokens, "-pubout", "-out", public])

    def issue(self, name: str, subject: str, hosts: Sequence[str] = ()) -> tuple[Path, Path]:
        """Make certificate and key `name` for a subject such as `/O=group/CN=user`."""
        certificate, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        if not certificate.exists():
            extensions = ["basicConstraints=critical,CA:FALSE"]
            if hosts:
                extensions.append(f"subjectAltName={','.join(map(_alternative, hosts))}")
            signer = ["-CA", str(self.certificate), "-CAkey", str(self.key)]
            self._request(name, subject, extensions, signer)
        return certificate, key

    def kubeconfig(self, target: Path, cluster: str, server: str, user: str, subject: str) -> Path:
        """Write a kubeconfig that stands alone (certificates inside, no paths)."""
        certificate, key = self.issue(user, subject)
        data = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": cluster,
            "clusters": [
                {
                    "name": cluster,
                    "cluster": {
                        "server": server,
                        "certificate-authority-data": _inline(self.certificate),
                    },
                }
            ],
            "users": [
                {
                    "name": user,
                    "user": {
                        "client-certificate-data": _inline(certificate),
                        "client-key-data": _inline(key),
                    },
                }
            ],
            "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": user}}],
        }
        target.touch(mode=0o600)
        target.write_text(json.dumps(data, indent=1) + "\n")
        return target

    def _request(
        self, name: str, subject: str, extensions: Sequence[str], signer: Sequence[str] = ()
    ) -> None:
        certificate, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        partial = certificate.with_suffix(".partial")
        command = ["openssl", "req", "-x509", "-config", str(self._config), *_NEW_KEY]
        added = [word for extension in extensions for word in ("-addext", extension)]
        run(
            [
                *command,
                "-days",
                DAYS,
                "-subj",
                subject,
                "-keyout",
                key,
                "-out",
                partial,
                *added,
                *signer,
            ]
        )
        partial.rename(certificate)


def _alternative(host: str) -> str:
    return f"IP:{host}" if host.replace(".", "").isdigit() else f"DNS:{host}"


def _inline(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
