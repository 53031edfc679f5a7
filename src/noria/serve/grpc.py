"""OTLP over gRPC: the same intake as over HTTP, for exporters that speak nothing else.

Requests pass as bytes, so no generated code is needed here. The key comes as metadata, ``authorization`` or
``x-api-key``; a full store is ``UNAVAILABLE`` and too much at once ``RESOURCE_EXHAUSTED``, both with ``RetryInfo``,
without which exporters would not come again after the second.

Source: https://opentelemetry.io/docs/specs/otlp/#otlpgrpc
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from noria.assemble import Workspace
from noria.assemble.record.intake import Signal, TooMuch, refusal
from noria.core.errors import Conflict, InvalidInput, NoriaError, NotAllowed, Unavailable
from noria.serve.access import Access, trusts
from noria.serve.failures import own_error

GRACE_S = 5.0
"""Seconds that requests in flight get to end after a stop was asked for."""

_STREAMS = 100
"""Requests under way on one connection; a client lets further ones wait."""
_HELLO_S = 20
"""Seconds that a new connection has to say that it speaks HTTP/2."""
_IDLE_S = 600
"""Seconds without a request after which a connection is closed; exporters open another by themselves."""

_SERVICES: dict[str, Signal] = {
    "opentelemetry.proto.collector.trace.v1.TraceService": "traces",
    "opentelemetry.proto.collector.logs.v1.LogsService": "logs",
}


@contextlib.asynccontextmanager
async def serving_grpc(workspace: Workspace, access: Access) -> AsyncIterator[int | None]:
    """Serve OTLP over gRPC where ``otlp_grpc_port`` says so. Yields the port; None where it says no.

    Raises:
        InvalidInput: grpcio is not installed.
        Conflict: the port is in use, or not this machine's to listen on.
    """
    settings = workspace.settings
    if not settings.otlp_grpc_port:
        yield None
        return
    try:
        import grpc  # type: ignore[import-untyped]  # noqa: PLC0415  # no stubs of its own; only who asks for it pays
    except ImportError:
        raise InvalidInput(
            "otlp_grpc_port is set, but grpcio is not installed.", hint="Run `pip install 'noria[grpc]'`."
        ) from None
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", settings.otlp_max_body_bytes),
            ("grpc.so_reuseport", 0),  # of two servers on one port, one must be told
            ("grpc.max_concurrent_streams", _STREAMS),
            ("grpc.server_handshake_timeout_ms", _HELLO_S * 1000),
            ("grpc.max_connection_idle_ms", _IDLE_S * 1000),
        ],
    )
    for service, signal in _SERVICES.items():
        handler = grpc.stream_unary_rpc_method_handler(_export(workspace, access, signal))
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": handler}),))
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    try:
        port = server.add_insecure_port(f"{host}:{settings.otlp_grpc_port}")
    except RuntimeError as error:
        raise Conflict(
            f"Can't listen for gRPC on {settings.host}:{settings.otlp_grpc_port}; it may be in use.",
            hint="Choose another otlp_grpc_port.",
        ) from error
    await server.start()
    try:
        yield port
    finally:
        await server.stop(GRACE_S)


def _export(
    workspace: Workspace, access: Access, signal: Signal
) -> Callable[[AsyncIterator[bytes], Any], Awaitable[bytes]]:
    """The handler of one service's ``Export``.

    On the wire a stream of one message is a message. Here it makes the difference that the key is checked before any of
    it is read: a stranger's request takes no memory.
    """

    async def export(bodies: AsyncIterator[bytes], context: Any) -> bytes:
        try:
            key = access.check_key(
                {str(name): str(value) for name, value in context.invocation_metadata() or ()}, ("ingest",)
            )
            body = await _only(bodies)
            with workspace.intake.hold(len(body)):
                return await workspace.intake.take(signal, body, "protobuf", trusted=trusts(key))
        except Exception as error:  # noqa: BLE001  # this boundary's one broad catch: whatever failed, the sender is told
            failure = own_error(error, f"grpc {signal}")
        if isinstance(failure, Unavailable):
            workspace.intake.turned_away()
        details = (("grpc-status-details-bin", refusal(failure, "protobuf")),)
        await context.abort(_code(failure), str(failure), trailing_metadata=details)
        return b""  # never: ``abort`` raises

    return export


async def _only(bodies: AsyncIterator[bytes]) -> bytes:
    async for body in bodies:
        return body
    raise InvalidInput("The request has no message.")


def _code(error: NoriaError) -> Any:
    import grpc  # noqa: PLC0415  # see above

    if isinstance(error, NotAllowed):
        return grpc.StatusCode.UNAUTHENTICATED
    if isinstance(error, Unavailable):
        return grpc.StatusCode.RESOURCE_EXHAUSTED if isinstance(error, TooMuch) else grpc.StatusCode.UNAVAILABLE
    return grpc.StatusCode.INVALID_ARGUMENT if isinstance(error, InvalidInput) else grpc.StatusCode.INTERNAL
