"""Reads OTLP requests (JSON) with the protocol's own message types: an unknown field or a wrong type is an error."""

import base64
import json
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def for_protobuf(value):
    """OTLP writes ids in hexadecimal digits, where protobuf's JSON has base64."""
    if isinstance(value, list):
        return [for_protobuf(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: base64.b64encode(bytes.fromhex(one)).decode() if name in ("traceId", "spanId", "parentSpanId")
        else for_protobuf(one)
        for name, one in value.items()
    }


count = 0
for body in json.load(sys.stdin):
    request = json_format.ParseDict(for_protobuf(json.loads(body)), ExportTraceServiceRequest())
    for resource in request.resource_spans:
        assert any(attribute.key == "service.name" for attribute in resource.resource.attributes)
        for scope in resource.scope_spans:
            for span in scope.spans:
                assert len(span.trace_id) == 16 and len(span.span_id) == 8 and span.name, span
                assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano, span
                count += 1
print(count)
