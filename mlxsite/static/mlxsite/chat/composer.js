/* What is being written: the text, the pictures beside it, and the keys that send it. */

import { MOST, imagesOf, toImage } from './images.js';

const { h } = window.ui;
const form = document.getElementById('composer');
const box = document.getElementById('say');
const tray = document.getElementById('tray');
const file = document.getElementById('file');
const notice = document.getElementById('notice');
const DRAFT = 'mlx.draft';
const COMPOSING = 229;
// Where there is no keyboard, Enter is the only way to a new line.
const TOUCH = matchMedia('(pointer: coarse)');

let images = [];

export function focus() {
    if (!TOUCH.matches) {
        box.focus();
    }
}

export function draft() {
    return { text: box.value.trim(), images: [...images] };
}

export function fill({ text = '', images: kept = [] } = {}) {
    box.value = text;
    images = [...kept];
    drawTray();
    grow();
    keepDraft();
}

/* Says what is wrong, or that all is well again. */
export function note(text) {
    notice.textContent = text;
    notice.hidden = !text;
}

/* Takes a word back, if it still stands there. */
export function unnote(...texts) {
    if (texts.includes(notice.textContent)) {
        note('');
    }
}

/* Calls back when something is to be sent. */
export function onSend(send) {
    form.addEventListener('submit', (event) => {
        event.preventDefault();
        send();
    });
    box.addEventListener('keydown', (event) => {
        // Some browsers report the Enter that ends a composition as any other, but for its code.
        const isComposing = event.isComposing || event.keyCode === COMPOSING;
        if (event.key === 'Enter' && !event.shiftKey && !isComposing && !TOUCH.matches) {
            event.preventDefault();
            send();
        }
    });
}

async function add(files) {
    for (const one of files) {
        if (images.length >= MOST) {
            note(`A message takes ${MOST} pictures.`);
            break;
        }
        try {
            images.push(await toImage(one));
        } catch (error) {
            note(error.message);
        }
    }
    drawTray();
}

function drawTray() {
    tray.replaceChildren(...images.map((image, at) => h('li', {},
        h('img', { src: image.url, alt: '' }),
        h('span', {}, h('b', {}, image.name), image.width ? `${image.width} × ${image.height}` : ''),
        h('button', { type: 'button', class: 'btn quiet slim', 'data-at': at, 'aria-label': `Leave out ${image.name}` }, '✕'))));
}

function grow() {
    box.rows = Math.min(10, box.value.split('\n').length + Math.floor(box.value.length / 110));
}

function keepDraft() {
    sessionStorage.setItem(DRAFT, box.value);
}

box.addEventListener('input', () => {
    grow();
    keepDraft();
});
box.addEventListener('paste', (event) => {
    const found = imagesOf(event.clipboardData);
    if (found.length) {
        event.preventDefault();
        note('');
        add(found);
    }
});
tray.addEventListener('click', (event) => {
    const button = event.target.closest('[data-at]');
    if (button) {
        images.splice(Number(button.dataset.at), 1);
        drawTray();
        box.focus();
    }
});
document.getElementById('attach').addEventListener('click', () => file.click());
file.addEventListener('change', () => {
    note('');
    add([...file.files]);
    file.value = '';
});
addEventListener('dragover', (event) => {
    if (event.dataTransfer?.types.includes('Files')) {
        event.preventDefault();
        form.classList.add('over');
    }
});
addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) {
        form.classList.remove('over');
    }
});
addEventListener('drop', (event) => {
    form.classList.remove('over');
    if (event.dataTransfer?.files.length) {
        event.preventDefault();
        const found = imagesOf(event.dataTransfer);
        note(found.length < event.dataTransfer.files.length ? 'Only pictures can be sent.' : '');
        add(found);
    }
});
box.value = sessionStorage.getItem(DRAFT) || '';
grow();
