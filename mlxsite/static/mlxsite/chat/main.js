/* The chat page: one conversation, at most one answer at a time, and everything that may happen to it. */

import { Answer } from './answer.js';
import { countEarlierPictures, request } from './asking.js';
import * as chats from './chats.js';
import * as composer from './composer.js';
import { Connection } from './connection.js';
import { closeAround, closeOver, toggle } from './drawers.js';
import { Log } from './log.js';
import * as parameters from './parameters.js';
import * as picker from './picker.js';
import * as standing from './standing.js';
import * as store from './store.js';

const SAVE_MS = 2000;
const STOP_MS = 5000;
const TOLD_CHARS = 600;
const NO_LINK = 'There is no connection to the server at present; nothing was sent.';
const NO_KEY = 'A key is needed first; nothing was sent.';
const $ = (id) => document.getElementById(id);
const page = $('chat');
const log = new Log({ rows: page.dataset.rows });

let conversation = store.current() || store.fresh('', {});
let answer = null; // The one that is coming.
let isAbandoned = false; // One whose end the server has not told yet, though nobody waits for it.
let changing = -1; // The question that is being changed.
let savedAt = 0;
let stopTimer = 0;

const connection = new Connection(page.dataset.socket, {
    standing: standing.setLink,
    models: listed,
    message: hear,
    refused: turnAway,
    lost: cutOff,
});

/* --- asking */

function send() {
    const { text, images } = composer.draft();
    if (answer || !(text || images.length)) {
        return;
    }
    composer.note('');
    const question = { role: 'user', text, images };
    if (ask(changing < 0 ? conversation.turns : conversation.turns.slice(0, changing), question)) {
        composer.fill();
        leaveChanging();
    }
}

/* Asks for an answer to the turns; returns whether it went out. */
function ask(turns, question) {
    let asked;
    try {
        asked = parameters.read();
    } catch (error) {
        composer.note(error.message);
        toggle('parameters', true);
        return false;
    }
    const next = { ...conversation, model: picker.chosen(), parameters: parameters.values(), turns: question ? [...turns, question] : turns };
    const sees = picker.sees(picker.find(next.model));
    const message = request(next, { ...asked, sees });
    if (!message.model) {
        delete message.model;
    }
    if (!connection.isOpen || !connection.send(message)) {
        composer.note(standing.isGateShown() ? NO_KEY : NO_LINK);
        return false;
    }
    const turn = { role: 'assistant', model: next.model, text: '', end: 'running', left_out: sees ? 0 : countEarlierPictures(next.turns) };
    conversation = { ...next, at: Date.now(), turns: [...next.turns, turn] };
    answer = new Answer(turn);
    log.show(conversation.turns);
    log.toBottom();
    keep();
    setBusy(true);
    standing.tell('Asked.');
    return true;
}

function hear(message) {
    if (isAbandoned) {
        // Every answer has one end: what comes after it belongs to the next.
        isAbandoned = !message.type;
    } else if (message.object === 'chat.completion.chunk') {
        if (answer?.hear(message)) {
            log.draw(answer);
            keepSometimes();
        }
    } else if (message.type === 'done') {
        end('done', { id: message.request_id, ignored: message.ignored_params });
    } else if (message.type === 'cancelled') {
        end('stopped', { id: message.request_id });
    } else if (message.type === 'error') {
        refuse(message);
    }
}

function refuse({ error, request_id: id }) {
    if (answer) {
        parameters.point(error.param);
        end('failed', { words: error.message, code: error.code, param: error.param, id });
    } else {
        composer.note(error.message);
    }
}

function stop() {
    if (answer && !$('stop').disabled && connection.send({ type: 'cancel' })) {
        $('stop').disabled = true;
        stopTimer = setTimeout(abandon, STOP_MS);
    }
}

/* Goes on without waiting for the server's word. */
function abandon() {
    if (answer) {
        isAbandoned = true;
        end('stopped');
    }
}

function cutOff(why) {
    isAbandoned = false;
    end('lost', { words: `${why[0].toUpperCase()}${why.slice(1)}: the answer was cut off.` });
}

function end(how, details) {
    if (!answer) {
        return;
    }
    clearTimeout(stopTimer);
    answer.close(how, details);
    const { turn } = answer;
    answer = null;
    log.close();
    keep();
    const held = document.activeElement;
    setBusy(false);
    // Whoever has gone on to something else is left there.
    if (held === document.body || held === $('stop')) {
        composer.focus();
    }
    standing.tell(how === 'done' ? `${turn.model} answered: ${turn.text.slice(0, TOLD_CHARS)}` : how === 'stopped' ? 'Stopped.' : turn.words);
}

function again() {
    const last = conversation.turns.findLastIndex((turn) => turn.role === 'user');
    if (!answer && last >= 0) {
        composer.note('');
        ask(conversation.turns.slice(0, last + 1));
    }
}

function change(at) {
    if (!answer) {
        changing = at;
        composer.fill(conversation.turns[at]);
        $('editing').hidden = false;
        $('say').focus();
    }
}

function leaveChanging() {
    changing = -1;
    $('editing').hidden = true;
}

/* --- conversations */

function open(next) {
    stop();
    abandon();
    leaveChanging();
    composer.note('');
    conversation = next;
    for (const turn of conversation.turns) {
        // The page was closed in the middle of it.
        if (turn.end === 'running') {
            Object.assign(turn, { end: 'lost', words: 'The page was closed before the answer ended.' });
        }
    }
    store.setCurrent(conversation.id);
    parameters.fill(conversation.parameters || {});
    picker.choose(conversation.model);
    log.show(conversation.turns);
    log.toBottom();
    chats.draw(conversation.id);
    look();
}

function keep() {
    savedAt = Date.now();
    if (conversation.turns.length && !store.save(conversation)) {
        composer.note('This browser has no room left: the pictures of this conversation will be gone after a reload.');
    }
    store.setCurrent(conversation.id);
    chats.draw(conversation.id);
}

/* In the middle of an answer: a page that crashes loses little. */
function keepSometimes() {
    if (Date.now() - savedAt > SAVE_MS) {
        savedAt = Date.now();
        store.save(conversation);
    }
}

function begin() {
    open(store.fresh(picker.chosen(), parameters.values()));
    composer.focus();
    closeOver();
}

function listed(models) {
    picker.show(models);
    standing.hideGate();
    log.showEmpty(true);
    composer.unnote(NO_LINK, NO_KEY);
    connection.isEager = Boolean(answer && !answer.hasBegun) || picker.isComing();
    look();
}

function setBusy(isBusy) {
    $('stop').hidden = !isBusy;
    $('stop').disabled = false;
    $('send').hidden = isBusy;
    connection.isEager = isBusy;
    look();
}

/* Says again what may have changed. */
function look() {
    if (answer && !answer.hasBegun) {
        log.wait(standing.waiting(answer.turn.model));
    }
    standing.sayModel(conversation.turns);
}

function turnAway(message) {
    if (answer) {
        refuse(message);
    }
    askForKey(message.error.message);
}

function askForKey(words) {
    log.showEmpty(false);
    standing.showGate(words);
}

/* --- what people do */

composer.onSend(send);
$('stop').addEventListener('click', stop);
$('new').addEventListener('click', begin);
$('keep').addEventListener('click', () => {
    leaveChanging();
    composer.fill();
    composer.focus();
});
$('reset').addEventListener('click', () => parameters.fill({}));
$('model').addEventListener('change', look);
standing.onKey((key) => connection.useKey(key));
document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || event.isComposing) {
        return;
    }
    if (answer) {
        stop();
    } else if (changing >= 0) {
        $('keep').click();
    } else {
        closeAround(event.target);
    }
});
$('turns').addEventListener('click', (event) => {
    const taken = event.target.closest('[data-take=code]');
    if (taken) {
        window.ui.copy(taken, taken.closest('.code').querySelector('pre').textContent);
    }
    const deed = event.target.closest('[data-deed]');
    if (deed) {
        const at = Number(deed.closest('.turn').dataset.at);
        ({ again, copy: () => window.ui.copy(deed, conversation.turns[at].text), edit: () => change(at) })[deed.dataset.deed]();
    }
});
chats.on({
    open: (id) => {
        open(store.read(id) || store.fresh('', {}));
        closeOver();
    },
    gone: (id) => {
        if (id === conversation.id) {
            begin();
        }
    },
});
store.onOthers((other) => {
    const isIdle = !answer && changing < 0 && other.turns.at(-1)?.end !== 'running';
    if (isIdle && other.id === conversation.id) {
        open(other);
    } else {
        chats.draw();
    }
});
addEventListener('pagehide', () => {
    if (answer) {
        keep();
    }
});

open(conversation);
if ('stranger' in page.dataset && !connection.hasKey) {
    askForKey('');
    standing.setLink('lost', 'a key is needed');
} else {
    composer.focus();
    connection.connect();
}
