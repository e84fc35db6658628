/* Everything on the live page but the open requests: figures, memory, models, ends. */

import { NOTHING, age, ago, clock, count, drawBar, h, rate, say, seconds, size } from './live_figures.js';

const LOOKS = 120;
const SERIES = 6;
const $ = (id) => document.getElementById(id);
const page = $('live');
const speeds = [];

export function drawFigures({ server, totals }) {
    say($('n-tps'), rate(totals.tps));
    say($('n-running'), count(totals.seats_taken));
    say($('n-seats'), `of ${count(totals.seats)} seats`);
    say($('n-waiting'), count(totals.waiting));
    say($('n-ttft'), totals.ttft_p50_s === null ? NOTHING : seconds(totals.ttft_p50_s));
    say($('n-ttft-p95'), totals.ttft_p95_s === null ? '' : `${seconds(totals.ttft_p95_s)} p95`);
    const ended = Object.values(totals.outcomes).reduce((sum, n) => sum + n, 0);
    const finished = totals.outcomes.finished || 0;
    say($('n-ended'), count(ended));
    say($('n-finished'), ended ? `${count(finished)} finished, ${count(ended - finished)} not` : '');
    say($('n-lag'), size(server.lag_bytes));
    say($('n-record'), recordText(server));
    drawOutcomes(totals.outcomes, server.started_at);
}

function recordText(server) {
    if (server.record_error) {
        return server.record_error;
    }
    return server.dropped ? `${count(server.dropped)} lines dropped` : 'nothing dropped';
}

/* Every count leads to its rows. */
function drawOutcomes(outcomes, since) {
    const shown = JSON.stringify(outcomes);
    if ($('outcomes').dataset.shown === shown) {
        return;
    }
    $('outcomes').dataset.shown = shown;
    $('outcomes').replaceChildren(...Object.entries(outcomes).map(([outcome, n]) =>
        h('a', { class: 'chip', 'data-o': outcome, href: `${page.dataset.rows}?outcome=${outcome}&from=${Math.floor(since)}` }, `${words(outcome)} ${count(n)}`)));
}

export function drawServer(server, now) {
    const state = server.is_draining ? ', shutting down' : '';
    say($('server'), `mlx-server ${server.version} on ${server.node}, up ${age(Math.floor(now - server.started_at)).replace('.0 s', ' s')}${state}`);
}

/* One point per half second, also where nothing changed. */
export function drawSpark(tps) {
    speeds.push(tps);
    speeds.splice(0, speeds.length - LOOKS);
    const top = Math.max(1, ...speeds);
    const at = (i) => ((i + LOOKS - speeds.length) * 120) / (LOOKS - 1);
    const path = speeds.map((v, i) => `${i ? 'L' : 'M'}${at(i).toFixed(1)} ${(25 - (v / top) * 24).toFixed(1)}`).join('');
    $('spark').firstElementChild.setAttribute('d', path);
}

export function drawMemory(models, totals) {
    const held = models.filter((model) => model.memory_bytes);
    const whole = Math.max(totals.budget_bytes, totals.memory_bytes, 1);
    const parts = held.flatMap((model) => {
        const weights = Math.min(model.size_bytes || 0, model.memory_bytes);
        return [[series(models, model), weights], [`${series(models, model)} soft`, model.memory_bytes - weights]];
    });
    drawBar($('memory'), parts, whole, 26);
    const words = held.map((model) => `${model.key} ${size(model.memory_bytes)}`);
    const free = Math.max(0, totals.budget_bytes - totals.memory_bytes);
    $('memory').setAttribute('aria-label', [...words, `${size(free)} free`].join(', '));
    say($('n-memory'), `${size(totals.memory_bytes)} of ${size(totals.budget_bytes)} budget`);
    const shown = [...words, size(free)].join();
    if ($('memory-legend').dataset.shown !== shown) {
        $('memory-legend').dataset.shown = shown;
        $('memory-legend').replaceChildren(
            ...held.map((model, i) => h('span', { class: `key ${series(models, model)}` }, h('i'), h('span', {}, words[i]))),
            h('span', {}, `free ${size(free)}`),
            h('span', { class: 'faint' }, 'full colour: weights; light: caches and working memory'));
    }
}

function series(models, model) {
    return `s${(models.indexOf(model) % SERIES) + 1}`;
}

const modelRows = new Map();

export function drawModels(models, now) {
    const keys = new Set(models.map((model) => model.key));
    for (const [key, row] of modelRows) {
        if (!keys.has(key)) {
            row.tr.remove();
            modelRows.delete(key);
        }
    }
    for (const model of models) {
        if (!modelRows.has(model.key)) {
            const row = modelRow(model, series(models, model));
            modelRows.set(model.key, row);
            $('models').tBodies[0].append(row.tr);
        }
        fillModel(modelRows.get(model.key), model, now);
    }
}

function modelRow(model, name) {
    const cell = (kind, label) => h('td', { class: kind, 'data-l': label });
    const row = {
        why: h('span', { class: 'small why' }), state: h('span', { class: 'chip' }), seats: cell('num', 'seats'), waiting: cell('n', 'waiting'),
        tps: cell('n', 'tok/s'), memory: cell('n', 'memory'), weights: cell('n', 'weights'), used: h('td', { class: 'dim' }),
    };
    row.tr = h('tr', { 'data-key': model.key },
        h('td', { class: 'model-name o1' }, h('span', { class: `key ${name}` }, h('i'), h('b', {}, model.key)), row.why),
        h('td', { class: 'o2' }, row.state), row.seats, row.waiting, row.tps, row.memory, row.weights, row.used);
    return row;
}

function fillModel(row, model, now) {
    const isUp = model.state === 'ready';
    const progress = model.progress === null ? '' : ` ${Math.round(model.progress * 100)} %`;
    row.state.dataset.m = model.state;
    say(row.state, `${model.state}${progress}`);
    say(row.why, model.error || (model.pinned ? 'pinned' : ''));
    say(row.seats, isUp ? `${model.active} of ${model.seats}` : NOTHING);
    say(row.waiting, isUp || model.waiting ? count(model.waiting) : NOTHING);
    say(row.tps, isUp ? rate(model.tps) : NOTHING);
    say(row.memory, model.memory_bytes ? size(model.memory_bytes) : NOTHING);
    say(row.weights, model.size_bytes ? size(model.size_bytes) : NOTHING);
    say(row.used, model.in_use ? 'now' : model.last_used_at === null ? 'not yet' : ago(now - model.last_used_at));
}

export function drawEnded(ended) {
    $('ended').hidden = !ended.length;
    $('no-ended').hidden = ended.length > 0;
    const shown = ended.map((row) => row.id).join();
    if ($('ended').dataset.shown !== shown) {
        $('ended').dataset.shown = shown;
        $('ended').tBodies[0].replaceChildren(...ended.map(endedRow));
    }
}

function endedRow(row) {
    const what = row.outcome === 'finished' ? `${count(row.prompt_tokens)} → ${count(row.tokens)}` : row.reason;
    const link = h('a', { href: `${page.dataset.rows}?q=${encodeURIComponent(row.id)}`, 'aria-label': `${row.id}, took ${seconds(row.total_s)}` }, seconds(row.total_s));
    return h('tr', { 'data-id': row.id },
        h('td', { class: 'mono dim' }, clock(row.at)),
        h('td', {}, h('span', { class: 'chip', 'data-o': row.outcome }, words(row.outcome))),
        h('td', {}, row.model || NOTHING),
        h('td', { class: 'dim full reason' }, partial(row, what)),
        h('td', { class: row.ttft_s === null ? 'n none' : 'n', 'data-l': 'first token' }, row.ttft_s === null ? NOTHING : seconds(row.ttft_s)),
        h('td', { class: 'n push' }, link));
}

function partial(row, what) {
    return row.outcome !== 'finished' && row.tokens ? `${what} (${count(row.tokens)} tokens)` : what;
}

function words(outcome) {
    return outcome.replace('_', ' ');
}
