// Anthropic's SDK for Node: a call, its result, the answer; the same as a stream.
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: process.env.SERVER, apiKey: "none", maxRetries: 0 });
const { name, description, parameters } = JSON.parse(process.env.TOOL);
const tools = [{ name, description, input_schema: parameters }];
const messages = [{ role: "user", content: "Where is the key?" }];
const asked = { model: "agent", max_tokens: 50, tools };

const first = await client.messages.create({ ...asked, messages });
const call = first.content.find((block) => block.type === "tool_use");
const result = { type: "tool_result", tool_use_id: call.id, content: process.env.RESULT };
const second = await client.messages.create({
  ...asked,
  messages: [...messages, { role: "assistant", content: first.content }, { role: "user", content: [result] }],
});
const streamed = (await client.messages.stream({ ...asked, messages }).finalMessage()).content[0];
const counted = await client.messages.countTokens({ model: "agent", messages, tools });
const refused = await client.messages
  .create({ ...asked, messages, model: "nobody" })
  .catch((error) => error);

console.log(
  JSON.stringify({
    called: [call.name, call.input],
    finish: first.stop_reason,
    answer: second.content[0].text,
    streamed: [streamed.name, streamed.input],
    counted: counted.input_tokens === first.usage.input_tokens + first.usage.cache_read_input_tokens,
    refused: [refused instanceof Anthropic.NotFoundError, refused.error.error.type],
  }),
);
