/* The list of conversations in its drawer. Deleting asks once more, in place. */

import * as store from './store.js';

const { h, clock } = window.ui;
const list = document.getElementById('chats');
const PATIENCE_MS = 3000;

/* Calls back: `open(id)`, and `gone(id)` for each that is about to be deleted. */
export function on({ open, gone }) {
    list.addEventListener('click', (event) => {
        const button = event.target.closest('button');
        const id = button?.closest('li').dataset.id;
        if (button?.dataset.deed === 'delete') {
            twice(button, () => {
                gone(id);
                store.remove(id);
                draw();
                (list.querySelector('button') || document.querySelector('[data-drawer=list]')).focus();
            });
        } else if (button) {
            open(id);
        }
    });
    document.getElementById('forget-all').addEventListener('click', (event) => {
        twice(event.target, () => {
            store.all().forEach((conversation) => gone(conversation.id));
            store.removeAll();
            draw();
        });
    });
}

export function draw(current = list.dataset.current) {
    list.dataset.current = current;
    const kept = store.all();
    const shown = JSON.stringify([current, ...kept.map((one) => [one.id, one.at, store.titleOf(one)])]);
    if (shown === list.dataset.shown) {
        return; // The focus may be in it.
    }
    list.dataset.shown = shown;
    list.replaceChildren(...kept.map((conversation) => h('li', { 'data-id': conversation.id },
        h('button', { type: 'button', class: 'open', 'aria-current': conversation.id === current ? 'true' : null },
            h('b', {}, store.titleOf(conversation)), h('span', {}, clock(conversation.at / 1000, true))),
        h('button', { type: 'button', class: 'btn quiet slim', 'data-deed': 'delete', 'aria-label': `Delete ${store.titleOf(conversation)}` }, 'Delete'))));
    document.getElementById('forget-all').hidden = !kept.length;
}

function twice(button, act) {
    if (button.hasAttribute('data-asked')) {
        act();
        return;
    }
    const label = button.textContent;
    button.setAttribute('data-asked', '');
    button.textContent = 'Really?';
    setTimeout(() => {
        button.removeAttribute('data-asked');
        button.textContent = label;
    }, PATIENCE_MS);
}
