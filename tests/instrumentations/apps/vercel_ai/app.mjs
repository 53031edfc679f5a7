// The Vercel AI SDK with its own telemetry: whole, streamed, and with a tool on offer.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { detectResources, envDetector } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { generateText, streamText, tool } from "ai";
import { MockLanguageModelV3 } from "ai/test";
import { z } from "zod";

const provider = new NodeTracerProvider({
  resource: detectResources({ detectors: [envDetector] }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
});
provider.register();

const noria = createOpenAICompatible({
  name: "noria",
  baseURL: process.env.OPENAI_BASE_URL,
  apiKey: process.env.OPENAI_API_KEY,
  includeUsage: true,
});
const settings = {
  model: noria(process.env.MODEL),
  system: "You are brief.",
  prompt: "What is the capital of France?",
  maxOutputTokens: 8,
  temperature: 0,
  seed: 1,
  maxRetries: 0,
  experimental_telemetry: {
    isEnabled: true,
    functionId: "guide",
    metadata: { sessionId: "session-1", userId: "user-1", tier: "free" },
  },
};
const weather = tool({
  description: "The weather of a city",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `Sunny in ${city}.`,
});

await generateText(settings);
const stream = streamText(settings);
for await (const _ of stream.textStream);
await generateText({ ...settings, tools: { get_weather: weather } });

// The small model calls no tools of its own accord; this one always does.
const usage = {
  inputTokens: { total: 5, noCache: 5, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 3, text: 3, reasoning: 0 },
};
const caller = new MockLanguageModelV3({
  doGenerate: async () => ({
    content: [{ type: "tool-call", toolCallId: "call-1", toolName: "get_weather", input: '{"city":"Paris"}' }],
    finishReason: { unified: "tool-calls", raw: "tool_calls" },
    usage,
    warnings: [],
  }),
});
await generateText({ ...settings, model: caller, tools: { get_weather: weather } });
await provider.shutdown();
