/* The page's connection: opens the socket, keeps it, says how it stands, and asks for the models. */

const CALM_MS = 10000;
const EAGER_MS = 2000;
const PATIENCE_MS = 20000;
const RETRY_MS = 1000;
const RETRY_MOST_MS = 15000;
const GOING_AWAY = 1001;
const KEY = 'mlx.key';
const REFUSED = 'invalid_api_key';

/* Calls back: `standing(state, text)`, `models(list)`, `message(message)`, `refused(message)`, `lost(why)`. */
export class Connection {
    constructor(path, on) {
        this.path = path;
        this.on = on;
        this.socket = null;
        this.isOpen = false;
        this.isRefused = false;
        this.failures = 0;
        this.retryAt = 0;
        this.isEager = false;
        this.askedAt = 0;
        this.unanswered = 0;
        setInterval(() => this.tick(), 500);
        addEventListener('online', () => this.hurry());
        document.addEventListener('visibilitychange', () => this.hurry());
    }

    connect() {
        const url = new URL(this.path, location.href);
        url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
        this.retryAt = 0;
        this.isRefused = false;
        this.unanswered = 0;
        this.on.standing('connecting', this.failures ? 'connecting again' : 'connecting');
        const socket = new WebSocket(url);
        this.socket = socket;
        socket.addEventListener('open', () => this.begin());
        socket.addEventListener('message', (event) => socket === this.socket && this.hear(JSON.parse(event.data)));
        socket.addEventListener('close', (event) => this.closed(socket, event.code));
    }

    /* A browser's handshake carries no key: it is the first message. */
    begin() {
        const key = sessionStorage.getItem(KEY);
        if (key) {
            this.send({ type: 'auth', api_key: key });
        }
        this.askModels();
    }

    useKey(key) {
        sessionStorage.setItem(KEY, key);
        this.connect();
    }

    get hasKey() {
        return Boolean(sessionStorage.getItem(KEY));
    }

    send(message) {
        if (!this.socket || this.socket.readyState !== WebSocket.OPEN) {
            return false;
        }
        this.socket.send(JSON.stringify(message));
        return true;
    }

    hear(message) {
        this.unanswered = 0;
        if (message.type === 'models') {
            this.listed(message.data);
        } else if (message.type === 'error' && message.error.code === REFUSED) {
            this.isRefused = true;
            sessionStorage.removeItem(KEY);
            this.on.refused(message);
        } else {
            this.on.message(message);
        }
    }

    listed(models) {
        if (!this.isOpen) {
            this.on.standing('connected', this.failures ? 'connected again' : '');
            this.isOpen = true;
            this.failures = 0;
        }
        this.on.models(models);
    }

    closed(socket, code) {
        if (socket !== this.socket) {
            return;
        }
        this.socket = null;
        this.isOpen = false;
        const why = code === GOING_AWAY ? 'the server shut down' : 'no connection';
        this.on.lost(why);
        if (this.isRefused) {
            this.on.standing('lost', 'a key is needed');
            return;
        }
        const delay = Math.min(RETRY_MOST_MS, RETRY_MS * 2 ** this.failures);
        this.failures += 1;
        // Not all pages at the same moment.
        this.retryAt = Date.now() + delay * (0.75 + Math.random() / 2);
        this.on.standing('lost', `${why}, trying again`);
    }

    hurry() {
        if (!document.hidden) {
            this.retryAt = this.retryAt && Date.now();
            this.askedAt = 0;
            this.tick();
        }
    }

    tick() {
        const now = Date.now();
        if (!this.socket) {
            if (this.retryAt && now >= this.retryAt) {
                this.connect();
            }
        } else if (this.unanswered && now - this.unanswered > PATIENCE_MS) {
            // A line that is cut makes no sound: silence is an end.
            const silent = this.socket;
            silent.close();
            this.closed(silent, 0);
        } else if (!document.hidden && this.isOpen && now - this.askedAt > (this.isEager ? EAGER_MS : CALM_MS)) {
            this.askModels();
        }
    }

    askModels() {
        this.askedAt = Date.now();
        if (this.send({ type: 'models' })) {
            this.unanswered = this.unanswered || this.askedAt;
        }
    }
}
