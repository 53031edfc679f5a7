"""Reads one file from a Hugging Face hub over HTTPS, going on where a cut connection left off.

Wire: https://huggingface.co/docs/hub/api and huggingface_hub's ``file_download``: a HEAD of ``/resolve/`` gives the
commit (``X-Repo-Commit``), the SHA-256 of a file in large-file storage (``X-Linked-Etag``) and its size
(``X-Linked-Size``); a GET is redirected to where the bytes are.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from urllib.parse import quote

import aiohttp

from noria.core.errors import InvalidInput, NotAllowed, Unavailable, UnknownName

_REFERENCE = re.compile(r"hf:([\w.-]+)/([\w.-]+)/([\w./+ -]+?\.gguf)(?:@([\w./-]+))?", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=15, sock_read=30)


class HubFile:
    """Where a file is, and what it should be."""

    def __init__(self, *, repo: str, path: str, commit: str, sha256: str, size: int) -> None:
        self.repo = repo
        self.path = path
        self.commit = commit
        """The revision, resolved, so that a push in between changes nothing."""
        self.sha256 = sha256
        self.size = size

    @property
    def reference(self) -> str:
        """``hf:owner/repo/file.gguf@commit``."""
        return f"hf:{self.repo}/{self.path}@{self.commit}"


class Hub:
    """A hub, and the token that it may be sent.

    Arguments:
        endpoint: its base URL.
        token: the user's token; empty for public files.
        patience: times that a transfer is taken up again without a new byte before it is given up.
        pause_s: seconds before the first new try; they double.
    """

    def __init__(
        self, endpoint: str = "https://huggingface.co", token: str = "", *, patience: int = 4, pause_s: float = 0.5
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._token = token
        self._patience = patience
        self._pause_s = pause_s

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Hub:
        """As ``HF_ENDPOINT`` and ``HF_TOKEN`` say, like every other program of the hub."""
        endpoint = environment.get("HF_ENDPOINT") or "https://huggingface.co"
        return cls(endpoint, environment.get("HF_TOKEN", ""))

    async def find(self, reference: str) -> HubFile:
        """Resolve ``hf:owner/repo/file.gguf[@revision]``.

        Raises:
            InvalidInput: not such a reference, or a file without a SHA-256.
            UnknownName: the hub has no such file.
            NotAllowed: it wants a token, or a better one.
            Unavailable: it can't be reached, or has trouble.
        """
        match = _REFERENCE.fullmatch(reference)
        if not match or any(part in {".", ".."} for part in re.split("[/:@]", reference)):
            raise InvalidInput(f"'{reference}' is not a reference of the form hf:owner/repo/file.gguf[@revision].")
        repo, path, revision = f"{match[1]}/{match[2]}", match[3], match[4] or "main"
        try:
            async with (
                self._session() as session,
                session.head(self._url(repo, revision, path), allow_redirects=False) as reply,
            ):
                self._check(reply, reference)
                sha256 = reply.headers.get("X-Linked-Etag", "").strip('"')
                size = reply.headers.get("X-Linked-Size", "")
                commit = reply.headers.get("X-Repo-Commit", revision)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from error
        if not _SHA256.fullmatch(sha256) or not size.isdigit():
            raise InvalidInput(f"The hub gives no SHA-256 for {reference}, so it can't be checked; it is not pulled.")
        return HubFile(repo=repo, path=path, commit=commit, sha256=sha256, size=int(size))

    async def read(self, file: HubFile) -> AsyncGenerator[bytes, None]:
        """The file's bytes, over as many connections as it takes. Errors as in :meth:`find`."""
        at, misses = 0, 0
        async with self._session() as session:
            while at < file.size:
                try:
                    async for chunk in self._from(session, file, at):
                        at, misses = at + len(chunk), 0
                        if at > file.size:
                            raise InvalidInput(f"The hub sends more of {file.reference} than the {file.size} it said.")
                        yield chunk
                    if at < file.size:
                        raise aiohttp.ClientPayloadError("the hub ended early")
                except (aiohttp.ClientError, TimeoutError) as error:
                    misses += 1
                    if misses > self._patience:
                        raise self._unreachable(error) from error
                    await asyncio.sleep(self._pause_s * 2.0 ** (misses - 1))

    async def _from(self, session: aiohttp.ClientSession, file: HubFile, at: int) -> AsyncGenerator[bytes, None]:
        headers = {"Range": f"bytes={at}-"} if at else {}
        # aiohttp drops the token when a redirect leaves the hub's host.
        async with session.get(self._url(file.repo, file.commit, file.path), headers=headers) as reply:
            if reply.status >= 500 or reply.status == 429:
                raise aiohttp.ClientPayloadError(f"the hub answers {reply.status}")
            self._check(reply, file.reference)
            # A server that knows no ranges sends everything again.
            ahead = at if reply.status != 206 else 0
            async for chunk in reply.content.iter_chunked(1 << 20):
                fresh = chunk[min(ahead, len(chunk)) :]
                ahead -= len(chunk) - len(fresh)
                if fresh:
                    yield fresh

    def _session(self) -> aiohttp.ClientSession:
        headers = {"User-Agent": "noria", "Accept-Encoding": "identity"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        return aiohttp.ClientSession(headers=headers, timeout=_TIMEOUT, trust_env=True, auto_decompress=False)

    def _url(self, repo: str, revision: str, path: str) -> str:
        return f"{self._endpoint}/{repo}/resolve/{quote(revision, safe='')}/{quote(path)}"

    def _check(self, reply: aiohttp.ClientResponse, reference: str) -> None:
        if reply.status in {401, 403}:
            have = "the token in HF_TOKEN is not allowed to" if self._token else "without a token nobody may"
            raise NotAllowed(
                f"The hub answers {reply.status}: {have} read {reference}, or it does not exist.",
                status=reply.status,
                hint="Set HF_TOKEN to a token that may, and accept the model's terms on its page.",
            )
        if reply.status == 404:
            raise UnknownName(f"The hub has no {reference}.", hint="Check owner, repository, file and revision.")
        if reply.status >= 400:
            raise Unavailable(f"The hub answers {reply.status} for {reference}.")

    def _unreachable(self, error: Exception) -> Unavailable:
        what = str(error) or type(error).__name__
        return Unavailable(
            f"The model hub {self._endpoint} can't be reached: {what}.",
            kept="Nothing was stored.",
            hint="Check the network or HF_ENDPOINT, or pull a file with file:PATH.",
        )
