'use strict';
/*
 * A thin layer over uPlot: one time axis for all charts, gaps and hatching where no server ran, lines for
 * events, a legend that reads out values, the keyboard, a table of the same figures, a way to the rows.
 *
 * A chart is described by {id, title, unit, figure, series: [{label, color, data, dash, width, area, filter}]}
 * and kind: 'stack' | 'bars' | 'lines'; a series has one value per point, null where there is nothing to say.
 */
{
    const {h, figure: FIGURES, clock, day, NOTHING} = window.ui;
    const DAY_S = 86400;
    const HEIGHT = 172;
    const BARS = 60;
    const DRAG_PX = 6;
    const DOUBLE_CLICK_MS = 300;
    const TABLE_ROWS = 100;

    const probe = document.createElement('i');
    probe.hidden = true;
    document.body.append(probe);

    /* A custom property as a canvas understands it. */
    function paint(name) {
        probe.style.color = `var(--${name})`;
        return getComputedStyle(probe).color;
    }

    function fade(rgb, alpha) {
        return rgb.replace(/^rgba?\(([^,]+),([^,]+),([^,)]+).*$/, `rgba($1,$2,$3,${alpha})`);
    }

    function sum(values) {
        return values.reduce((total, value) => total + (value || 0), 0);
    }

    /* Errors are few: wider bars can be seen and hit. */
    function widened(definition, data) {
        const times = Math.max(1, Math.ceil(data.at.length / BARS));
        const at = data.at.filter((_, i) => i % times === 0);
        const merge = (column) => at.map((_, i) => {
            const part = column.slice(i * times, (i + 1) * times);
            return part.every((value) => value === null) ? null : sum(part);
        });
        return {
            at,
            step: data.step * times,
            columns: definition.series.map((series) => merge(series.data)),
            up: at.map((_, i) => data.up.slice(i * times, (i + 1) * times).some(Boolean)),
        };
    }

    function stacked(columns) {
        const sums = [];
        columns.forEach((column, k) => {
            sums.push(column.map((value, i) => (value === null ? null : value + (k ? sums[k - 1][i] || 0 : 0))));
        });
        return sums;
    }

    /* Single values between gaps have no line to stand on: they are drawn as points. */
    function lonely(u, index) {
        const column = u.data[index];
        const points = [];
        column.forEach((value, i) => {
            if (value !== null && (column[i - 1] ?? null) === null && (column[i + 1] ?? null) === null) {
                points.push(i);
            }
        });
        return points;
    }

    class Chart {
        constructor(board, definition) {
            this.board = board;
            this.build(definition);
            this.take(definition);
            this.draw();
            this.listen();
            this.read(null);
        }

        get isStacked() {
            return this.definition.kind === 'stack' || this.definition.kind === 'bars';
        }

        /* --- elements --- */

        build(definition) {
            const id = `chart-${definition.id}`;
            this.unit = h('span', {class: 'unit'}, definition.unit);
            this.button = h('button', {type: 'button', 'aria-expanded': 'false', 'aria-controls': `${id}-data`}, 'Figures');
            this.legend = h('div', {class: 'legend', 'aria-hidden': 'true'});
            this.plot = h('div', {class: 'plot'});
            this.table = h('div', {class: 'data', id: `${id}-data`, hidden: true, tabindex: 0, role: 'region', 'aria-label': `${definition.title}, figures`});
            const head = h('header', {}, h('h2', {id: `${id}-title`}, definition.title, ' ', this.unit), this.button);
            const described = {'aria-labelledby': `${id}-title`, 'aria-describedby': 'chart-help'};
            this.element = h('section', {class: 'chart', id, tabindex: 0, ...described}, head, this.legend, this.plot, this.table);
            this.board.host.append(this.element);
        }

        /* Takes new figures in; the series are the same. */
        take(definition) {
            const {data} = this.board;
            this.definition = definition;
            this.write = FIGURES[definition.figure];
            const own = definition.kind === 'bars'
                ? widened(definition, data)
                : {at: data.at, step: data.step, columns: definition.series.map((series) => series.data), up: data.up};
            Object.assign(this, own);
            this.unit.textContent = definition.kind === 'bars' ? `${definition.unit}, ${this.board.spelled(this.step)} a bar` : definition.unit;
            const drawn = this.isStacked ? stacked(this.columns) : this.columns;
            // What a point covers begins at its time; a line goes through the middle.
            const shift = this.isStacked ? 0 : this.step / 2;
            this.order = [...drawn.keys()];
            if (this.isStacked) {
                this.order.reverse();
            }
            this.drawn = [this.at.map((at) => at + shift), ...this.order.map((k) => drawn[k])];
            if (definition.kind === 'stack') {
                this.drawn = this.drawn.map((column, j) => [...column, j ? column.at(-1) : this.at.at(-1) + this.step]);
            }
        }

        color(k) {
            return paint(this.definition.series[k].color);
        }

        fillLegend() {
            this.legend.replaceChildren();
            this.values = this.definition.series.map((series, k) => {
                const mark = this.isStacked
                    ? h('rect', {width: 10, height: 8, x: 3, rx: 1.5})
                    : h('line', {x1: 0, x2: 16, y1: 4, y2: 4, 'stroke-width': series.width || 2, 'stroke-dasharray': (series.dash || []).join(' ')});
                mark.style.fill = mark.style.stroke = this.color(k);
                const value = h('b');
                this.legend.append(h('span', {}, h('svg', {viewBox: '0 0 16 8'}, mark), series.label, value));
                return value;
            });
            this.extra = h('span', {class: 'dim'});
            this.when = h('span', {class: 'faint'});
            this.legend.append(this.extra, this.when);
        }

        /* --- drawing --- */

        draw() {
            if (this.u) {
                this.u.destroy();
            }
            this.fillLegend();
            this.u = new uPlot(this.options(), this.drawn, this.plot);
            this.scale();
        }

        scale() {
            const [min, max] = this.board.range;
            this.u.setScale('x', {min, max});
        }

        options() {
            const definition = this.definition;
            const font = `11.5px ${getComputedStyle(document.body).fontFamily}`;
            const axis = {stroke: paint('c-axis'), font, ticks: {show: false}};
            return {
                width: Math.max(200, this.plot.clientWidth - 6),
                height: HEIGHT,
                padding: [8, 8, 0, 0],
                legend: {show: false},
                cursor: {
                    y: false,
                    sync: {key: 'history', setSeries: false},
                    drag: {x: true, y: false, setScale: false, dist: DRAG_PX},
                    points: {show: !this.isStacked, size: 6, width: 0, fill: (u, j) => u.series[j].ink},
                    dataIdx: (u, j, nearest, at) => this.indexAt(at),
                    bind: {dblclick: () => null},
                },
                scales: {x: {time: true, range: (u, min, max) => [min, max]}, y: this.yScale()},
                axes: [
                    {...axis, size: 26, space: 64, grid: {show: false}, values: (u, ticks) => this.timeTicks(u, ticks)},
                    {
                        ...axis, size: 58, gap: 7, space: 30, grid: {stroke: paint('c-grid'), width: 1},
                        values: (u, ticks) => ticks.map((tick) => (tick === null ? '' : this.write(tick))),
                        ...(definition.log ? {splits: (u) => this.decades(u), filter: (u, ticks) => ticks} : {}),
                    },
                ],
                series: [{}, ...this.order.map((k) => this.seriesOptions(k))],
                bands: this.bands(),
                hooks: {
                    drawClear: [(u) => this.underlay(u)],
                    draw: [(u) => this.drawLimit(u)],
                    setCursor: [(u) => this.follow(u)],
                    setSelect: [(u) => this.select(u)],
                },
            };
        }

        yScale() {
            const {log, max, floor, limit} = this.definition;
            if (log) {
                return {distr: 3, range: (u, low, high) => [
                    10 ** Math.floor(Math.log10(low > 0 ? low : 0.01)),
                    10 ** Math.ceil(Math.log10((high > 0 ? high : 1) * 1.01)),
                ]};
            }
            return {range: (u, low, high) => [0, max || Math.max(floor || 1, (high || 0) * 1.08, (limit || 0) * 1.1)]};
        }

        decades(u) {
            const ticks = [];
            for (let e = Math.round(Math.log10(u.scales.y.min)); e <= Math.log10(u.scales.y.max) + 0.01; e += 1) {
                ticks.push(+(10 ** e).toPrecision(1));
            }
            return ticks;
        }

        timeTicks(u, ticks) {
            const isLong = u.scales.x.max - u.scales.x.min > 3 * DAY_S;
            return ticks.map((tick) => (isLong || clock(tick) === '00:00' ? day(tick) : clock(tick)));
        }

        seriesOptions(k) {
            const series = this.definition.series[k];
            const color = this.color(k);
            const options = {label: series.label, ink: color, stroke: color, width: series.width || 2, dash: series.dash, spanGaps: false, points: {show: false}};
            if (this.definition.kind === 'bars') {
                return {...options, paths: uPlot.paths.bars({size: [0.72, 14], align: 1}), fill: color, width: 0};
            }
            if (this.definition.kind === 'stack') {
                return {...options, paths: uPlot.paths.stepped({align: 1}), width: 0, fill: fade(color, 0.82)};
            }
            const points = {show: true, size: 4, width: 0, fill: color, filter: lonely};
            return {...options, points, ...(series.area ? {fill: fade(color, 0.16)} : {})};
        }

        bands() {
            const {band, kind} = this.definition;
            if (band) {
                return [{series: [band[1] + 1, band[0] + 1], fill: fade(this.color(band[1]), 0.13)}];
            }
            if (kind === 'stack') {
                return this.order.slice(0, -1).map((k, j) => ({series: [j + 1, j + 2], fill: fade(this.color(k), 0.82)}));
            }
            return undefined;
        }

        underlay(u) {
            const {ctx, bbox} = u;
            const px = devicePixelRatio;
            const left = (at) => Math.round(u.valToPos(at, 'x', true));
            ctx.save();
            ctx.beginPath();
            ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
            ctx.clip();
            const [from, to] = this.board.range;
            for (const [start, end] of this.board.data.down) {
                if (end > from && start < to) {
                    this.hatch(ctx, bbox, left(Math.max(start, from)), left(Math.min(end, to)));
                }
            }
            ctx.lineWidth = px;
            for (const event of this.board.data.events) {
                const at = left(event.at) + 0.5;
                ctx.strokeStyle = paint(event.lost ? 'c-event-bad' : 'c-event');
                ctx.beginPath();
                ctx.moveTo(at, bbox.top);
                ctx.lineTo(at, bbox.top + bbox.height);
                ctx.stroke();
            }
            ctx.restore();
        }

        hatch(ctx, bbox, start, end) {
            const px = devicePixelRatio;
            const width = Math.max(end - start, px);
            ctx.save();
            ctx.beginPath();
            ctx.rect(start, bbox.top, width, bbox.height);
            ctx.clip();
            ctx.fillStyle = paint('c-down');
            ctx.fillRect(start, bbox.top, width, bbox.height);
            ctx.strokeStyle = paint('c-down-hatch');
            ctx.lineWidth = px;
            ctx.beginPath();
            const every = 7 * px;
            const first = Math.floor((start - bbox.height) / every) * every;
            for (let x = first; x < start + width; x += every) {
                ctx.moveTo(x, bbox.top + bbox.height);
                ctx.lineTo(x + bbox.height, bbox.top);
            }
            ctx.stroke();
            ctx.restore();
        }

        drawLimit(u) {
            const {limit, limitLabel} = this.definition;
            if (!limit) {
                return;
            }
            const {ctx, bbox} = u;
            const px = devicePixelRatio;
            const y = Math.round(u.valToPos(limit, 'y', true));
            ctx.save();
            ctx.strokeStyle = ctx.fillStyle = paint('c-limit');
            ctx.lineWidth = 1.5 * px;
            ctx.setLineDash([5 * px, 4 * px]);
            ctx.beginPath();
            ctx.moveTo(bbox.left, y);
            ctx.lineTo(bbox.left + bbox.width, y);
            ctx.stroke();
            ctx.font = `${11.5 * px}px ${getComputedStyle(document.body).fontFamily}`;
            ctx.textAlign = 'right';
            ctx.textBaseline = 'top';
            ctx.fillText(limitLabel, bbox.left + bbox.width - 4 * px, y + 4 * px);
            ctx.restore();
        }

        /* --- reading --- */

        indexAt(at) {
            const i = Math.floor((at - this.at[0]) / this.step);
            return Math.min(this.at.length - 1, Math.max(0, i));
        }

        told(k, i) {
            const value = this.columns[k][i];
            return value === null || value === undefined ? NOTHING : this.write(value);
        }

        time(i) {
            return clock(this.at[i], this.board.data.end - this.board.data.start > DAY_S);
        }

        /* Shows the values of a point; of none, the latest ones or the sums. */
        read(i) {
            const {kind, summed, readout} = this.definition;
            const isSum = kind === 'bars' || summed;
            this.values.forEach((element, k) => {
                const column = this.columns[k];
                const idle = isSum ? sum(column) : column.findLast((value) => value !== null);
                element.textContent = i === null ? (idle === undefined ? NOTHING : this.write(idle)) : this.told(k, i);
            });
            const whole = isSum ? 'in all' : 'latest';
            this.when.textContent = i === null ? whole : `${this.time(i)}${this.up[i] ? '' : ', no server ran'}`;
            this.extra.textContent = readout ? readout(i === null ? null : [this.at[i], this.at[i] + this.step]) : '';
        }

        follow(u) {
            const inside = u.cursor.left >= 0;
            this.read(inside ? this.indexAt(u.posToVal(u.cursor.left, 'x')) : null);
        }

        say(i) {
            const values = this.definition.series.map((series, k) => `${series.label} ${this.told(k, i)}`).join(', ');
            const at = clock(this.at[i], true);
            this.board.live.textContent = this.up[i] ? `${at}: ${values}` : `${at}: no server ran`;
        }

        /* --- the pointer --- */

        listen() {
            let from = null;
            let touched = null;
            let timer = 0;
            this.plot.addEventListener('pointerdown', (event) => {
                from = {x: event.clientX, isTouch: event.pointerType === 'touch'};
            });
            this.plot.addEventListener('click', (event) => {
                if (!from || Math.abs(event.clientX - from.x) > DRAG_PX || !event.target.closest('.u-over')) {
                    return;
                }
                const box = this.u.over.getBoundingClientRect();
                const i = this.indexAt(this.u.posToVal(event.clientX - box.left, 'x'));
                const series = this.seriesAt(i, this.u.posToVal(event.clientY - box.top, 'y'));
                // A finger cannot hover: its first touch reads, the second opens.
                if (from.isTouch && touched !== i) {
                    touched = i;
                    return;
                }
                clearTimeout(timer);
                const open = () => { location.href = this.rows(i, series); };
                timer = setTimeout(open, this.board.isZoomed ? DOUBLE_CLICK_MS : 0);
            });
            this.plot.addEventListener('dblclick', () => {
                clearTimeout(timer);
                this.board.reset();
            });
            this.element.addEventListener('keydown', (event) => this.key(event));
            this.button.addEventListener('click', () => this.toggle());
        }

        /* The part of a stack that is pointed at. */
        seriesAt(i, y) {
            if (!this.isStacked) {
                return null;
            }
            const sums = stacked(this.columns);
            const k = sums.findIndex((column) => column[i] !== null && y <= column[i]);
            return k < 0 ? null : k;
        }

        select(u) {
            if (u.select.width < DRAG_PX) {
                return;
            }
            const from = u.posToVal(u.select.left, 'x');
            const to = u.posToVal(u.select.left + u.select.width, 'x');
            u.setSelect({left: 0, width: 0, top: 0, height: 0}, false);
            this.board.zoom(from, to);
        }

        rows(i, k = null) {
            const series = k === null ? null : this.definition.series[k];
            return this.board.rows(this.at[i], this.at[i] + this.step, {...this.definition.filter, ...series?.filter});
        }

        /* --- the keyboard --- */

        key(event) {
            if (event.target !== this.element || event.ctrlKey || event.metaKey || event.altKey) {
                return;
            }
            const [from, to] = this.board.range;
            const first = this.indexAt(from);
            const last = this.indexAt(to - 1);
            const jump = event.shiftKey ? 12 : 1;
            const moves = {
                ArrowRight: (this.reading ?? first - 1) + jump,
                ArrowLeft: (this.reading ?? last + 1) - jump,
                Home: first,
                End: last,
            };
            if (event.key in moves) {
                event.preventDefault();
                this.point(Math.min(last, Math.max(first, moves[event.key])));
            } else if (event.key === 'Enter' && this.reading !== undefined) {
                location.href = this.rows(this.reading);
            } else if (event.key === '+' || event.key === '-') {
                const middle = this.reading === undefined ? (from + to) / 2 : this.at[this.reading] + this.step / 2;
                const half = (to - from) * (event.key === '+' ? 0.25 : 1);
                this.board.zoom(middle - half, middle + half);
            } else if (event.key === 'Escape') {
                this.reading = undefined;
                this.u.setCursor({left: -10, top: -10});
                this.board.reset();
            }
        }

        point(i) {
            this.reading = i;
            this.u.setCursor({left: this.u.valToPos(this.at[i] + this.step / 2, 'x'), top: 10}, true, true);
            this.say(i);
        }

        /* --- the table --- */

        toggle() {
            const isOpen = this.table.hidden;
            this.table.hidden = !isOpen;
            this.plot.hidden = isOpen;
            this.button.setAttribute('aria-expanded', String(isOpen));
            this.button.textContent = isOpen ? 'Chart' : 'Figures';
            this.fillTable();
        }

        fillTable() {
            if (this.table.hidden) {
                return;
            }
            const [from, to] = this.board.range;
            const points = [...this.at.keys()].filter((i) => this.at[i] + this.step > from && this.at[i] < to).reverse();
            const {series} = this.definition;
            const head = h('tr', {}, h('th', {scope: 'col'}, 'From'), ...series.map((one) => h('th', {scope: 'col', class: 'n'}, one.label)));
            const body = h('tbody');
            for (const i of points.slice(0, TABLE_ROWS)) {
                const link = h('a', {href: this.rows(i)}, clock(this.at[i], true));
                const cells = this.up[i]
                    ? series.map((one, k) => h('td', {class: 'n'}, this.told(k, i)))
                    : [h('td', {class: 'n', colspan: series.length}, 'no server ran')];
                body.append(h('tr', {}, h('th', {scope: 'row'}, link), ...cells));
            }
            const parts = [h('table', {class: 'tbl'}, h('thead', {}, head), body)];
            if (points.length > TABLE_ROWS) {
                parts.push(h('p', {class: 'dim'}, `The newest ${TABLE_ROWS} of ${points.length} points; zoom for earlier ones.`));
            }
            this.table.replaceChildren(...parts);
        }

        refresh(definition) {
            this.take(definition);
            this.u.setData(this.drawn, false);
            this.scale();
            this.follow(this.u);
            this.fillTable();
        }

        resize() {
            const width = this.plot.clientWidth - 6;
            if (width > 0 && width !== this.u.width) {
                this.u.setSize({width, height: HEIGHT});
            }
        }
    }

    /* All charts of a page: they share range, cursor and events. */
    class Board {
        constructor({host, live, onZoom, rows, spelled}) {
            Object.assign(this, {host, live, onZoom, rows, spelled, charts: [], shape: '', isZoomed: false});
            document.addEventListener('themechange', () => this.charts.forEach((chart) => chart.draw()));
            this.observer = new ResizeObserver(() => this.charts.forEach((chart) => chart.resize()));
        }

        /* Shows other figures; `keepsZoom` where they are the same ones, a moment later. */
        show(data, definitions, {keepsZoom = false} = {}) {
            this.data = data;
            if (!keepsZoom || !this.isZoomed) {
                this.range = [data.start, data.end];
                this.isZoomed = false;
            }
            const shape = JSON.stringify([data.step, definitions.map((one) => [one.id, one.title, one.limit, one.series.map((series) => [series.label, series.color])])]);
            if (shape === this.shape) {
                this.charts.forEach((chart, i) => chart.refresh(definitions[i]));
            } else {
                this.rebuild(definitions);
                this.shape = shape;
            }
            this.onZoom(this.isZoomed ? this.range : null);
        }

        rebuild(definitions) {
            const open = this.charts.filter((chart) => !chart.table.hidden).map((chart) => chart.element.id);
            const focused = document.activeElement?.closest('.chart')?.id;
            this.observer.disconnect();
            this.charts.forEach((chart) => chart.u.destroy());
            this.host.replaceChildren();
            this.charts = definitions.map((definition) => new Chart(this, definition));
            for (const chart of this.charts) {
                this.observer.observe(chart.plot);
                if (open.includes(chart.element.id)) {
                    chart.toggle();
                }
                if (chart.element.id === focused) {
                    chart.element.focus({preventScroll: true});
                }
            }
        }

        /* Zooms all charts, to a point at the least and the whole range at the most. */
        zoom(from, to) {
            const {start, end, step} = this.data;
            const min = Math.max(start, Math.min(from, end - step));
            const max = Math.min(end, Math.max(to, min + step));
            this.range = [min, max];
            this.isZoomed = min > start || max < end;
            for (const chart of this.charts) {
                chart.scale();
                chart.fillTable();
            }
            this.onZoom(this.isZoomed ? this.range : null);
        }

        reset() {
            this.zoom(this.data.start, this.data.end);
        }
    }

    window.charts = {Board, sum};
}
