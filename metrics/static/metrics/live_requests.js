/* The table of open requests: one row each, changed in place, so that a button keeps its focus. */

import { NOTHING, age, count, drawBar, h, rate, say, scaleFor, scaleText, seconds } from './live_figures.js';

const REALLY_MS = 3000;
const PHASES = { received: 'prepare', loading: 'load', prepare: 'prepare', queued: 'queue', prefill: 'prefill', decode: 'decode' };
const SPENT = ['load', 'prepare', 'queue', 'prefill', 'decode'];

const table = document.getElementById('requests');
const body = table.tBodies[0];
const rows = new Map();
const page = document.getElementById('live');

/* `now` is the server's clock, in Unix seconds. */
export function drawRequests(shown, models, now, cancel) {
    const ids = new Set(shown.requests.map((request) => request.id));
    for (const [id, row] of rows) {
        if (!ids.has(id)) {
            moveFocusOn(row.tr);
            row.tr.remove();
            rows.delete(id);
        }
    }
    for (const request of shown.requests) {
        if (!rows.has(request.id)) {
            const row = makeRow(request, cancel);
            rows.set(request.id, row);
            body.append(row.tr);
        }
        fillRow(rows.get(request.id), request, models);
    }
    const left = shown.totals.open - shown.requests.length;
    const more = document.getElementById('more-requests');
    more.hidden = left <= 0;
    say(more, left > 0 ? `and ${count(left)} more` : '');
    table.hidden = !ids.size;
    document.getElementById('no-requests').hidden = ids.size > 0;
    drawAges(now);
}

/* What goes on without a message: ages, and the bars with them. */
export function drawAges(now) {
    let longest = 0;
    let longestWait = 0;
    for (const { request } of rows.values()) {
        longest = Math.max(longest, now - request.started_at);
        if (request.phase !== 'prefill' && request.phase !== 'decode') {
            longestWait = Math.max(longestWait, now - request.started_at);
        }
    }
    const scale = scaleFor(longest);
    say(document.getElementById('scale'), scaleText(scale));
    say(document.getElementById('n-longest'), longestWait ? `longest ${age(longestWait)}` : '');
    for (const row of rows.values()) {
        drawAge(row, now, scale);
    }
}

function drawAge(row, now, scale) {
    const { request } = row;
    const current = PHASES[request.phase];
    const spent = Object.fromEntries(SPENT.map((name) => [name, request.spent_s[`${name}_s`] || 0]));
    spent[current] += Math.max(0, now - request.phase_since);
    const parts = SPENT.map((name) => [name, spent[name]]).filter(([, s]) => s > 0);
    say(row.age, age(now - request.started_at));
    drawBar(row.bar, parts.map(([name, s]) => [`ph-${name}`, s]), scale, 8);
    row.bar.setAttribute('aria-label', parts.map(([name, s]) => `${name} ${seconds(s)}`).join(', '));
}

function makeRow(request, cancel) {
    const cell = (name, label) => h('td', { class: name, ...(label ? { 'data-l': label } : {}) });
    const row = {
        link: h('a', { href: `${page.dataset.rows}?q=${encodeURIComponent(request.id)}`, title: request.id }, shortened(request.id)),
        model: cell('model o1'), phase: h('span', { class: 'phase' }, h('i'), h('span')), age: cell('n age'),
        bar: h('svg', { class: 'bar', height: 8, role: 'img' }, h('rect', { class: 'rail', width: '100%', height: 8, rx: 2 })),
        prompt: cell('n', 'prompt'), tokens: cell('n tokens', 'tokens'), tps: cell('n', 'tok/s'), from: h('td', { class: 'dim from' }),
    };
    const action = h('td', { class: 'right o2' });
    if (request.can_cancel && 'mayCancel' in page.dataset) {
        action.append(cancelButton(request.id, cancel));
    }
    row.tr = h('tr', { 'data-id': request.id },
        h('td', { class: 'mono o1' }, row.link), row.model, h('td', { class: 'o5' }, row.phase), row.age,
        h('td', { class: 'w-bar full' }, row.bar), row.prompt, row.tokens, row.tps, row.from, action);
    return row;
}

function fillRow(row, request, models) {
    row.request = request;
    const phase = PHASES[request.phase];
    row.phase.className = `phase ph-${phase}`;
    row.tr.dataset.phase = request.phase;
    say(row.model, request.model || NOTHING);
    say(row.phase.lastChild, phaseText(request, models.get(request.model)));
    say(row.prompt, count(request.prompt_tokens));
    say(row.tokens, request.tokens ? count(request.tokens) : NOTHING);
    say(row.tps, rate(request.tps));
    say(row.from, [request.key || request.user || request.client, request.agent].filter(Boolean).join(' · '));
    row.from.title = [request.endpoint, request.client, request.session].filter(Boolean).join(' · ');
}

function phaseText(request, model) {
    if (request.phase === 'queued') {
        return request.place ? `waiting, ${ordinal(request.place)} in line` : 'waiting';
    }
    if (request.phase === 'loading') {
        const share = model && model.progress !== null ? ` ${Math.round(model.progress * 100)} %` : '';
        return `model loading${share}`;
    }
    return request.phase;
}

function ordinal(n) {
    const end = n % 100 > 10 && n % 100 < 14 ? 'th' : { 1: 'st', 2: 'nd', 3: 'rd' }[n % 10] || 'th';
    return `${n}${end}`;
}

function shortened(id) {
    return id.length > 12 ? id.slice(0, 12) : id;
}

/* What ends a request is asked for twice, in place. */
function cancelButton(id, cancel) {
    const button = h('button', { type: 'button', class: 'btn slim danger cancel', 'aria-label': `Cancel ${shortened(id)}` }, 'Cancel');
    let timer = 0;
    const calm = () => {
        delete button.dataset.asked;
        button.textContent = 'Cancel';
        button.setAttribute('aria-label', `Cancel ${shortened(id)}`);
    };
    button.addEventListener('click', () => {
        clearTimeout(timer);
        if (button.dataset.asked) {
            calm();
            cancel(id);
            return;
        }
        button.dataset.asked = 'yes';
        button.textContent = 'Really?';
        button.setAttribute('aria-label', `Really cancel ${shortened(id)}?`);
        timer = setTimeout(calm, REALLY_MS);
    });
    return button;
}

/* A row that goes must not take the keyboard's place with it. */
function moveFocusOn(tr) {
    if (tr.contains(document.activeElement)) {
        const next = tr.nextElementSibling || tr.previousElementSibling;
        const target = (next && next.querySelector('.cancel')) || document.getElementById('pause');
        target.focus();
    }
}
