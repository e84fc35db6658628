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

/* Returns whether it was kept whole. */
export function save(conversation) {
    const text = JSON.stringify(conversation);
    const others = ids().filter((id) => id !== conversation.id);
    if (others.length >= MOST || text.length + others.reduce((sum, id) => sum + chars(id), 0) > MOST_CHARS) {
        makeRoom(conversation.id, text.length);
    }
    try {
        localStorage.setItem(PREFIX + conversation.id, text);
        return true;
    } catch {
        saveWithout(conversation);
        return false;
    }
}

function chars(id) {
    return localStorage.getItem(PREFIX + id)?.length || 0;
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

/* Gives up pictures of other conversations first, then those conversations; the oldest of each. */
function makeRoom(id, needed) {
    const oldest = all().filter((other) => other.id !== id).reverse();
    const used = () => oldest.reduce((sum, other) => sum + chars(other.id), needed);
    for (const other of oldest) {
        if (used() > MOST_CHARS) {
            localStorage.setItem(PREFIX + other.id, JSON.stringify(withoutImages(other)));
        }
    }
    while (oldest.length && (oldest.length >= MOST || used() > MOST_CHARS)) {
        remove(oldest.shift().id);
    }
}

/* The last resort: the words of this conversation, without its pictures. */
function saveWithout(conversation) {
    try {
        localStorage.setItem(PREFIX + conversation.id, JSON.stringify(withoutImages(conversation)));
    } catch {
        remove(conversation.id);
    }
}

function withoutImages(conversation) {
    const bare = (turn) => (turn.images?.length ? { ...turn, images: [], lost_images: turn.images.length + (turn.lost_images || 0) } : turn);
    return { ...conversation, turns: conversation.turns.map(bare) };
}
