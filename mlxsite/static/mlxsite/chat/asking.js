/* A conversation as the message that asks for its next answer. */

const CLIENT = 'chat page';

/* A model that reads text only gets earlier questions without their pictures; the newest is for the server to judge. */
export function request(conversation, { system, parameters, sees }) {
    const last = conversation.turns.length - 1;
    const messages = conversation.turns.flatMap((turn, at) => toMessages(sees || at === last ? turn : withoutPictures(turn)));
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

export function countEarlierPictures(turns) {
    return turns.slice(0, -1).reduce((sum, turn) => sum + (turn.images?.length || 0), 0);
}

function withoutPictures(turn) {
    return turn.images?.length ? { ...turn, images: [], text: turn.text || '(a picture)' } : turn;
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
