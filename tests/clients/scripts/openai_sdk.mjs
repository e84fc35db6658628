// OpenAI's SDK for Node: a call, its result, the answer; the same as a stream.
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

console.log(
  JSON.stringify({
    called: [call.function.name, JSON.parse(call.function.arguments)],
    finish: first.choices[0].finish_reason,
    answer: second.choices[0].message.content,
    streamed: [streamed.function.name, JSON.parse(streamed.function.arguments)],
    completion: typeof completion.choices[0].text,
    listed,
    refused: [refused instanceof OpenAI.NotFoundError, refused.code],
  }),
);
