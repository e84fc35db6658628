/* How things stand, in words: the connection, the question for a key, the model, and what is waited for. */

import * as picker from './picker.js';

const { figure } = window.ui;
const $ = (id) => document.getElementById(id);
const link = $('link');
const gate = $('gate');
const key = $('key');

export function setLink(state, text) {
    if (link.textContent !== text || link.dataset.link !== state) {
        link.dataset.link = state;
        link.textContent = text;
    }
}

/* To those who hear the page. */
export function tell(text) {
    $('told').textContent = text;
}

/* Asks for a key; `words` are the server's, where it refused one. */
export function showGate(words) {
    gate.hidden = false;
    $('gate-why').textContent = words;
    key.focus();
}

export function hideGate() {
    if (!gate.hidden) {
        gate.hidden = true;
        $('say').focus();
    }
}

export function isGateShown() {
    return !gate.hidden;
}

export function onKey(use) {
    gate.addEventListener('submit', (event) => {
        event.preventDefault();
        const typed = key.value.trim();
        key.value = '';
        $('gate-why').textContent = '';
        if (typed) {
            use(typed);
        }
    });
}

/* What an answer of which nothing has come waits for. */
export function waiting(name) {
    const model = picker.find(name);
    if (model && model.state !== 'ready') {
        return `${model.id} is ${picker.words(model)}`;
    }
    return model?.queue_size ? `Waiting: ${model.queue_size} in line for ${model.id}` : 'Waiting for the first token';
}

/* What the chosen model can take, and how much of it the conversation has used. */
export function sayModel(turns) {
    const model = picker.find(picker.chosen());
    $('attach').title = picker.sees(model) ? '' : `${model.id} reads text only`;
    const last = turns.findLast((turn) => turn.prompt_tokens);
    const used = last ? last.prompt_tokens + last.tokens : 0;
    $('context').textContent = used && model?.context_length ? `${figure.whole(used)} of ${figure.whole(model.context_length)} tokens` : '';
}
