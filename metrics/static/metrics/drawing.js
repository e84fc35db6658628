'use strict';
/*
 * How a chart is drawn with uPlot: stacks, bars and lines, hatching where no server ran, lines for events, a
 * limit. What a chart is, and how it is read and used, says charts.js.
 */
{
    const {clock, day, figure: FIGURES} = window.ui;
    const DAY_S = 86400;
    const HEIGHT = 172;
    const BARS = 60;
    const DRAG_PX = 6;
    const EDGE_PX = 14;

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

    /* Needs a `board` (data, range, spelled), a `plot` and a `unit` element, `follow` and `select`. */
    class Drawing {
        get isStacked() {
            return this.definition.kind === 'stack' || this.definition.kind === 'bars';
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

        indexAt(at) {
            const i = Math.floor((at - this.at[0]) / this.step);
            return Math.min(this.at.length - 1, Math.max(0, i));
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
            const {min, max} = u.scales.x;
            const edge = EDGE_PX * (max - min) / u.width;
            return ticks.map((tick) => {
                if (max - tick < edge) {
                    return ''; // it would be cut off
                }
                return max - min > 3 * DAY_S || clock(tick) === '00:00' ? day(tick) : clock(tick);
            });
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

        scale() {
            const [min, max] = this.board.range;
            this.u.setScale('x', {min, max});
        }

        resize() {
            const width = this.plot.clientWidth - 6;
            if (width > 0 && width !== this.u.width) {
                this.u.setSize({width, height: HEIGHT});
            }
        }
    }

    window.drawing = {Drawing, stacked, sum, DRAG_PX};
}
