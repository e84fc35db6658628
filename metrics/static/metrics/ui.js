'use strict';
/* What the pages share: elements, figures as text, copying, the theme. No inline anything, no dependencies. */
{
    const SVG = 'http://www.w3.org/2000/svg';
    const DRAWN = new Set(['svg', 'line', 'rect', 'path']);
    const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
    const NOTHING = '–';

    /* Makes an element; children are elements or text, never markup. */
    function h(tag, attributes = {}, ...children) {
        const element = DRAWN.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
        for (const [name, value] of Object.entries(attributes)) {
            if (value !== undefined && value !== null && value !== false) {
                element.setAttribute(name, value === true ? '' : value);
            }
        }
        element.append(...children.filter((child) => child !== null && child !== undefined));
        return element;
    }

    function count(value) {
        if (value >= 1e6) {
            return `${+(value / 1e6).toFixed(value < 1e7 ? 1 : 0)} M`;
        }
        if (value >= 1e4) {
            return `${Math.round(value / 1e3)} k`;
        }
        if (value >= 1e3) {
            return Math.round(value).toLocaleString('en');
        }
        return String(+value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0));
    }

    function duration(seconds) {
        if (seconds === 0) {
            return '0 ms';
        }
        if (seconds < 0.01) {
            return `${+(seconds * 1000).toPrecision(2)} ms`;
        }
        if (seconds < 0.9995) {
            return `${Math.round(seconds * 1000)} ms`;
        }
        return seconds < 10 ? `${+seconds.toFixed(1)} s` : `${Math.round(seconds)} s`;
    }

    function bytes(value) {
        if (value > 0 && value < 0.9995e9) {
            return `${+(value / 1e6).toPrecision(3)} MB`;
        }
        return `${+(value / 1e9).toFixed(value < 1e10 ? 2 : 1)} GB`;
    }

    /* Each with its unit, short. */
    const figure = {
        count,
        whole: (value) => Math.round(value).toLocaleString('en'),
        duration,
        share: (value) => `${+(100 * value).toFixed(value < 0.1 ? 1 : 0)} %`,
        bytes,
        rate: (value) => String(+value.toFixed(1)),
    };

    function pad(value) {
        return String(value).padStart(2, '0');
    }

    /* Unix seconds as the clock here says, with the day where it is asked for. */
    function clock(unix, withDay) {
        const at = new Date(unix * 1000);
        const time = `${pad(at.getHours())}:${pad(at.getMinutes())}`;
        return withDay ? `${day(unix)} ${time}` : time;
    }

    function day(unix) {
        const at = new Date(unix * 1000);
        return `${at.getDate()} ${MONTHS[at.getMonth()]}`;
    }

    /* A column's value as a filter wants it: commas and a real "none" escaped, "none" for the empty one. */
    function filterValue(value) {
        return value === 'none' ? '\\none' : value ? value.replace(/[\\,]/g, '\\$&') : 'none';
    }

    /* Copies a text, and says on the button whether that went well. */
    async function copy(button, text) {
        const label = button.textContent;
        button.textContent = await isCopied(text) ? 'Copied' : 'Select and copy';
        setTimeout(() => { button.textContent = label; }, 2000);
    }

    /* The clipboard itself is for pages over HTTPS and of this machine only; elsewhere the old way does. */
    async function isCopied(text) {
        try {
            await navigator.clipboard.writeText(text);
            return true;
        } catch {
            const held = document.activeElement;
            const area = h('textarea', {readonly: true, 'aria-hidden': 'true'});
            area.value = text;
            document.body.append(area);
            area.select();
            const done = document.execCommand('copy');
            area.remove();
            held?.focus();
            return done;
        }
    }

    document.addEventListener('click', (event) => {
        const button = event.target.closest('button[data-copy]');
        if (button) {
            copy(button, document.getElementById(button.dataset.copy).textContent.trim());
        }
    });

    /* The admin's own toggle sets the attribute; canvases must be drawn anew then. */
    const themed = () => document.dispatchEvent(new Event('themechange'));
    new MutationObserver(themed).observe(document.documentElement, {attributeFilter: ['data-theme']});
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', themed);

    window.ui = {h, figure, clock, day, filterValue, copy, NOTHING};
}
