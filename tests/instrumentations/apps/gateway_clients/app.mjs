// The clients that npm has, each through each of four calls: a stream, a tool, a schema, and a stream that breaks off.
// Prints what each saw as one JSON object: client -> call -> what came.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { Output, generateText, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { z } from "zod";

globalThis.AI_SDK_LOG_WARNINGS = false; // they go to the standard output
const { NORIA_URL: url, NORIA_API_KEY: apiKey, MODEL: model, CLIENTS: wanted } = process.env;
const baseURL = `${url}/v1`;
const makers = {
  "@ai-sdk/openai, Chat Completions": () => createOpenAI({ baseURL, apiKey }).chat(model),
  "@ai-sdk/openai, Responses": () => createOpenAI({ baseURL, apiKey }).responses(model),
  "@ai-sdk/anthropic": () => createAnthropic({ baseURL, apiKey })(model),
  "@ai-sdk/google": () => createGoogleGenerativeAI({ baseURL: `${url}/v1beta`, apiKey })(model),
};
const city = z.object({ city: z.string(), wheels: z.number() });
const weather = tool({
  description: "The weather of a city",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `Sunny in ${city}.`,
});

async function watched(stream) {
  let text = "";
  let finish = null;
  let error = null;
  try {
    for await (const part of stream.fullStream) {
      if (part.type === "text-delta") text += part.text;
      if (part.type === "finish") finish = part.finishReason;
      if (part.type === "error") error = String(part.error?.message ?? part.error?.error?.message ?? JSON.stringify(part.error));
    }
  } catch (thrown) {
    error = String(thrown.message);
  }
  return { text, finish, error };
}

async function vercel(language) {
  const settings = { model: language, maxRetries: 0, onError: () => {} };
  const streamed = streamText({ ...settings, system: "Be brief.", prompt: "stream" });
  const stream = await watched(streamed);
  if (stream.error) throw new Error(stream.error);
  stream.usage = await streamed.totalUsage;
  const called = streamText({ ...settings, prompt: "tool", tools: { get_weather: weather }, stopWhen: stepCountIs(3) });
  const used = await watched(called);
  if (used.error) throw new Error(used.error);
  used.results = (await called.steps).flatMap((step) => step.toolResults.map((result) => result.output));
  const made = await generateText({ ...settings, prompt: "object", output: Output.object({ schema: city }) });
  const cut = await watched(streamText({ ...settings, prompt: "cut" }));
  return { stream, tool: used, object: made.output, cut };
}

async function openai() {
  const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
  const ask = (content) => ({ model, stream: true, messages: [{ role: "user", content }] });
  let text = "";
  for await (const chunk of await client.chat.completions.create(ask("stream"))) text += chunk.choices[0]?.delta.content ?? "";
  const runner = client.chat.completions.runTools({
    ...ask("tool"),
    tools: [
      {
        type: "function",
        function: {
          name: "get_weather",
          parse: JSON.parse,
          function: ({ city }) => `Sunny in ${city}.`,
          parameters: { type: "object", properties: { city: { type: "string" } } },
        },
      },
    ],
  });
  const used = { text: await runner.finalContent() };
  used.results = runner.messages.filter((message) => message.role === "tool").map((message) => message.content);
  const schema = z.toJSONSchema(city);
  const made = await client.chat.completions.create({
    ...ask("object"),
    stream: false,
    response_format: { type: "json_schema", json_schema: { name: "city", schema, strict: true } },
  });
  const cut = { text: "", error: null };
  try {
    for await (const chunk of await client.chat.completions.create(ask("cut"))) cut.text += chunk.choices[0]?.delta.content ?? "";
  } catch (thrown) {
    cut.error = String(thrown.message);
  }
  return { stream: { text }, tool: used, object: JSON.parse(made.choices[0].message.content), cut };
}

const seen = {};
for (const name of wanted.split(";")) {
  try {
    seen[name] = await (name === "openai" ? openai() : vercel(makers[name]()));
  } catch (thrown) {
    seen[name] = { failed: String(thrown.stack ?? thrown) };
  }
}
console.log(JSON.stringify(seen));
