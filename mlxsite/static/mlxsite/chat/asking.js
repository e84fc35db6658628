/* A conversation as the message that asks for its next answer. */

const CLIENT = 'chat page';

export function request(conversation, { system, parameters }) {
    const messages = conversation.turns.flatMap(toMessages);
    if (system) {
        messages.unshift({ role: 'system', content: system });
    }
    return {
        type: 'chat',
        model: conversation.model,
        messages,
        ...parameters,
        stream_options: { include_usage: true, continuous_usage_stats: true },
        // For the request's row: who asked, and which rows belong together.
        metadata: { client: CLIENT, session_id: conversation.id },
    };
}

/* An answer of which nothing came was none. */
function toMessages(turn) {
    if (turn.role === 'user') {
        return [{ role: 'user', content: toContent(turn) }];
    }
    return turn.text ? [{ role: 'assistant', content: turn.text }] : [];
}

function toContent({ text, images }) {
    if (!images?.length) {
        return text;
    }
    const parts = images.map((image) => ({ type: 'image_url', image_url: { url: image.url } }));
    return text ? [...parts, { type: 'text', text }] : parts;
}
