/* The page at /: asks for itself again while it is looked at, and shows one program of three. */

const CALM_MS = 10000;
const EAGER_MS = 2000;
const PATIENCE_MS = 10000;
const SETTLED = new Set(['ready', 'on_demand', 'no_service']);
const KEPT = 'mlx.snippet';

const link = document.getElementById('link');
const seen = new Map();
let timer = 0;

function state() {
    return document.querySelector('.server-status').dataset.state;
}

async function look() {
    clearTimeout(timer);
    if (!document.hidden) {
        try {
            const answer = await fetch(location.href, { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) });
            if (!answer.ok) {
                throw new Error(answer.status);
            }
            const before = state();
            show(new DOMParser().parseFromString(await answer.text(), 'text/html'));
            if (state() !== before) {
                document.getElementById('told').textContent = document.querySelector('.server-status h1').textContent;
            }
            setLink('', '');
        } catch {
            setLink('lost', 'the server does not answer; trying again');
        }
        timer = setTimeout(look, SETTLED.has(state()) && !link.dataset.link ? CALM_MS : EAGER_MS);
    }
}

/* Only what changed, so that a selection, the focus and a screen reader stay where they are. */
function show(fresh) {
    for (const part of document.querySelectorAll('[data-live]')) {
        const other = fresh.querySelector(`[data-live=${part.dataset.live}]`);
        if (other && other.innerHTML !== seen.get(part.dataset.live)) {
            seen.set(part.dataset.live, other.innerHTML);
            part.replaceChildren(...other.childNodes);
            choose(chosen());
        }
    }
}

/* As the server wrote it, before the tabs are touched. */
function remember() {
    for (const part of document.querySelectorAll('[data-live]')) {
        seen.set(part.dataset.live, part.innerHTML);
    }
}

function setLink(state, text) {
    if (link.textContent !== text) {
        link.textContent = text;
        link.dataset.link = state;
    }
}

/* --- tabs: one program at a time */

function tabs() {
    return [...document.querySelectorAll('[role=tab]')];
}

function chosen() {
    return localStorage.getItem(KEPT) || 'tab-curl';
}

function choose(id, focus) {
    const all = tabs();
    const shown = all.find((tab) => tab.id === id) || all[0];
    shown.parentElement.hidden = false;
    for (const tab of all) {
        const isShown = tab === shown;
        tab.setAttribute('aria-selected', String(isShown));
        tab.tabIndex = isShown ? 0 : -1;
        document.getElementById(tab.getAttribute('aria-controls')).hidden = !isShown;
    }
    if (focus) {
        shown.focus();
        localStorage.setItem(KEPT, shown.id);
    }
}

document.addEventListener('click', (event) => {
    const tab = event.target.closest('[role=tab]');
    if (tab) {
        choose(tab.id, true);
    }
});

document.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step && event.target.matches('[role=tab]')) {
        const all = tabs();
        choose(all[(all.indexOf(event.target) + step + all.length) % all.length].id, true);
    }
});

document.addEventListener('visibilitychange', look);
remember();
choose(chosen());
timer = setTimeout(look, EAGER_MS);
