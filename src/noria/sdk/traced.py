"""``noria.trace``: one name for a decorator and a block, for functions of every kind.

    @noria.trace
    def plan(goal): ...

    @noria.trace("look up", kind="retrieval")
    async def look_up(query): ...

    with noria.trace("answer", kind="chat") as span:
        span.set(model="m", input=messages, output=text)

A step of a generator begins when it is first asked and ends when it ends, is closed, or is dropped; between two items
it is not the current span, so what the consumer does is not taken for a part of it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast, overload

from opentelemetry.context import attach, detach
from opentelemetry.trace import set_span_in_context

from noria.sdk.arguments import Arguments
from noria.sdk.client import current
from noria.sdk.fields import Kind
from noria.sdk.pieces import Pieces
from noria.sdk.replies import facts_of, facts_of_chunks
from noria.sdk.step import Step

P = ParamSpec("P")
R = TypeVar("R")


class Tracing:
    """A step to be: decorates functions, or surrounds a block. Begin each block with a new one."""

    def __init__(self, name: str | None, kind: Kind, capture: bool | None, attributes: dict[str, Any]) -> None:
        self._name = name
        self._kind: Kind = kind
        self._capture = capture
        self._attributes = attributes
        self._open: list[tuple[Step, Any]] = []

    # -- a block -------------------------------------------------------------------------------------------------

    def __enter__(self) -> Step:
        step = self._begin(self._name or "step")
        self._open.append((step, attach(set_span_in_context(step.span))))
        return step

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        step, token = self._open.pop()
        _left(step, token, error)

    async def __aenter__(self) -> Step:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    # -- functions -----------------------------------------------------------------------------------------------

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """The function, traced; of the same kind as before."""
        if isinstance(function, staticmethod | classmethod):
            return cast("Callable[P, R]", type(function)(self(function.__func__)))
        wrap: Callable[[Any], Any] = self._function
        if inspect.isasyncgenfunction(function):
            wrap = self._async_generator
        elif inspect.isgeneratorfunction(function):
            wrap = self._generator
        elif inspect.iscoroutinefunction(function):
            wrap = self._coroutine
        return cast("Callable[P, R]", functools.wraps(function)(wrap(function)))

    def _function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        call = self._caller(function)

        def traced(*args: Any, **kwargs: Any) -> Any:
            step = call(args, kwargs)
            token = attach(set_span_in_context(step.span))
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                _left(step, token, error)
                raise
            return self._returned(step, token, result)

        return traced

    def _coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        call = self._caller(function)

        async def traced(*args: Any, **kwargs: Any) -> Any:
            step = call(args, kwargs)
            token = attach(set_span_in_context(step.span))
            try:
                result = await function(*args, **kwargs)
            except BaseException as error:
                _left(step, token, error)
                raise
            return self._returned(step, token, result)

        return traced

    def _generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        call = self._caller(function)

        def traced(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            step = call(args, kwargs)
            inner, pieces = function(*args, **kwargs), Pieces(wanted=step.records_contents)
            advance: Callable[[], Any] = functools.partial(next, inner)
            try:
                while True:
                    with step.active():
                        try:
                            item = advance()
                        except StopIteration as stop:
                            return stop.value
                    pieces.add(item)
                    try:
                        advance = functools.partial(inner.send, (yield item))
                    except GeneratorExit:
                        with step.active():
                            inner.close()
                        step.set(**{"noria.closed_early": True})
                        raise
                    except BaseException as error:  # noqa: BLE001  # thrown in by the consumer, for the inner one to answer
                        advance = functools.partial(inner.throw, error)
            except GeneratorExit:
                raise
            except BaseException as error:
                _failed(step, error)
                raise
            finally:
                self._yielded(step, pieces)
                step.span.end()

        return traced

    def _async_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        call = self._caller(function)

        async def traced(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            step = call(args, kwargs)
            inner, pieces = function(*args, **kwargs), Pieces(wanted=step.records_contents)
            advance: Callable[[], Any] = functools.partial(anext, inner)
            try:
                while True:
                    with step.active():
                        try:
                            item = await advance()
                        except StopAsyncIteration:
                            return
                    pieces.add(item)
                    try:
                        advance = functools.partial(inner.asend, (yield item))
                    except GeneratorExit:
                        with step.active():
                            await inner.aclose()
                        step.set(**{"noria.closed_early": True})
                        raise
                    except BaseException as error:  # noqa: BLE001  # see above
                        advance = functools.partial(inner.athrow, error)
            except GeneratorExit:
                raise
            except BaseException as error:
                _failed(step, error)
                raise
            finally:
                self._yielded(step, pieces)
                step.span.end()

        return traced

    # -- both ----------------------------------------------------------------------------------------------------

    def _begin(self, name: str) -> Step:
        return current().begin(name, self._kind, self._capture, self._attributes)

    def _caller(self, function: Callable[..., Any]) -> Callable[[tuple[Any, ...], dict[str, Any]], Step]:
        """Begins a step for a call and records its arguments."""
        name = self._name or getattr(function, "__qualname__", type(function).__qualname__).replace("<locals>.", "")
        arguments = Arguments(function)

        def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Step:
            step = self._begin(name)
            if step.records_contents and (named := arguments.named(args, kwargs)):
                messages = named.get("messages") if self._kind == "chat" else None
                step.set(input=named if messages is None else messages)
            return step

        return begin

    def _returned(self, step: Step, token: Any, result: R) -> R:
        """A function's end, with what it gives back."""
        detach(token)
        if result is not None:
            facts = facts_of(result) if self._kind == "chat" and step.span.is_recording() else None
            step.set(**(facts or {"output": result}))
        step.span.end()
        return result

    def _yielded(self, step: Step, pieces: Pieces) -> None:
        whole = pieces.whole()
        if self._kind == "chat":
            step.set(ttft_s=pieces.first_s, **(facts_of_chunks(whole) or {"output": whole}))
        else:
            step.set(output=whole)


@overload
def trace(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def trace(
    name: str | None = None, /, *, kind: Kind = "step", capture: bool | None = None, **attributes: Any
) -> Tracing: ...


def trace(
    name: Callable[..., Any] | str | None = None,
    /,
    *,
    kind: Kind = "step",
    capture: bool | None = None,
    **attributes: Any,
) -> Any:
    """Trace a function or a block: see the module.

    Arguments:
        name: what the step is called; by default the function's name.
        kind: what it is: ``step``, ``chat``, ``tool``, ``retrieval``, ``agent``, ``embeddings`` or ``workflow``.
        capture: whether arguments, results and error messages are recorded; by default what ``configure`` says.
        attributes: facts known before it begins, as for :meth:`Step.set`.
    """
    if callable(name) or isinstance(name, classmethod):
        return Tracing(None, kind, capture, attributes)(name)
    return Tracing(name, kind, capture, attributes)


def _left(step: Step, token: Any, error: BaseException | None) -> None:
    """The end of a step that is the current one, and gives nothing back."""
    detach(token)
    if error is not None:
        _failed(step, error)
    step.span.end()


def _failed(step: Step, error: BaseException) -> None:
    """A step that was left by an exception has failed; one whose generator was closed has not."""
    if not isinstance(error, GeneratorExit):
        step.fail(error)
