"""The REST API: every controller below ``/api``, in one Litestar application.

Its routes are the same for every workspace and take a fifth of a second to make, so they are made once in a process. Whose
they are for a request, the request's scope says.
"""

from __future__ import annotations

import functools

from litestar import Litestar
from litestar.datastructures import ResponseHeader
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin
from litestar.types import Scope as LitestarScope

from noria.assemble import Workspace
from noria.core.errors import NoriaError
from noria.serve.access import Access
from noria.serve.api.apps import AppsController, VariantsController
from noria.serve.api.audit import AuditController
from noria.serve.api.backups import BackupsController
from noria.serve.api.blobs import BlobsController
from noria.serve.api.datasets import DatasetsController
from noria.serve.api.erasures import ErasuresController
from noria.serve.api.errors import on_http_error, on_noria_error, on_too_deep, on_unexpected
from noria.serve.api.experiments import ExperimentsController
from noria.serve.api.exports import ExportsController
from noria.serve.api.gateway import GatewayController
from noria.serve.api.intake import IntakeController
from noria.serve.api.keys import KeysController
from noria.serve.api.limits import LimitsController
from noria.serve.api.models import ModelsController
from noria.serve.api.monitors import MonitorsController
from noria.serve.api.prices import PricesController
from noria.serve.api.prompts import PromptsController
from noria.serve.api.retention import RetentionController
from noria.serve.api.scores import ScoresController
from noria.serve.api.secrets import SecretsController
from noria.serve.api.server import ServerController
from noria.serve.api.sessions import SessionsController, UsersController
from noria.serve.api.spelt import SpeltOut
from noria.serve.api.tail import Tails
from noria.serve.api.traces import TracesController
from noria.serve.asgi import ASGIApp, Receive, Scope, Send
from noria.serve.openapi import NounSchemas, openapi_config


def rest_api(workspace: Workspace, access: Access, tails: Tails) -> ASGIApp:
    """The REST API of a workspace, with its OpenAPI document at ``/api/openapi.json``."""
    api = routes(workspace.version)

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {**scope.get("state", {}), "workspace": workspace, "access": access, "tails": tails}
        await api(scope, receive, send)  # type: ignore[arg-type]  # Litestar spells ASGI's types its own way

    return answer


@functools.cache
def routes(version: str) -> Litestar:
    """The routes, with the version of Noria that their document names."""
    return _OfNouns(
        path="/api",
        route_handlers=[
            AppsController,
            AuditController,
            BackupsController,
            BlobsController,
            DatasetsController,
            ErasuresController,
            ExperimentsController,
            ExportsController,
            GatewayController,
            IntakeController,
            KeysController,
            LimitsController,
            ModelsController,
            MonitorsController,
            PricesController,
            PromptsController,
            ScoresController,
            RetentionController,
            SecretsController,
            ServerController,
            SessionsController,
            TracesController,
            UsersController,
            VariantsController,
        ],
        dependencies={
            "workspace": Provide(_workspace, sync_to_thread=False),
            "access": Provide(_access, sync_to_thread=False),
            "tails": Provide(_tails, sync_to_thread=False),
        },
        exception_handlers={
            NoriaError: on_noria_error,
            HTTPException: on_http_error,
            RecursionError: on_too_deep,
            Exception: on_unexpected,
        },
        openapi_config=openapi_config(version),
        plugins=[NounSchemas()],
        response_class=SpeltOut,
        response_headers=[
            ResponseHeader(name="cache-control", value="no-store", documentation_only=False),
            ResponseHeader(name="x-content-type-options", value="nosniff", documentation_only=False),
        ],
        logging_config=None,
        request_max_body_size=32 * 1024 * 1024,
    )


def _workspace(scope: LitestarScope) -> Workspace:
    found: Workspace = scope["state"]["workspace"]
    return found


def _access(scope: LitestarScope) -> Access:
    found: Access = scope["state"]["access"]
    return found


def _tails(scope: LitestarScope) -> Tails:
    found: Tails = scope["state"]["tails"]
    return found


class _OfNouns(Litestar):
    """Litestar for msgspec's structs alone: its plugins for Pydantic and attrs import both, a seventh of a command's start."""

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]
