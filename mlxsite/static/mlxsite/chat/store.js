/* The conversations this browser keeps: one entry each, bounded, the oldest pictures and then the oldest gone first. */

const PREFIX = 'mlx.chat.';
const CURRENT = 'mlx.current';
const MOST = 50;
const MOST_CHARS = 4_000_000;
const TITLE_CHARS = 60;

export function fresh(model, parameters) {
    return { id: newId(), at: Date.now(), model, parameters, turns: [] };
}

/* `crypto.randomUUID` is for pages over HTTPS and of this machine only. */
function newId() {
    const bytes = crypto.getRandomValues(new Uint8Array(12));
    return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

export function titleOf(conversation) {
    const first = conversation.turns.find((turn) => turn.role === 'user');
    const text = first ? first.text.trim().replace(/\s+/g, ' ') : '';
    return text.length > TITLE_CHARS ? `${text.slice(0, TITLE_CHARS)}…` : text || (first ? 'An image' : 'New chat');
}

/* Newest first. What cannot be read, perhaps of another version, is left alone. */
export function all() {
    return ids().map(read).filter(Boolean).sort((one, other) => other.at - one.at);
}

export function read(id) {
    try {
        const found = JSON.parse(localStorage.getItem(PREFIX + id));
        return found && Array.isArray(found.turns) ? found : null;
    } catch {
        return null;
    }
}

/* Where this tab was, or else where the last one was. */
export function current() {
    return read(sessionStorage.getItem(CURRENT) || localStorage.getItem(CURRENT) || '');
}

export function setCurrent(id) {
    sessionStorage.setItem(CURRENT, id);
    localStorage.setItem(CURRENT, id);
}

/* Returns whether it was kept whole. For want of room there go, one by one: the oldest conversations over the number,
   pictures of others, its own pictures, and others altogether. */
export function save(conversation) {
    const { id } = conversation;
    const whole = JSON.stringify(conversation);
    const known = ids();
    if ((known.length < MOST || known.includes(id)) && put(id, whole)) {
        return true;
    }
    const others = all().filter((other) => other.id !== id).reverse();
    others.splice(0, Math.max(0, others.length + 1 - MOST)).forEach((other) => remove(other.id));
    for (const other of others) {
        if (put(id, whole)) {
            return true;
        }
        put(other.id, JSON.stringify(withoutImages(other)));
    }
    if (put(id, whole)) {
        return true;
    }
    const bare = JSON.stringify(withoutImages(conversation));
    while (!put(id, bare) && others.length) {
        remove(others.shift().id);
    }
    return false;
}

/* Keeps a text if there is room for it, by our own bound and by the browser's, or if it is shorter than what it replaces. */
function put(id, text) {
    const chars = (other) => localStorage.getItem(PREFIX + other)?.length || 0;
    const used = ids().reduce((sum, other) => sum + (other === id ? 0 : chars(other)), text.length);
    if (used > MOST_CHARS && text.length >= chars(id)) {
        return false;
    }
    try {
        localStorage.setItem(PREFIX + id, text);
        return true;
    } catch {
        return false;
    }
}

/* Calls back with a conversation that another tab has changed. */
export function onOthers(changed) {
    addEventListener('storage', ({ key }) => {
        const found = key?.startsWith(PREFIX) && read(key.slice(PREFIX.length));
        if (found) {
            changed(found);
        }
    });
}

export function remove(id) {
    localStorage.removeItem(PREFIX + id);
}

export function removeAll() {
    ids().forEach(remove);
}

function ids() {
    return Object.keys(localStorage).filter((name) => name.startsWith(PREFIX)).map((name) => name.slice(PREFIX.length));
}

function withoutImages(conversation) {
    const bare = (turn) => (turn.images?.length ? { ...turn, images: [], lost_images: turn.images.length + (turn.lost_images || 0) } : turn);
    return { ...conversation, turns: conversation.turns.map(bare) };
}
