"""Prompts: push, list, show, label."""

from __future__ import annotations

from typing import cast

from litestar import Controller, Request, get, post, put
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from noria.assemble import Workspace
from noria.assemble.keys.prompts import check_prompt_open
from noria.core.keys import Key
from noria.core.prompts import PromptVersion
from noria.serve.access import KEY
from noria.serve.api.actor import ADMIN, Actor
from noria.serve.shapes import PushedPrompt, PushPrompt, SetLabel


class PromptsController(Controller):
    """``/api/prompts``."""

    path = "/prompts"
    tags = ("prompts",)

    @get(sync_to_thread=True)
    def list_prompts(self, workspace: NamedDependency[Workspace]) -> list[PromptVersion]:
        """The latest version of every prompt."""
        return workspace.catalogue.prompts.list()

    @post(sync_to_thread=True)
    def push_prompt(
        self, workspace: NamedDependency[Workspace], data: JSONBody[PushPrompt], actor: Actor = ADMIN
    ) -> PushedPrompt:
        """Store a prompt; the same content under the same name makes no new version."""
        workspace.check_prompt(data.prompt)
        prompts = workspace.catalogue.prompts
        version, new = prompts.push(data.name, data.prompt, by=actor, note=data.note)
        for label in data.labels:
            version = prompts.label(data.name, label, str(version.version), by=actor)
        return PushedPrompt(version=version, new=new)

    @get("/{name:str}", sync_to_thread=True)
    def show_prompt(
        self,
        request: Request[None, None, State],
        workspace: NamedDependency[Workspace],
        name: FromPath[str],
        ref: FromQuery[str | None] = None,
    ) -> PromptVersion:
        """One version: by number, label or id (``ref``), else the latest."""
        check_prompt_open(workspace.catalogue, _key(request), name)
        return workspace.catalogue.prompts.get(name, ref)

    @get("/{name:str}/versions", sync_to_thread=True)
    def list_versions(
        self, request: Request[None, None, State], workspace: NamedDependency[Workspace], name: FromPath[str]
    ) -> list[PromptVersion]:
        """Every version, newest first."""
        check_prompt_open(workspace.catalogue, _key(request), name)
        return workspace.catalogue.prompts.history(name)

    @put("/{name:str}/labels/{label:str}", sync_to_thread=True)
    def set_label(
        self,
        workspace: NamedDependency[Workspace],
        name: FromPath[str],
        label: FromPath[str],
        data: JSONBody[SetLabel],
        actor: Actor = ADMIN,
    ) -> PromptVersion:
        """Point a label at a version."""
        return workspace.catalogue.prompts.label(name, label, data.ref, by=actor)


def _key(request: Request[None, None, State]) -> Key | None:
    """The virtual key that it came with, which the door has found."""
    return cast("Key | None", request.scope.get(KEY))
