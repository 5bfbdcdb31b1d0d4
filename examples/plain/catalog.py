"""A product catalog, the service that is shadowed here: standard library only, read with GET.

CATALOG_BUG=price makes a bad new version of it: the price of every tenth product is rounded.
"""

import json
import os
import re
import signal
import threading
import uuid
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PRODUCTS: dict[int, dict[str, Any]] = {
    number: {
        "id": number,
        "name": f"Product {number}",
        "price": round(1.95 + number * 3.17, 2),
        "tags": ["new" if number % 3 == 0 else "classic", "sale" if number % 5 == 0 else "regular"],
        "stock": {"warehouse": number * 7 % 40, "shop": number * 3 % 10},
    }
    for number in range(1, 101)
}


class Catalog(BaseHTTPRequestHandler):
    """Answers `/healthz`, `/products?page=N` and `/products/N`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes

    def do_GET(self) -> None:
        """Answer one request."""
        if self.path == "/healthz":
            self._answer(200, {"status": "ok"})
        elif page := re.fullmatch(r"/products(?:\?page=(\d+))?", self.path):
            first = 10 * (int(page[1] or 1) - 1)
            numbers = list(PRODUCTS)[first : first + 10]
            self._answer(200, {"products": [_product(number) for number in numbers]})
        elif (one := re.fullmatch(r"/products/(\d+)", self.path)) and int(one[1]) in PRODUCTS:
            self._answer(200, _product(int(one[1])))
        else:
            self._answer(404, {"error": "not found"})

    do_HEAD = do_GET  # noqa: N815 - the standard library's name

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        noise = {"request": str(uuid.uuid4()), "time": datetime.now(UTC).isoformat()}
        content = json.dumps({**body, **noise}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing: a request line holds values."""


def _product(number: int) -> dict[str, Any]:
    product = PRODUCTS[number]
    if os.environ.get("CATALOG_BUG") == "price" and number % 10 == 0:
        return {**product, "price": float(round(product["price"]))}
    return product


def main() -> None:
    """Serve on LISTEN_PORT (8000) until SIGTERM."""
    # Not CATALOG_PORT: Kubernetes sets that to the address of a Service named catalog.
    server = ThreadingHTTPServer(("", int(os.environ.get("LISTEN_PORT", "8000"))), Catalog)
    # shutdown() waits for the loop that a signal handler interrupts, so it runs beside it.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"port={server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
