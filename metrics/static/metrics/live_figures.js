/* Figures as text and elements as nodes, for the live page. Text is only ever set as text. */

export const NOTHING = '–';
const SVG = 'http://www.w3.org/2000/svg';
const DRAWN = new Set(['svg', 'rect', 'path']);
const SCALES_S = [10, 30, 60, 120, 300, 600, 1800, 3600];

export function h(tag, attributes = {}, ...children) {
    const element = DRAWN.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
}

/* Sets text only where it changed: a screen reader and a selection stay undisturbed. */
export function say(element, text) {
    if (element.textContent !== text) {
        element.textContent = text;
        element.classList.toggle('none', text === NOTHING);
    }
}

export function seconds(s) {
    if (s < 0.9995) {
        return `${Math.round(Math.max(0, s) * 1000)} ms`;
    }
    if (s < 9.995) {
        return `${s.toFixed(2)} s`;
    }
    return age(s);
}

/* Coarser than `seconds`: it is counted up before one's eyes. */
export function age(s) {
    if (s < 120) {
        return `${Math.max(0, s).toFixed(1)} s`;
    }
    const minutes = Math.floor(s / 60);
    if (minutes < 60) {
        return `${minutes} min ${Math.floor(s % 60)} s`;
    }
    return minutes < 2880 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.floor(minutes / 1440)} days`;
}

export function ago(s) {
    return s < 60 ? 'just now' : s < 3600 ? `${Math.floor(s / 60)} min ago` : s < 172800 ? `${Math.floor(s / 3600)} h ago` : `${Math.floor(s / 86400)} days ago`;
}

export function count(n) {
    return n === null ? NOTHING : n.toLocaleString('en');
}

export function rate(tps) {
    return tps === null ? NOTHING : tps < 100 ? tps.toFixed(1) : Math.round(tps).toLocaleString('en');
}

/* Three digits, in decimal units: 4.28 GB. */
export function size(bytes) {
    const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
    let unit = 0;
    while (bytes >= 999.5 && unit < units.length - 1) {
        bytes /= 1000;
        unit += 1;
    }
    const digits = unit ? Math.max(0, 3 - String(Math.floor(bytes)).length) : 0;
    return `${bytes.toFixed(digits)} ${units[unit]}`;
}

export function clock(unix) {
    return new Date(unix * 1000).toLocaleTimeString('en-GB');
}

export function scaleFor(longest) {
    return SCALES_S.find((scale) => longest <= scale) || Math.ceil(longest / 3600) * 3600;
}

export function scaleText(scale) {
    return `0 to ${scale < 120 ? `${scale} s` : scale < 3600 ? `${scale / 60} min` : `${scale / 3600} h`}`;
}

/* Draws parts [class, amount] of a whole side by side into a bar. */
export function drawBar(svg, parts, whole, height) {
    const wanted = parts.filter(([, amount]) => amount > 0);
    const drawn = svg.querySelectorAll('rect:not(.rail)');
    let x = 0;
    wanted.forEach(([name, amount], i) => {
        const rect = drawn[i] || svg.appendChild(h('rect', { height }));
        const width = Math.min(100 - x, Math.max(0.6, (amount / whole) * 100));
        rect.setAttribute('class', name);
        rect.setAttribute('x', `${x.toFixed(2)}%`);
        rect.setAttribute('width', `${Math.max(0, width).toFixed(2)}%`);
        x = Math.min(100, x + width);
    });
    [...drawn].slice(wanted.length).forEach((rect) => rect.remove());
}
