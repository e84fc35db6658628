'use strict';
/*
 * One chart of benchmarks: a figure by concurrency, a line per run, dashed for the server it was measured
 * against. The legend reads out the values under the cursor, of the keyboard, or of the highest concurrency
 * that all of them were measured at.
 *
 * A chart is described by {id, title, unit, figure, series: [{label, color, dash, data}]}; each series has one
 * value per entry of `levels`, null where it was not measured.
 */
{
    const {h, figure: FIGURES, NOTHING} = window.ui;
    const HEIGHT = 210;
    const MARGIN = 0.35;

    const probe = document.createElement('i');
    probe.hidden = true;
    document.body.append(probe);

    /* A custom property as a canvas understands it. */
    function paint(name) {
        probe.style.color = `var(--${name})`;
        return getComputedStyle(probe).color;
    }

    class LevelChart {
        constructor(host, live, {levels, ...definition}) {
            Object.assign(this, {live, levels, definition, write: FIGURES[definition.figure], reading: null});
            this.build(host);
            this.draw();
            this.listen();
        }

        build(host) {
            const {id, title, unit} = this.definition;
            const name = `chart-${id}`;
            this.button = h('button', {type: 'button', 'aria-expanded': 'false', 'aria-controls': `${name}-data`}, 'Figures');
            this.legend = h('div', {class: 'legend', 'aria-hidden': 'true'});
            this.plot = h('div', {class: 'plot'});
            this.table = h('div', {class: 'data', id: `${name}-data`, hidden: true, tabindex: 0, role: 'region', 'aria-label': `${title}, figures`});
            const head = h('header', {}, h('h2', {id: `${name}-title`}, title, ' ', h('span', {class: 'unit'}, unit)), this.button);
            const described = {'aria-labelledby': `${name}-title`, 'aria-describedby': 'chart-help'};
            this.element = h('section', {class: 'chart', id: name, tabindex: 0, ...described}, head, this.legend, this.plot, this.table);
            host.append(this.element);
        }

        /* --- drawing --- */

        draw() {
            this.u?.destroy();
            this.fillLegend();
            const columns = this.definition.series.map((series) => series.data);
            this.u = new uPlot(this.options(), [[...this.levels.keys()], ...columns], this.plot);
            this.read(null);
        }

        options() {
            const font = `11.5px ${getComputedStyle(document.body).fontFamily}`;
            const axis = {stroke: paint('c-axis'), font, ticks: {show: false}};
            const last = this.levels.length - 1;
            return {
                width: Math.max(200, this.plot.clientWidth - 6),
                height: HEIGHT,
                padding: [8, 12, 0, 0],
                legend: {show: false},
                cursor: {y: false, drag: {x: false, y: false}, points: {size: 8}},
                scales: {x: {time: false, range: () => [-MARGIN, last + MARGIN]}, y: {range: (u, low, high) => [0, (high || 1) * 1.1]}},
                axes: [
                    // Concurrencies stand side by side, however far apart their numbers are.
                    {...axis, size: 26, grid: {show: false}, splits: () => [...this.levels.keys()], values: (u, places) => places.map((i) => `${this.levels[i]}`)},
                    {...axis, size: 58, gap: 7, space: 34, grid: {stroke: paint('c-grid'), width: 1}, values: (u, ticks) => ticks.map((tick) => this.write(tick))},
                ],
                series: [{}, ...this.definition.series.map((series) => this.seriesOptions(series))],
                hooks: {setCursor: [(u) => this.read(u.cursor.left >= 0 ? u.cursor.idx : this.reading)]},
            };
        }

        seriesOptions(series) {
            const color = paint(series.color);
            return {label: series.label, stroke: color, width: 2, dash: series.dash, spanGaps: true, points: {show: true, size: 7, width: 1.5, stroke: color, fill: paint('surface')}};
        }

        resize() {
            const width = this.plot.clientWidth - 6;
            if (width > 0 && width !== this.u.width) {
                this.u.setSize({width, height: HEIGHT});
            }
        }

        /* --- reading --- */

        fillLegend() {
            this.legend.replaceChildren();
            this.values = this.definition.series.map((series) => {
                const mark = h('line', {x1: 0, x2: 16, y1: 4, y2: 4, 'stroke-width': 2, 'stroke-dasharray': (series.dash || []).join(' ')});
                mark.style.stroke = paint(series.color);
                const value = h('b');
                const label = h('span', {class: 'series', title: series.label}, series.label);
                this.legend.append(h('span', {}, h('svg', {viewBox: '0 0 16 8'}, mark), label, value));
                return value;
            });
            this.when = h('span', {class: 'faint'});
            this.legend.append(this.when);
        }

        told(series, i) {
            const value = series.data[i];
            return value === null || value === undefined ? NOTHING : this.write(value);
        }

        read(i) {
            const place = i ?? this.idle();
            this.definition.series.forEach((series, k) => {
                this.values[k].textContent = this.told(series, place);
            });
            this.when.textContent = `${this.levels[place]} at a time`;
        }

        /* Where a reader without a cursor can compare. */
        idle() {
            const last = this.levels.length - 1;
            const common = [...this.levels.keys()].findLast((i) => this.definition.series.every(({data}) => data[i] !== null));
            return common ?? last;
        }

        point(i) {
            this.reading = i;
            this.u.setCursor({left: this.u.valToPos(i, 'x'), top: 10});
            const values = this.definition.series.map((series) => `${series.label} ${this.told(series, i)}`).join(', ');
            this.live.textContent = `${this.levels[i]} at a time: ${values}`;
        }

        listen() {
            this.button.addEventListener('click', () => this.toggle());
            this.element.addEventListener('keydown', (event) => this.key(event));
        }

        key(event) {
            if (event.target !== this.element || event.ctrlKey || event.metaKey || event.altKey) {
                return;
            }
            const last = this.levels.length - 1;
            const moves = {ArrowRight: (this.reading ?? -1) + 1, ArrowLeft: (this.reading ?? last + 1) - 1, Home: 0, End: last};
            if (event.key in moves) {
                event.preventDefault();
                this.point(Math.min(last, Math.max(0, moves[event.key])));
            } else if (event.key === 'Escape') {
                this.reading = null;
                this.u.setCursor({left: -10, top: -10});
            }
        }

        /* --- the table --- */

        toggle() {
            const isOpen = this.table.hidden;
            this.table.hidden = !isOpen;
            this.plot.hidden = isOpen;
            this.button.setAttribute('aria-expanded', String(isOpen));
            this.button.textContent = isOpen ? 'Chart' : 'Figures';
            if (isOpen) {
                this.fillTable();
            }
        }

        fillTable() {
            const {series} = this.definition;
            const head = h('tr', {}, h('th', {scope: 'col'}, 'At a time'), ...series.map((one) => h('th', {scope: 'col', class: 'n'}, one.label)));
            const rows = this.levels.map((level, i) => h('tr', {}, h('th', {scope: 'row'}, `${level}`), ...series.map((one) => h('td', {class: 'n'}, this.told(one, i)))));
            this.table.replaceChildren(h('table', {class: 'tbl'}, h('thead', {}, head), h('tbody', {}, ...rows)));
        }
    }

    window.benchChart = {LevelChart};
}
