"""A stand-in for an OpenTelemetry collector: OTLP over HTTP on loopback, parsed by the protocol's classes."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True, slots=True)
class Got:
    """One span."""

    service: str
    name: str
    trace: str
    span: str
    parent: str
    began: int
    ended: int
    attributes: dict[str, Any]

    @property
    def message(self) -> int:
        """The inbox id that it is about."""
        return int(self.attributes["yilian.message_id"])


@dataclass
class Collector:
    """What was exported."""

    endpoint: str = ""
    spans: list[Got] = field(default_factory=list)

    def messages(self, name: str = "") -> set[int]:
        """Return the messages that have a span of that name; of any, when none is given."""
        return {span.message for span in self.spans if name in ("", span.name)}

    def take(self, request: ExportTraceServiceRequest) -> None:
        """Keep the spans of one request."""
        for of in request.resource_spans:
            resource = {pair.key: _value(pair.value) for pair in of.resource.attributes}
            for scope in of.scope_spans:
                for span in scope.spans:
                    ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                    told = {pair.key: _value(pair.value) for pair in span.attributes}
                    times = (span.start_time_unix_nano, span.end_time_unix_nano)
                    self.spans.append(Got(str(resource["service.name"]), span.name, *ids, *times, told))


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


@contextmanager
def collecting() -> Iterator[Collector]:
    """Collect on a free port of loopback."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            collector.take(ExportTraceServiceRequest.FromString(body))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
