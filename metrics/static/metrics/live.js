/* The live page's connection: opens the socket, keeps it, and says how it stands. */

import { drawAges, drawRequests } from './live_requests.js';
import { drawEnded, drawFigures, drawMemory, drawModels, drawServer, drawSpark } from './live_view.js';

const DRAW_MS = 500;
const PING_MS = 15000;
const PATIENCE_MS = 10000;
const RETRY_MS = 1000;
const RETRY_MOST_MS = 30000;
const TOAST_MS = 5000;
const SIGNED_OUT = 4401;
const GOING_AWAY = 1001;
const PAUSED = 'paused; the figures are from this moment';

const page = document.getElementById('live');
const link = document.getElementById('link');
const pause = document.getElementById('pause');
const toast = document.getElementById('toast');

let socket = null;
let shown = null;
let ahead = 0; // The server's clock less ours, in seconds.
let isPaused = false;
let failures = 0;
let retryAt = 0;
let why = '';
let heard = 0;
let toastTimer = 0;

const serverNow = () => Date.now() / 1000 + ahead;

function connect() {
    const url = new URL(page.dataset.socket, location.href);
    url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    retryAt = 0;
    setLink('connecting', 'connecting');
    socket = new WebSocket(url);
    heard = Date.now();
    socket.addEventListener('message', (event) => hear(JSON.parse(event.data)));
    socket.addEventListener('close', lost);
}

function hear(message) {
    heard = Date.now();
    if (message.type === 'live') {
        failures = 0;
        ahead = message.at - Date.now() / 1000;
        shown = message.now;
        if (isPaused) {
            setLink('paused', PAUSED);
        } else {
            setLink('connected', 'connected');
            draw();
        }
    } else if (message.type === 'cancelled') {
        tell(message.done ? `${message.id.slice(0, 12)} cancelled. Its record keeps the tokens generated so far.` : `${message.id.slice(0, 12)} had ended already.`);
    } else if (message.type === 'error') {
        tell(message.message);
    }
}

async function lost(event) {
    if (event.target !== socket) {
        return;
    }
    socket = null;
    page.classList.add('stale');
    if (event.code === SIGNED_OUT || await isSignedOut()) {
        signedOut();
        return;
    }
    why = event.code === GOING_AWAY ? 'the server shut down' : 'no connection';
    const delay = Math.min(RETRY_MOST_MS, RETRY_MS * 2 ** failures);
    failures += 1;
    // Not all dashboards at the same moment.
    retryAt = Date.now() + delay * (0.75 + Math.random() / 2);
    sayWhen();
}

/* A refused handshake says no more than that; the page's own address says why. */
async function isSignedOut() {
    try {
        const answer = await fetch(location.href, { method: 'HEAD', redirect: 'manual', cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) });
        return answer.type === 'opaqueredirect' || answer.status === 403;
    } catch {
        return false;
    }
}

function signedOut() {
    setLink('lost', 'signed out. ');
    const again = document.createElement('a');
    again.href = page.dataset.login;
    again.textContent = 'Log in again';
    link.append(again);
}

function sayWhen() {
    const left = Math.max(1, Math.ceil((retryAt - Date.now()) / 1000));
    setLink('lost', `${why}, trying again${left > 2 ? ` in ${left} s` : ''}`);
}

function setLink(state, text) {
    if (link.dataset.link !== state || link.textContent !== text) {
        link.dataset.link = state;
        link.textContent = text;
        page.classList.toggle('stale', state !== 'connected' && state !== 'paused');
    }
}

function draw() {
    const now = serverNow();
    const models = new Map(shown.models.map((model) => [model.key, model]));
    drawFigures(shown);
    drawServer(shown.server, now);
    drawMemory(shown.models, shown.totals);
    drawModels(shown.models, now);
    drawRequests(shown, models, now, cancel);
    drawEnded(shown.ended);
}

function cancel(id) {
    if (socket && socket.readyState === WebSocket.OPEN) {
        socket.send(JSON.stringify({ type: 'cancel', id }));
    } else {
        tell('Not connected; nothing was cancelled.');
    }
}

function tell(text) {
    toast.textContent = text;
    toast.hidden = false;
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => { toast.hidden = true; }, TOAST_MS);
}

function tick() {
    if (!socket) {
        if (retryAt && Date.now() >= retryAt) {
            connect();
        } else if (retryAt) {
            sayWhen();
        }
    } else if (shown && !isPaused && !document.hidden) {
        drawSpark(shown.totals.tps);
        drawServer(shown.server, serverNow());
        drawAges(serverNow());
    }
}

/* A line that is cut makes no sound: ask, and take silence for an end. */
function check() {
    if (!socket) {
        return;
    }
    if (Date.now() - heard > PING_MS + PATIENCE_MS) {
        const silent = socket;
        silent.close();
        lost({ target: silent, code: 0 });
    } else if (socket.readyState === WebSocket.OPEN) {
        socket.send('{"type":"ping"}');
    }
}

pause.addEventListener('click', () => {
    isPaused = !isPaused;
    pause.setAttribute('aria-pressed', String(isPaused));
    pause.textContent = isPaused ? 'Resume' : 'Pause';
    if (isPaused) {
        setLink('paused', PAUSED);
    } else if (socket && shown) {
        setLink('connected', 'connected');
        draw();
    }
});
setInterval(tick, DRAW_MS);
setInterval(check, PING_MS);
connect();
