/* Which model answers: the list as the server has it, and the state of the one that was chosen. */

const { h } = window.ui;
const select = document.getElementById('model');
const state = document.getElementById('model-state');
const COMING = new Set(['loading', 'downloading', 'restarting']);
const LAST = 'mlx.model';

let models = [];
let wanted = localStorage.getItem(LAST) || '';

export function chosen() {
    return select.disabled ? '' : select.value;
}

export function find(key) {
    return models.find((model) => model.id === key);
}

export function isComing() {
    return COMING.has(find(chosen())?.state);
}

/* May it be asked about pictures? Of a model that was never loaded, its kind says so. */
export function sees(model) {
    return !model || model.kind === 'vlm' || model.capabilities.includes('vision');
}

export function choose(key) {
    wanted = key || wanted;
    draw();
}

/* Encoders write nothing, so nobody chats with them. */
export function show(list) {
    models = list.filter((model) => model.kind !== 'encoder');
    draw();
}

function draw() {
    const words = models.map(describe);
    if (select.dataset.shown !== words.join('\n')) {
        select.dataset.shown = words.join('\n');
        select.replaceChildren(...models.map((model, i) => h('option', { value: model.id }, words[i])));
        select.disabled = !models.length;
        if (!models.length) {
            select.append(h('option', {}, 'no model is known'));
        }
    }
    const ready = models.find((model) => model.state === 'ready');
    const found = find(wanted) || ready || models[0];
    if (found) {
        select.value = found.id;
    }
    drawState(found);
}

function describe(model) {
    const also = model.capabilities.filter((word) => word !== 'text');
    if (model.state === 'unloaded') {
        also.push('loads on first use');
    }
    return also.length ? `${model.id} (${also.join(', ')})` : model.id;
}

function drawState(model) {
    state.hidden = !model;
    if (model) {
        state.dataset.m = model.state;
        state.textContent = words(model);
        state.title = model.error || '';
    }
}

/* The state with how far a load is. */
export function words(model) {
    return model.progress === null || model.state === 'ready' ? model.state : `${model.state} ${Math.round(100 * model.progress)} %`;
}

select.addEventListener('change', () => {
    wanted = select.value;
    localStorage.setItem(LAST, wanted);
    drawState(find(wanted));
});
