"""OpenAI's client with Traceloop's instrumentation (OpenLLMetry)."""

from calls import make_calls
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from otel_setup import export

export()
OpenAIInstrumentor().instrument()
make_calls()
