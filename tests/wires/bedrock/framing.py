"""Recorded events as the bytes that AWS sends, and botocore's model of the service as the judge of both directions."""

import base64
import json
import struct
import zlib
from functools import cache
from typing import Any

from botocore.eventstream import EventStreamBuffer
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import create_parser
from botocore.validate import ParamValidator

from wires.recordings import recorded


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One message of ``application/vnd.amazon.eventstream``."""
    written = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack("!H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack("!II", len(written) + len(payload) + 16, len(written))
    head = prelude + struct.pack("!I", zlib.crc32(prelude)) + written + payload
    return head + struct.pack("!I", zlib.crc32(head))


def stream(name: str) -> bytes:
    """A recorded stream of events."""
    frames = []
    for line in recorded(f"bedrock/{name}.jsonl").splitlines():
        said = json.loads(line)
        kind = "event" if "event" in said else "exception"
        headers = {f":{kind}-type": said[kind], ":content-type": "application/json", ":message-type": kind}
        frames.append(frame(headers, json.dumps(said["payload"], ensure_ascii=False).encode()))
    return b"".join(frames)


@cache
def service() -> ServiceModel:
    return ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"))


def seen_by_botocore(body: bytes) -> dict[str, Any]:
    """A whole reply as boto3's users get it."""
    shape = service().operation_model("Converse").output_shape
    return create_parser("rest-json").parse({"status_code": 200, "headers": {}, "body": body}, shape)


def frames_of_botocore(data: bytes) -> list[tuple[dict[str, Any], bytes]]:
    """The messages of a stream as botocore reads them."""
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [(message.headers, message.payload) for message in buffer]


def problems(body: dict[str, Any]) -> str:
    """What botocore would not send of a request; empty where nothing."""
    shape = service().operation_model("Converse").input_shape
    return ParamValidator().validate(_unpacked({"modelId": "m", **body}, shape), shape).generate_report()


def _unpacked(value: Any, shape: Any) -> Any:
    """JSON as the parameters that it was made of: blobs are bytes there."""
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        known = shape.members
        return {name: _unpacked(item, known[name]) if name in known else item for name, item in value.items()}
    if shape.type_name == "list":
        return [_unpacked(item, shape.member) for item in value]
    return base64.b64decode(value, validate=True) if shape.type_name == "blob" else value
