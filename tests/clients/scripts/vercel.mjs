// Vercel's AI SDK: steps with a tool to the answer, whole and streamed.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, isStepCount, jsonSchema, streamText, tool } from "ai";

const provider = createOpenAICompatible({ name: "mlx-server", baseURL: `${process.env.SERVER}/v1`, apiKey: "none", includeUsage: true });
const { name, description, parameters } = JSON.parse(process.env.TOOL);
const asked = [];
const options = {
  model: provider("agent"),
  prompt: "Where is the key?",
  maxRetries: 0,
  stopWhen: isStepCount(3),
  tools: {
    [name]: tool({
      description,
      inputSchema: jsonSchema(parameters),
      execute: async (input) => {
        asked.push(input);
        return process.env.RESULT;
      },
    }),
  },
};

const whole = await generateText(options);
const stream = streamText(options);
let streamed = "";
for await (const piece of stream.textStream) streamed += piece;
const usage = await stream.totalUsage;

console.log(
  JSON.stringify({ asked, answer: whole.text, steps: whole.steps.length, streamed, counted: usage.inputTokens > 0 }),
);
