/* The drawers at both sides: opened by their buttons, closed by Escape where they lie over the page. */

const WIDE = matchMedia('(min-width: 1081px)');
const KEPT = 'mlx.drawer.';

function buttons(name) {
    return document.querySelectorAll(`[data-drawer=${name}]`);
}

export function toggle(name, isOpen = document.getElementById(name).hidden) {
    const drawer = document.getElementById(name);
    drawer.hidden = !isOpen;
    for (const button of buttons(name)) {
        button.setAttribute('aria-expanded', String(isOpen));
    }
    if (WIDE.matches) {
        localStorage.setItem(KEPT + name, isOpen ? 'open' : '');
    }
}

/* Closes the drawer that the focus is in; returns whether there was one. */
export function closeAround(element) {
    const drawer = element.closest('.drawer');
    if (drawer) {
        toggle(drawer.id, false);
        document.getElementById(`${drawer.id}-button`).focus();
    }
    return Boolean(drawer);
}

/* On a phone a drawer hides the conversation: it closes once something was chosen. */
export function closeOver() {
    if (!WIDE.matches) {
        document.querySelectorAll('.drawer').forEach((drawer) => toggle(drawer.id, false));
    }
}

document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-drawer]');
    if (button) {
        const name = button.dataset.drawer;
        const drawer = document.getElementById(name);
        if (drawer.hidden && !WIDE.matches) {
            closeOver();
        }
        toggle(name);
        const target = drawer.hidden ? document.getElementById(`${name}-button`) : drawer.querySelector('button, input, textarea');
        target.focus();
    } else if (!event.target.closest('.drawer')) {
        closeOver();
    }
});

for (const drawer of document.querySelectorAll('.drawer')) {
    if (WIDE.matches && localStorage.getItem(KEPT + drawer.id)) {
        toggle(drawer.id, true);
    }
}
