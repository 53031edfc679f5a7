"""OpenAI's client with OpenTelemetry's own instrumentation."""

from calls import make_calls
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from otel_setup import export

export(logs=True)
OpenAIInstrumentor().instrument()
make_calls()
