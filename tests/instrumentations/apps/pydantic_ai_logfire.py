"""A Pydantic AI agent, instrumented through Logfire, which sends to nobody but the endpoint of the environment."""

import asyncio

import logfire
from otel_setup import MODEL
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.settings import ModelSettings

logfire.configure(send_to_logfire=False, console=False)
logfire.instrument_pydantic_ai()
settings = ModelSettings(max_tokens=8, temperature=0.0, seed=1)
agent = Agent(OpenAIChatModel(MODEL), name="guide", instructions="You are brief.", model_settings=settings)


@agent.tool_plain
def get_weather(city: str) -> str:
    """The weather of a city."""
    return f"Sunny in {city}."


async def main() -> None:
    """A plain run, a streamed one, and one whose model calls every tool."""
    await agent.run("What is the capital of France?", model_settings=settings)
    async with agent.run_stream("What is the capital of France?") as stream:
        async for _ in stream.stream_text():
            pass
    with agent.override(model=TestModel()):
        await agent.run("How is the weather?")


asyncio.run(main())
