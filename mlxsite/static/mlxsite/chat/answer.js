/* One answer while it comes: its text, its thinking, its calls, and its figures by this page's clock. */

const now = () => performance.now() / 1000;

export class Answer {
    constructor(turn) {
        this.turn = turn;
        this.beganAt = now();
        this.firstAt = 0;
        this.lastAt = 0;
        this.thoughtFrom = 0;
    }

    get hasBegun() {
        return this.firstAt > 0;
    }

    get isThinking() {
        return this.thoughtFrom > 0 && this.turn.thought_s === undefined;
    }

    /* Takes a chunk; returns whether anything is to be drawn. */
    hear(chunk) {
        const choice = chunk.choices[0];
        this.turn.model = chunk.model || this.turn.model;
        if (choice?.index === 0) {
            this.choice(choice);
        }
        if (chunk.usage) {
            this.usage(chunk.usage);
        }
        return Boolean(choice || chunk.usage);
    }

    choice(choice) {
        this.turn.finish = choice.finish_reason || this.turn.finish;
        const { content, reasoning_content: thought, tool_calls: calls } = choice.delta;
        if (thought) {
            this.thoughtFrom = this.thoughtFrom || now();
            this.turn.thought = (this.turn.thought || '') + thought;
        }
        if (content || calls) {
            this.endThinking();
            this.turn.text += content || '';
            (calls || []).forEach((call) => this.call(call));
        }
        if (thought || content || calls) {
            this.lastAt = now();
            this.firstAt = this.firstAt || this.lastAt;
            this.turn.ttft_s = this.firstAt - this.beganAt;
        }
    }

    usage({ completion_tokens: tokens, prompt_tokens: prompt, completion_tokens_details: details }) {
        this.firstTokens = this.firstTokens ?? tokens;
        this.turn.tokens = tokens;
        this.turn.prompt_tokens = prompt;
        this.turn.thought_tokens = details?.reasoning_tokens || 0;
        const took = this.lastAt - this.firstAt;
        if (took > 0 && tokens > this.firstTokens) {
            this.turn.tps = (tokens - this.firstTokens) / took;
        }
    }

    call({ index, function: called }) {
        const calls = (this.turn.calls ||= []);
        calls[index] ||= { name: '', arguments: '' };
        calls[index].name ||= called.name || '';
        calls[index].arguments += called.arguments || '';
    }

    endThinking() {
        if (this.isThinking) {
            this.turn.thought_s = now() - this.thoughtFrom;
        }
    }

    /* `end` is done, stopped, failed or lost; `words` say why where it is not done. */
    close(end, { words = '', code = '', param = '', id = '', ignored = [] } = {}) {
        this.endThinking();
        Object.assign(this.turn, { end, words, code, param, id, ignored });
    }
}
