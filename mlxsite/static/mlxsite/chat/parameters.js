/* The drawer of parameters: its fields become a part of the request, by the names the API has for them. */

const form = document.getElementById('fields');
const fields = [...form.querySelectorAll('[data-param]')];
// What the page decides itself; a second answer would have no place on it.
const OWN = new Set(['type', 'messages', 'model', 'stream', 'stream_options', 'n', 'metadata']);

/* What stands in the fields, as it is kept with a conversation. */
export function values() {
    return Object.fromEntries(fields.filter((field) => field.value.trim()).map((field) => [field.dataset.param, field.value]));
}

export function fill(kept) {
    for (const field of fields) {
        field.value = kept[field.dataset.param] ?? '';
        unmark(field);
    }
}

/* Returns the parameters of a request, and the system prompt; throws an Error that names the field at fault. */
export function read() {
    const parameters = {};
    for (const field of fields) {
        const text = field.value.trim();
        if (field.validity.badInput) {
            throw fault(field, `${field.dataset.param}: this is no number.`);
        }
        if (text) {
            Object.assign(parameters, READERS[field.dataset.kind](field, text));
        }
    }
    const { system, ...others } = parameters;
    return { system: system || '', parameters: others };
}

const READERS = {
    text: (field, text) => ({ [field.dataset.param]: text }),
    number: (field, text) => ({ [field.dataset.param]: Number(text) }),
    lines: (field) => ({ [field.dataset.param]: field.value.split('\n').filter(Boolean) }),
    json: readMore,
};

function readMore(field, text) {
    let more;
    try {
        more = JSON.parse(text);
    } catch (error) {
        throw fault(field, `Other parameters: ${error.message}`);
    }
    if (typeof more !== 'object' || more === null || Array.isArray(more)) {
        throw fault(field, 'Other parameters: they have to be a JSON object, as {"logit_bias": {…}}.');
    }
    const own = Object.keys(more).filter((name) => OWN.has(name));
    if (own.length) {
        throw fault(field, `Other parameters: ${own.join(', ')} cannot be set on this page.`);
    }
    return more;
}

function fault(field, words) {
    mark(field);
    return new Error(words);
}

/* Shows which field a refusal is about; returns whether there is one. */
export function point(param) {
    const name = (param || '').split(/[.[]/)[0];
    const field = fields.find((one) => one.dataset.param === name) || fields.find((one) => one.dataset.param === 'more' && one.value.includes(`"${name}"`) && name);
    if (field) {
        mark(field);
    }
    return Boolean(field);
}

function mark(field) {
    field.setAttribute('aria-invalid', 'true');
}

function unmark(field) {
    field.removeAttribute('aria-invalid');
}

form.addEventListener('input', (event) => unmark(event.target));
form.addEventListener('submit', (event) => event.preventDefault());
