// OpenAI's SDK for Node: a call, its result, the answer; the same as a stream, and as responses.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: `${process.env.SERVER}/v1`, apiKey: "none", maxRetries: 0 });
const model = "agent";
const tool = JSON.parse(process.env.TOOL);
const tools = [{ type: "function", function: tool }];
const messages = [{ role: "user", content: "Where is the key?" }];

const first = await client.chat.completions.create({ model, messages, tools });
const turn = first.choices[0].message;
const [call] = turn.tool_calls;
messages.push(turn, { role: "tool", tool_call_id: call.id, content: process.env.RESULT });
const second = await client.chat.completions.create({ model, messages, tools });

const stream = client.chat.completions.stream({ model, messages: messages.slice(0, 1), tools });
const streamed = (await stream.finalChatCompletion()).choices[0].message.tool_calls[0];

const completion = await client.completions.create({ model, prompt: "Where", max_tokens: 4 });
const listed = (await client.models.list()).data.map((each) => each.id);
const refused = await client.chat.completions
  .create({ model: "nobody", messages })
  .catch((error) => error);

const asked = { model, tools: [{ type: "function", ...tool, strict: false }] };
const response = await client.responses.create({ ...asked, input: messages.slice(0, 1) });
const made = response.output.find((item) => item.type === "function_call");
const output = { type: "function_call_output", call_id: made.call_id, output: process.env.RESULT };
const after = { ...asked, input: [output], previous_response_id: response.id };
let text = "";
for await (const event of await client.responses.create({ ...after, stream: true })) {
  if (event.type === "response.output_text.delta") text += event.delta;
}
const there = new OpenAI({ baseURL: `${process.env.EMBEDDER}/v1`, apiKey: "none" });
const embedder = (await there.models.list()).data[0].id;
const vectors = await there.embeddings.create({ model: embedder, input: ["a cat", "a kitten"] });

console.log(
  JSON.stringify({
    called: [call.function.name, JSON.parse(call.function.arguments)],
    finish: first.choices[0].finish_reason,
    answer: second.choices[0].message.content,
    streamed: [streamed.function.name, JSON.parse(streamed.function.arguments)],
    completion: typeof completion.choices[0].text,
    listed,
    response: [made.name, JSON.parse(made.arguments), text],
    vectors: vectors.data.map((each) => each.embedding.length),
    refused: [refused instanceof OpenAI.NotFoundError, refused.code],
  }),
);
