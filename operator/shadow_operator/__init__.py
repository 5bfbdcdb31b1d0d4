"""Shadow-test a service on Kubernetes: from a copy of production traffic to a verdict."""

from typing import Final

__version__: Final = "0.1.0"
