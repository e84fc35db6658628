'use strict';
/* What stands around the charts: totals, the tally of outcomes, the lane of events, use per key. */
{
    const {h, figure, clock, day, filterValue, NOTHING} = window.ui;
    const DAY_S = 86400;
    const AROUND_S = 300;
    const GLYPHS = {
        server_start: '▶', server_stop: '■', server_lost: '✕', model_load: '↥', model_load_failed: '✕', model_unload: '↧', model_evict: '↧',
        model_quarantined: '‖', model_released: '○', worker_died: '✕', worker_restart: '↻',
        memory_refused: '⇤', record_waited: '◷', login_failed: '⚿',
    };
    const TICKS_S = [300, 900, 1800, 3600, 10800, 21600, 43200, DAY_S, 2 * DAY_S, 7 * DAY_S, 14 * DAY_S, 30 * DAY_S, 90 * DAY_S];
    const MARK_PX = 16;

    const find = (id) => document.getElementById(id);

    function set(id, text, unit) {
        find(id).replaceChildren(text, ...(unit && text !== NOTHING ? [' ', h('small', {}, unit)] : []));
    }

    function orNothing(value, write) {
        return value === null || Number.isNaN(value) ? NOTHING : write(value);
    }

    function compared(now, before) {
        if (!before) {
            return 'none in the time before';
        }
        const percent = Math.round(100 * (now / before - 1));
        if (percent === 0) {
            return 'as many as before';
        }
        return percent > 400
            ? `${figure.whole(before)} in the time before`
            : `${Math.abs(percent)} % ${percent > 0 ? 'more' : 'fewer'} than before`;
    }

    function showTotals({totals, before}, rows) {
        set('fig-requests', figure.whole(totals.requests));
        set('fig-requests-before', compared(totals.requests, before.requests));
        set('fig-out', figure.count(totals.completion_tokens));
        set('fig-in', `in: ${figure.count(totals.prompt_tokens)}`);
        set('fig-errors', orNothing(totals.requests ? totals.errors / totals.requests : null, percent), '%');
        set('fig-errors-before', before.requests ? `${percent(before.errors / before.requests)} % before` : '');
        set('fig-ttft', orNothing(totals.ttft_p50_s, figure.duration), 'p50');
        set('fig-ttft95', totals.ttft_p95_s === null ? '' : `${figure.duration(totals.ttft_p95_s)} p95`);
        set('fig-tps', orNothing(totals.tps_avg, figure.rate), 'tok/s');
        set('fig-cache', orNothing(totals.prompt_tokens ? totals.cached_tokens / totals.prompt_tokens : null, percent), '%');
        const chips = Object.entries(totals.outcomes).filter(([, count]) => count).map(([outcome, count]) => (
            h('a', {class: 'chip', 'data-o': outcome, href: rows({outcome})}, `${outcome.replace('_', ' ')} `, h('b', {}, figure.whole(count)))
        ));
        const all = totals.requests === 1 ? '1 row' : `${figure.whole(totals.requests)} rows`;
        find('tally').replaceChildren(h('a', {class: 'dim', href: rows({})}, all), ...chips);
    }

    function percent(share) {
        return String(+(100 * share).toFixed(share < 0.1 ? 2 : 0));
    }

    /* Marks stand side by side where events are close, and none leaves the lane. */
    class Lane {
        constructor(rows) {
            this.rows = rows;
            this.lane = find('lane');
            this.said = find('event-said');
            this.chosen = null;
            new ResizeObserver(() => this.place()).observe(this.lane);
        }

        show(data, range) {
            this.data = data;
            this.range = range || [data.start, data.end];
            const focused = document.activeElement?.dataset.event;
            const [from, to] = this.range;
            const events = data.events.filter((event) => event.at >= from && event.at < to);
            this.marks = events.map((event) => this.mark(event));
            this.lane.replaceChildren(...this.marks.map(({button}) => button));
            this.ticks();
            this.place();
            this.marks.find(({id}) => id === focused)?.button.focus({preventScroll: true});
            const again = events.find((event) => nameOf(event) === this.chosen);
            if (!again) {
                this.chosen = null;
                const summary = this.summary(events);
                // Said once, and not at every refresh.
                if (this.said.textContent !== summary) {
                    this.said.textContent = summary;
                }
            }
        }

        summary(events) {
            if (!events.length) {
                return 'Nothing happened to the server or its models in this time.';
            }
            const more = this.data.events_left_out ? ` Only the newest ${events.length} are shown.` : '';
            return `${events.length === 1 ? 'One event' : `${events.length} events`}: choose one to read it.${more}`;
        }

        mark(event) {
            const id = nameOf(event);
            const button = h('button', {
                type: 'button', 'data-event': id, 'data-lost': event.lost, title: event.text,
                'aria-label': `${clock(event.at, true)}: ${event.text}`, 'aria-pressed': String(id === this.chosen),
            }, GLYPHS[event.kind] || '·');
            button.addEventListener('click', () => this.choose(event));
            return {id, event, button};
        }

        place() {
            const width = this.lane.clientWidth;
            if (!this.marks || !width) {
                return;
            }
            const [from, to] = this.range;
            const every = Math.min(MARK_PX, width / Math.max(1, this.marks.length));
            let last = -every;
            this.marks.forEach(({event, button}, i) => {
                const room = width - every * (this.marks.length - 1 - i);
                last = Math.min(room, Math.max(last + every, width * (event.at - from) / (to - from)));
                button.style.left = `${last}px`;
            });
        }

        choose(event) {
            this.chosen = nameOf(event);
            for (const {id, button} of this.marks) {
                button.setAttribute('aria-pressed', String(id === this.chosen));
            }
            const around = {from: Math.round(event.at - AROUND_S), to: Math.round(event.at + AROUND_S)};
            const link = h('a', {href: this.rows(around)}, 'Requests around this moment');
            this.said.replaceChildren(h('b', {}, clock(event.at, this.data.end - this.data.start > DAY_S)), ` ${event.text}. `, link);
        }

        ticks() {
            const [from, to] = this.range;
            const length = to - from;
            const every = TICKS_S.find((seconds) => length / seconds <= 8) || 365 * DAY_S;
            const offset = new Date(from * 1000).getTimezoneOffset() * 60;
            const labels = [];
            for (let at = Math.ceil((from - offset) / every) * every + offset; at < to; at += every) {
                if (at - from > length * 0.03 && to - at > length * 0.03) {
                    const label = h('span', {}, length > 3 * DAY_S ? day(at) : clock(at));
                    label.style.left = `${100 * (at - from) / length}%`;
                    labels.push(label);
                }
            }
            find('ticks').replaceChildren(...labels);
        }
    }

    function nameOf(event) {
        return `${event.at} ${event.kind} ${event.text}`;
    }

    function showKeys(keys, rows) {
        const all = keys.reduce((total, use) => total + use.requests, 0);
        find('keys').replaceChildren(...keys.map((use) => {
            const share = all ? use.requests / all : 0;
            const bar = h('svg', {class: 'bar', height: 8, role: 'img', 'aria-label': figure.share(share)},
                h('rect', {class: 'rail', width: '100%', height: 8, rx: 2}), h('rect', {class: 'used', width: `${(100 * share).toFixed(2)}%`, height: 8, rx: 2}));
            return h('tr', {},
                h('th', {scope: 'row'}, h('a', {href: rows({key: filterValue(use.key)})}, use.key || 'no key')),
                h('td', {class: 'share'}, bar),
                h('td', {class: 'n', 'data-label': 'requests'}, figure.whole(use.requests)),
                h('td', {class: 'n', 'data-label': 'in'}, figure.count(use.prompt_tokens)),
                h('td', {class: 'n', 'data-label': 'out'}, figure.count(use.completion_tokens)),
                h('td', {class: 'n', 'data-label': 'errors'}, use.requests ? `${percent(use.errors / use.requests)} %` : NOTHING));
        }));
        if (!keys.length) {
            find('keys').append(h('tr', {}, h('td', {colspan: 6, class: 'dim'}, 'No requests in this time range.')));
        }
    }

    window.panels = {showTotals, showKeys, Lane};
}
