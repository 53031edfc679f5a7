"""OpenAI's client with Arize's instrumentation."""

from calls import make_calls
from openinference.instrumentation import using_attributes
from openinference.instrumentation.openai import OpenAIInstrumentor
from otel_setup import export

export()
OpenAIInstrumentor().instrument()
with using_attributes(session_id="session-1", user_id="user-1", tags=["a"], metadata={"tier": "free"}):
    make_calls()
