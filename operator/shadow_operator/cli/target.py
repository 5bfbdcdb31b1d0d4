"""Which resource is meant, and how the answer is written: options that every command has."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shadow_operator.api.names import API_VERSION, KIND
from shadow_operator.cli.errors import CliError, Exit

if TYPE_CHECKING:
    from shadow_operator.api.resource import ShadowDeployment
    from shadow_operator.cli.access import Access


class Output(StrEnum):
    """Forms of an answer."""

    TEXT = "text"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


@dataclass(frozen=True)
class Target:
    """One ShadowDeployment in one cluster."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    name: str | None = None
    form: Output = Output.TEXT

    @cached_property
    def access(self) -> "Access":
        """The cluster; loaded when it is first needed, since that takes its time."""
        from shadow_operator.cli.access import Access  # noqa: PLC0415

        return Access(self.kubeconfig, self.context, self.namespace)

    def read(self) -> "ShadowDeployment":
        """Read the resource that is meant: the named one, or the only one of the namespace."""
        from shadow_operator.api.errors import InvalidSpec  # noqa: PLC0415
        from shadow_operator.api.resource import ShadowDeployment  # noqa: PLC0415

        body = self.body()
        try:
            return ShadowDeployment.parse(body)
        except InvalidSpec as error:
            raise CliError(Exit.UNKNOWN, str(error)) from error

    def body(self) -> dict[str, Any]:
        """Read it as the API server has it."""
        if self.name:
            return self.access.get(self.name)
        found = self.access.list()
        where = f"namespace {self.access.namespace}"
        if not found:
            raise CliError(
                Exit.USAGE,
                f"There is no ShadowDeployment in {where}; name another with -n, or create one: "
                "kubectl apply -f shadow.yaml",
            )
        if len(found) > 1:
            names = ", ".join(sorted(one["metadata"]["name"] for one in found))
            raise CliError(Exit.USAGE, f"There are several in {where}; say --name: {names}")
        # Members of a list come without their kind.
        return {"apiVersion": API_VERSION, "kind": KIND, **found[0]}

    def inside(self, manifest: Mapping[str, Any]) -> "Target":
        """Give the same in the namespace that a manifest says; `-n` may only say that, too."""
        own = (manifest.get("metadata") or {}).get("namespace")
        if own and self.namespace and own != self.namespace:
            raise CliError(Exit.USAGE, f"The file says namespace {own}, and -n {self.namespace}.")
        return replace(self, namespace=own or self.namespace)

    def apply(self, manifest: Mapping[str, Any], *, force: bool) -> "ShadowDeployment":
        """Apply a manifest server-side; `force` takes over fields that others have set."""
        from shadow_operator.api.resource import ShadowDeployment  # noqa: PLC0415

        return ShadowDeployment.parse(self.access.apply(manifest, force=force))

    def change(self, change: Mapping[str, Any], *, name: str = "") -> "ShadowDeployment":
        """Change the resource by a merge patch; give it as it is then."""
        from shadow_operator.api.resource import ShadowDeployment  # noqa: PLC0415

        name = name or self.name or self.body()["metadata"]["name"]
        return ShadowDeployment.parse(self.access.patch(name, change))


_OPTIONS: dict[str, tuple[Any, Any]] = {
    "namespace": (
        Annotated[str | None, typer.Option("--namespace", "-n", help="Default: the context's.")],
        None,
    ),
    "name": (
        Annotated[
            str | None,
            typer.Option(help="Which ShadowDeployment. Default: the only one of the namespace."),
        ],
        None,
    ),
    "context": (Annotated[str | None, typer.Option(help="A context of the kubeconfig.")], None),
    "kubeconfig": (
        Annotated[str | None, typer.Option(help="A kubeconfig. Default: KUBECONFIG, ~/.kube.")],
        None,
    ),
    "form": (
        Annotated[Output, typer.Option("--format", "-o", help="Form of the answer.")],
        Output.TEXT,
    ),
}


def command(app: typer.Typer, name: str, *, example: str) -> Callable[[Callable[..., Any]], None]:
    """Register a function of a `Target` and its own options; the docstring is the help."""

    def register(function: Callable[..., Any]) -> None:
        signature = inspect.signature(function, eval_str=True)
        own = [p for p in signature.parameters.values() if p.name != "target"]
        common = [
            inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=d, annotation=kind)
            for option, (kind, d) in _OPTIONS.items()
        ]

        def run(**values: Any) -> None:
            target = Target(**{option: values.pop(option) for option in _OPTIONS})
            function(target, **values)

        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + common
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        run.__doc__ = f"{inspect.getdoc(function)}\n\nExample:  {example}"
        app.command(name, no_args_is_help=False)(run)

    return register
