'use strict';
/* The list's filter leaves no empty parameters behind; the detail page copies its command. */
{
    const filter = document.getElementById('filter-form');
    if (filter) {
        const hours = filter.elements.namedItem('hours');
        const ends = ['from', 'to'].map(name => filter.elements.namedItem(name));
        // A span that ends now and one between two moments exclude each other.
        hours.addEventListener('change', () => ends.forEach(end => { end.value = ''; }));
        ends.forEach(end => end.addEventListener('input', () => { hours.value = ''; }));
        filter.addEventListener('submit', event => {
            event.preventDefault();
            const said = Array.from(new FormData(filter)).filter(([, value]) => value !== '');
            window.location.search = new URLSearchParams(said).toString();
        });
    }

    const search = document.getElementById('changelist-search');
    const looked = search && search.elements.namedItem('q');
    if (looked) {
        search.addEventListener('submit', () => { looked.disabled = looked.value === ''; });
    }

    async function copied(text, source) {
        try {
            await navigator.clipboard.writeText(text);
            return true;
        } catch {
            // Over plain HTTP from another machine there is no clipboard to write to.
            window.getSelection().selectAllChildren(source);
            return document.execCommand('copy');
        }
    }

    for (const button of document.querySelectorAll('button[data-copy]')) {
        const label = button.textContent;
        const source = document.getElementById(button.dataset.copy);
        button.addEventListener('click', async () => {
            const done = await copied(source.textContent, source);
            button.textContent = done ? button.dataset.copied : 'Selected: copy it with the keyboard';
            button.setAttribute('aria-live', 'polite');
            window.setTimeout(() => { button.textContent = label; }, 2000);
        });
    }
}
