'use strict';
/* The history page: what is chosen stands in the address; figures are asked for again while the range ends now. */
{
    // Long ranges move slowly, and cost the server more to read.
    const EVERY_MS = 15000;
    const SELDOM_MS = 120000;
    const LOOKS_A_POINT = 20;
    const PATIENCE_MS = 20000;
    const COLORS = ['s1', 's2', 's4', 's6', 's3', 's5'];
    // A reason has the colour of its outcome, the second one of an outcome another shade.
    const SHADES = {
        rejected: ['f-rejected', 'f-rejected-2'], invalid: ['f-invalid', 's4'], timed_out: ['f-timed_out', 's5'],
        failed: ['f-failed', 's3'], interrupted: ['f-interrupted', 's1'],
    };
    const SPARE = ['f-cancelled', 's6', 's2', 's1', 's3', 's5'];
    const REST = 'c-axis';
    const GLYPHS = {rejected: '⇤', invalid: '≠', timed_out: '◷', failed: '✕', interrupted: '↯'};
    const ERRORS = Object.keys(GLYPHS).join(',');
    const FILTERS = ['model', 'key', 'endpoint', 'node'];

    const {h, figure, clock, filterValue, NOTHING} = window.ui;
    const {Board} = window.charts;
    const {sum} = window.drawing;
    const {showTotals, showKeys, Lane} = window.panels;
    const find = (id) => document.getElementById(id);
    const page = find('history');
    const STEPS_S = page.dataset.steps.split(' ').map(Number);
    const asked = new URLSearchParams(location.search);
    let data = null;
    let timer = 0;
    let running = null;

    /* --- what is chosen --- */

    function spelled(seconds) {
        if (seconds < 3600) {
            return `${seconds / 60} min`;
        }
        return seconds < 86400 ? `${+(seconds / 3600).toFixed(1)} h` : `${+(seconds / 86400).toFixed(1)} d`;
    }

    /* The list of requests, filtered as the charts are. */
    function rows(from, to, more = {}) {
        const query = new URLSearchParams({from: Math.round(from), to: Math.round(to)});
        for (const name of FILTERS) {
            if (asked.get(name)) {
                query.set(name, asked.get(name));
            }
        }
        for (const [name, value] of Object.entries(more)) {
            query.set(name, value);
        }
        return `${page.dataset.requests}?${query}`;
    }

    function rowsOfRange(more) {
        const [from, to] = [more.from ?? data.start, more.to ?? data.end];
        return rows(from, to, more);
    }

    function choose(changes) {
        for (const [name, value] of Object.entries(changes)) {
            if (value) {
                asked.set(name, value);
            } else {
                asked.delete(name);
            }
        }
        history.replaceState(null, '', asked.size ? `?${asked}` : location.pathname);
        showChoice();
        refresh({isNew: true});
    }

    function showChoice() {
        const isCustom = asked.has('from') || asked.has('to') || asked.has('hours');
        for (const button of document.querySelectorAll('#ranges [data-range]')) {
            const isChosen = !isCustom && button.dataset.range === (asked.get('range') || '24h');
            button.setAttribute('aria-pressed', String(isChosen));
        }
        find('custom-open').classList.toggle('chosen', isCustom);
    }

    function offer(choices) {
        for (const select of document.querySelectorAll('[data-filter]')) {
            const name = select.dataset.filter;
            const chosen = asked.get(name) || '';
            const values = choices[name].map(filterValue);
            if (chosen && !values.includes(chosen)) {
                values.push(chosen);
            }
            const options = values.map((value) => h('option', {value}, value === 'none' ? `no ${name}` : value.replace(/\\(.)/g, '$1')));
            if (JSON.stringify(values) !== select.dataset.values) {
                select.replaceChildren(select.options[0], ...options);
                select.dataset.values = JSON.stringify(values);
            }
            select.value = chosen;
            select.hidden = name === 'node' && values.length < 2 && !chosen;
        }
    }

    /* --- the charts --- */

    /* A model keeps its colour, whatever is chosen; the rare ones beyond the colours share one. */
    function modelSeries(columns, models) {
        const known = data.choices.model.filter(Boolean);
        const taken = new Map();
        const ordered = [...models].sort((a, b) => sum(columns[b]) - sum(columns[a]));
        const shown = ordered.slice(0, COLORS.length);
        for (const model of shown.filter(Boolean)) {
            const own = COLORS[Math.max(0, known.indexOf(model)) % COLORS.length];
            taken.set(model, [...taken.values()].includes(own) ? COLORS.find((color) => ![...taken.values()].includes(color)) : own);
        }
        const series = models.filter((model) => shown.includes(model)).map((model) => ({
            label: model || 'no model', color: model ? taken.get(model) : REST, data: columns[model], filter: {model: filterValue(model)},
        }));
        const rest = models.filter((model) => !shown.includes(model));
        if (rest.length) {
            const added = data.at.map((_, i) => (data.up[i] ? sum(rest.map((model) => columns[model][i])) : null));
            series.push({label: 'others', color: REST, data: added, filter: {model: rest.map(filterValue).join(',')}});
        }
        return series.length ? series : [{label: 'none', color: REST, data: data.at.map((_, i) => (data.up[i] ? 0 : null))}];
    }

    function percentiles({p50, p95, p99}) {
        return [
            {label: 'p50', color: 's1', width: 2.2, data: p50},
            {label: 'p95', color: 's2', width: 1.6, dash: [7, 3], data: p95},
            {label: 'p99', color: 's3', width: 1.4, dash: [2, 3], data: p99},
        ];
    }

    function errorSeries() {
        const taken = [REST];
        const series = Object.entries(data.reasons).map(([reason, column]) => {
            const outcome = data.reason_outcomes[reason];
            const free = [...(SHADES[outcome] || []), ...SPARE].find((color) => !taken.includes(color));
            const color = reason === 'other' ? REST : free;
            taken.push(color);
            const filter = reason === 'other' ? {outcome: ERRORS} : {reason};
            return {label: `${GLYPHS[outcome] ? `${GLYPHS[outcome]} ` : ''}${reason.replaceAll('_', ' ')}`, color, data: column, filter};
        });
        return series.length ? series : [{label: 'none', color: REST, data: data.at.map((_, i) => (data.up[i] ? 0 : null))}];
    }

    function errorRate(span) {
        let [errors, requests] = [0, 0];
        data.at.forEach((at, i) => {
            if (!span || (at >= span[0] && at < span[1])) {
                for (const outcome of Object.keys(GLYPHS)) {
                    errors += data.outcomes[outcome][i] || 0;
                }
                requests += sum(data.models.map((model) => data.requests[model][i]));
            }
        });
        return requests ? `rate ${+(100 * errors / requests).toFixed(1)} %` : `rate ${NOTHING}`;
    }

    function definitions() {
        const each = `per ${spelled(data.step)}, by model`;
        // Servers are looked at as a whole and by model, not by key.
        const whole = asked.get('key') || asked.get('endpoint') ? ', of all keys' : '';
        const budget = Math.max(0, ...data.budget.map((bytes) => bytes || 0));
        const memory = Object.keys(data.memory);
        return [
            {id: 'requests', title: 'Requests', unit: each, figure: 'count', kind: 'stack', summed: true, floor: 4, series: modelSeries(data.requests, data.models)},
            {id: 'errors', title: 'Errors and rejections', unit: 'by reason', figure: 'count', kind: 'bars', floor: 4, filter: {outcome: ERRORS}, series: errorSeries(), readout: errorRate},
            {id: 'tokens-out', title: 'Output tokens', unit: each, figure: 'count', kind: 'stack', summed: true, floor: 10, series: modelSeries(data.completion_tokens, data.models)},
            {id: 'tokens-in', title: 'Prompt tokens', unit: each, figure: 'count', kind: 'stack', summed: true, floor: 10, series: modelSeries(data.prompt_tokens, data.models)},
            {
                id: 'speed', title: 'Speed of one stream', unit: 'tok/s', figure: 'rate', band: [0, 2],
                series: [
                    {label: 'min', color: 's1', width: 1, data: data.tps.min},
                    {label: 'avg', color: 's1', width: 2.2, data: data.tps.avg},
                    {label: 'max', color: 's1', width: 1, data: data.tps.max},
                ],
            },
            {id: 'ttft', title: 'Time to first token', unit: 'log scale', figure: 'duration', log: true, series: percentiles(data.ttft)},
            {id: 'inter-token', title: 'Between tokens', unit: 'mean of each request', figure: 'duration', floor: 0.01, series: percentiles(data.inter_token)},
            {id: 'queue', title: 'Wait in the queue', unit: '', figure: 'duration', floor: 0.1, series: percentiles(data.queue)},
            {
                id: 'depth', title: 'Waiting and running', unit: `requests${whole}`, figure: 'count', floor: 4,
                series: [
                    {label: 'waiting, mean', color: 's1', area: true, width: 1.6, data: data.depth.mean},
                    {label: 'waiting, most', color: 's2', width: 1.4, dash: [7, 3], data: data.depth.max},
                    {label: 'running, mean', color: 's3', width: 1.4, dash: [2, 3], data: data.depth.running},
                ],
            },
            {id: 'cache', title: 'Prompt tokens from the cache', unit: 'share', figure: 'share', max: 1, series: [{label: 'hit rate', color: 's1', area: true, width: 1.8, data: data.cache_hit_rate}]},
            {id: 'memory', title: 'Memory against the budget', unit: `by model, the most${whole}`, figure: 'bytes', kind: 'stack', floor: 1e9, limit: budget, limitLabel: `budget ${figure.bytes(budget)}`, series: modelSeries(data.memory, memory)},
        ];
    }

    const board = new Board({host: find('charts'), live: find('chart-live'), rows, spelled, onZoom: showZoom});
    const lane = new Lane(rowsOfRange);

    function showZoom(range) {
        find('zoom').hidden = !range;
        if (range) {
            find('zoom-text').textContent = `${clock(range[0], true)} – ${clock(range[1], true)}`;
            const step = STEPS_S.find((seconds) => (range[1] - range[0]) / seconds <= page.dataset.mostPoints);
            find('zoom-finer').hidden = !(step < data.step);
        }
        lane.show(data, range);
    }

    /* --- asking --- */

    function show(fresh, keepsZoom) {
        data = fresh;
        find('empty').hidden = !data.is_empty;
        find('full').hidden = data.is_empty;
        if (data.is_empty) {
            find('when').textContent = 'nothing recorded yet';
            return;
        }
        const end = Math.min(data.end, data.now);
        find('when').textContent = `${clock(data.start, true)} – ${clock(end, true)}, one point is ${spelled(data.step)}`;
        offer(data.choices);
        showTotals(data, rowsOfRange);
        showKeys(data.keys, rowsOfRange);
        board.show(data, definitions(), {keepsZoom});
    }

    function complain(text) {
        find('stale').textContent = text;
        find('stale').hidden = !text;
    }

    async function refresh({isNew = false} = {}) {
        clearTimeout(timer);
        if (!isNew && (running || document.hidden)) {
            return;
        }
        running?.abort();
        const mine = running = new AbortController();
        page.setAttribute('aria-busy', 'true');
        let isSignedIn = true;
        try {
            const signal = AbortSignal.any([mine.signal, AbortSignal.timeout(PATIENCE_MS)]);
            const answer = await fetch(`${page.dataset.url}?${asked}`, {redirect: 'manual', cache: 'no-store', signal});
            isSignedIn = answer.type !== 'opaqueredirect' && answer.status !== 403;
            const body = answer.ok || answer.status === 400 ? await answer.json() : null;
            if (mine.signal.aborted) {
                return;
            }
            if (answer.ok) {
                show(body, !isNew);
            }
            complain(answer.ok ? '' : body ? body.error.message : failure(isSignedIn));
        } catch (error) {
            if (mine.signal.aborted) {
                return;
            }
            complain(failure(true));
        }
        running = null;
        page.removeAttribute('aria-busy');
        const isOver = data && !data.is_open && !data.is_empty;
        if (isSignedIn && !isOver) {
            const pace = data && !data.is_empty ? data.step * 1000 / LOOKS_A_POINT : 0;
            timer = setTimeout(refresh, Math.min(SELDOM_MS, Math.max(EVERY_MS, pace)));
        }
    }

    function failure(isSignedIn) {
        const {stale, signedOut} = find('stale').dataset;
        return isSignedIn ? stale : signedOut;
    }

    /* --- the controls --- */

    function localInput(unix) {
        const at = new Date((unix - new Date(unix * 1000).getTimezoneOffset() * 60) * 1000);
        return at.toISOString().slice(0, 16);
    }

    find('ranges').addEventListener('click', ({target}) => {
        const {range} = target.closest('button').dataset;
        if (range) {
            find('custom').hidden = true;
            find('custom-open').setAttribute('aria-expanded', 'false');
            choose({range, from: '', to: '', hours: '', step: ''});
        }
    });
    find('custom-open').addEventListener('click', () => {
        const form = find('custom');
        form.hidden = !form.hidden;
        find('custom-open').setAttribute('aria-expanded', String(!form.hidden));
        if (!form.hidden && data) {
            find('custom-from').value = localInput(data.start);
            find('custom-to').value = localInput(Math.min(data.end, data.now));
            find('custom-from').focus();
        }
    });
    find('custom').addEventListener('submit', (event) => {
        event.preventDefault();
        const unix = (id) => (find(id).value ? String(Math.round(new Date(find(id).value).getTime() / 1000)) : '');
        choose({range: '', hours: '', step: '', from: unix('custom-from'), to: unix('custom-to')});
    });
    for (const select of document.querySelectorAll('[data-filter]')) {
        select.addEventListener('change', () => choose({[select.dataset.filter]: select.value}));
    }
    find('zoom-reset').addEventListener('click', () => board.reset());
    find('zoom-finer').addEventListener('click', () => {
        const [from, to] = board.range.map((at) => String(Math.round(at)));
        choose({range: '', hours: '', step: '', from, to});
    });
    document.addEventListener('visibilitychange', () => refresh());
    showChoice();
    refresh({isNew: true});
}
