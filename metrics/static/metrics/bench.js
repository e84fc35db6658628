'use strict';
/* The page of benchmarks: the runs that are ticked are charted together, and stand in the address. */
{
    const COLORS = ['s1', 's2', 's3', 's4', 's5', 's6'];
    const NEWEST = 2;
    const DASH = [6, 4];
    const CHARTS = [
        {id: 'rate', name: 'tokens_per_s', title: 'Output', unit: 'tok/s by requests at a time', figure: 'count'},
        {id: 'first', name: 'ttft', title: 'First token', unit: 'median', figure: 'duration'},
        {id: 'between', name: 'inter_token', title: 'Between tokens', unit: 'median', figure: 'duration'},
    ];

    const {LevelChart} = window.benchChart;
    const find = (id) => document.getElementById(id);
    const runs = JSON.parse(find('bench-runs').textContent);
    const boxes = [...document.querySelectorAll('#result_list input.action-select')];
    let charts = [];

    /* --- what is chosen --- */

    function inAddress() {
        const named = new URLSearchParams(location.hash.slice(1)).get('runs') || '';
        return named.split(',').map(Number).filter((id) => runs.some((run) => run.id === id));
    }

    function ticked() {
        return boxes.filter((box) => box.checked).map((box) => Number(box.value));
    }

    /* Newest first, as the list is; of nothing, the newest ones of the newest one's model. */
    function chosen() {
        const ids = ticked();
        const alike = runs.filter((run) => run.model === runs[0].model).slice(0, NEWEST);
        return ids.length ? runs.filter((run) => ids.includes(run.id)).slice(0, COLORS.length) : alike;
    }

    /* --- the charts --- */

    function labels(shown) {
        const same = (label) => shown.filter((run) => run.label === label).length > 1;
        return new Map(shown.map((run) => [run.id, same(run.label) ? `${run.label} (${run.id})` : run.label]));
    }

    function seriesOf(shown, levels, name) {
        const named = labels(shown);
        const values = (points) => levels.map((level) => points.find((point) => point.concurrency === level)?.[name] ?? null);
        return shown.flatMap((run, k) => {
            const own = {label: named.get(run.id), color: COLORS[k], data: values(run.levels)};
            const other = {label: `against ${run.other}`, color: COLORS[k], dash: DASH, data: values(run.against)};
            return run.against.length ? [own, other] : [own];
        });
    }

    function said(shown) {
        const count = ticked().length;
        if (!boxes.length) {
            return '';
        }
        if (!count) {
            const which = shown.length === 1 ? 'The newest run' : 'The newest runs';
            return `${which} of ${shown[0].model}. Tick runs below to compare them.`;
        }
        const more = count > COLORS.length ? ` The first ${COLORS.length} of ${count} that are ticked.` : '';
        return `${shown.length === 1 ? 'The ticked run.' : `${shown.length} runs.`}${more}`;
    }

    function show() {
        const shown = chosen();
        const levels = [...new Set(shown.flatMap((run) => [...run.levels, ...run.against].map((point) => point.concurrency)))].sort((a, b) => a - b);
        find('bench').hidden = !levels.length;
        observer.disconnect();
        charts.forEach((chart) => chart.u.destroy());
        find('bench-charts').replaceChildren();
        find('bench-said').textContent = said(shown);
        charts = levels.length ? CHARTS.map(({name, ...chart}) => new LevelChart(find('bench-charts'), find('chart-live'), {...chart, levels, series: seriesOf(shown, levels, name)})) : [];
        charts.forEach((chart) => observer.observe(chart.plot));
    }

    const observer = new ResizeObserver(() => charts.forEach((chart) => chart.resize()));

    /* --- choosing --- */

    function tickAsInAddress() {
        const ids = inAddress();
        for (const box of boxes) {
            const isChosen = ids.includes(Number(box.value));
            if (box.checked !== isChosen) {
                box.click(); // the admin's own script counts and colours it
            }
        }
        show();
    }

    let isFollowing = false;
    document.addEventListener('change', (event) => {
        if (isFollowing || !event.target.matches('#result_list input.action-select, #action-toggle')) {
            return;
        }
        const ids = ticked();
        history.replaceState(null, '', ids.length ? `#runs=${ids.join(',')}` : location.pathname + location.search);
        show();
    });
    document.addEventListener('themechange', () => charts.forEach((chart) => chart.draw()));
    addEventListener('hashchange', follow);

    function follow() {
        isFollowing = true;
        tickAsInAddress();
        isFollowing = false;
    }

    // The admin's script for ticks starts when the page is there.
    addEventListener('DOMContentLoaded', follow);
}
