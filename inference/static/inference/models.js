'use strict';
/* Keeps the cells of the models up to date, and tells a screen reader of changes of state. */
{
    const EVERY_MS = 2000;
    const PATIENCE_MS = 10000;
    const REALLY_MS = 3000;
    const NOTHING = '–';

    const page = document.querySelector('[data-states]');
    const cells = Array.from(document.querySelectorAll('[data-live]'));
    const buttons = Array.from(document.querySelectorAll('button[data-when]'));
    const told = page && page.querySelector('[data-told]');
    const stale = page && page.querySelector('[data-stale]');
    let timer = 0;
    let isAsking = false;

    function fill(cell, value) {
        if (cell.dataset.live === 'progress') {
            cell.hidden = value === '';
            cell.value = Number(value);
            return false;
        }
        if (cell.textContent === value) {
            return false;
        }
        cell.textContent = value;
        cell.classList.toggle('none', value === NOTHING);
        const section = cell.closest('section.failure, section.warned');
        if (section) {
            section.hidden = value === NOTHING;
        }
        if (cell.dataset.live === 'state') {
            cell.dataset.m = value;
            return true;
        }
        return false;
    }

    function show(models) {
        const changes = [];
        for (const cell of cells) {
            const key = cell.dataset.key;
            const shown = models[key] || models[''];
            const value = shown[cell.dataset.live];
            if (value !== undefined && fill(cell, value)) {
                changes.push(`${key}: ${value}`);
            }
        }
        for (const button of buttons) {
            const state = (models[button.dataset.key] || models['']).state;
            button.hidden = !button.dataset.when.split(' ').includes(state);
        }
        if (changes.length) {
            told.textContent = changes.join(', ');
        }
    }

    async function refresh() {
        if (isAsking || document.hidden) {
            return;
        }
        isAsking = true;
        clearTimeout(timer);
        let isSignedIn = true;
        try {
            const answer = await fetch(page.dataset.states, {
                redirect: 'manual',
                cache: 'no-store',
                signal: AbortSignal.timeout(PATIENCE_MS),
            });
            isSignedIn = answer.type !== 'opaqueredirect' && answer.status !== 403;
            if (!answer.ok) {
                throw new Error(`status ${answer.status}`);
            }
            show(await answer.json());
            stale.hidden = true;
        } catch (error) {
            stale.textContent = isSignedIn ? stale.dataset.stale : stale.dataset.signedOut;
            stale.hidden = false;
        }
        isAsking = false;
        if (isSignedIn) {
            timer = setTimeout(refresh, EVERY_MS);
        }
    }

    /* What ends requests is asked for twice. */
    function askAgain(event) {
        const button = event.currentTarget;
        if (button.dataset.asked) {
            return;
        }
        event.preventDefault();
        const label = button.textContent;
        button.dataset.asked = 'yes';
        button.textContent = 'Really?';
        setTimeout(() => {
            delete button.dataset.asked;
            button.textContent = label;
        }, REALLY_MS);
    }

    buttons.filter((button) => button.value === 'unload_now')
        .forEach((button) => button.addEventListener('click', askAgain));
    if (page && cells.length) {
        document.addEventListener('visibilitychange', refresh);
        timer = setTimeout(refresh, EVERY_MS);
    }
}
