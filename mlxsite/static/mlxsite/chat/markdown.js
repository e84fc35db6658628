/* A model's Markdown as nodes that can do nothing: no HTML of its own, no images, no links but http(s) and mailto.

   Two nets, each enough alone: markdown-it writes no markup of the text's, and DOMPurify lets through only what is named here. */

const SAFE_LINK = /^(?:https?:\/\/|mailto:)/i;
const TAGS = ['a', 'blockquote', 'br', 'code', 'del', 'em', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'hr', 'li', 'ol', 'p', 'pre', 's', 'strong', 'table', 'tbody', 'td', 'th', 'thead', 'tr', 'ul'];
const ATTRIBUTES = ['class', 'href', 'start', 'title'];
const CLASSES = new Set(['n', 'mid']);
const LANGUAGE = /^language-([\w+#.-]{1,32})$/;

const { h } = window.ui;
const md = window.markdownit({ html: false, linkify: true, typographer: false, breaks: true });
md.validateLink = (url) => SAFE_LINK.test(url);
// A picture that the answer names is shown as a link: nothing is fetched unless somebody clicks.
md.renderer.rules.image = (tokens, at) => {
    const url = tokens[at].attrGet('src');
    const name = md.utils.escapeHtml(tokens[at].content || url);
    return SAFE_LINK.test(url) ? `<a href="${md.utils.escapeHtml(url)}">${name}</a>` : name;
};
// The policy of the page forbids styles in attributes, which is how columns are aligned.
for (const rule of ['th_open', 'td_open']) {
    md.renderer.rules[rule] = (tokens, at, options, env, self) => {
        const token = tokens[at];
        const style = token.attrGet('style') || '';
        token.attrs = style.includes('right') ? [['class', 'n']] : style.includes('center') ? [['class', 'mid']] : null;
        return self.renderToken(tokens, at, options);
    };
}

/* Returns a fragment for a whole text. */
export function rendered(text) {
    const clean = window.DOMPurify.sanitize(md.render(text), {
        ALLOWED_TAGS: TAGS,
        ALLOWED_ATTR: ATTRIBUTES,
        ALLOWED_URI_REGEXP: SAFE_LINK,
        ALLOW_DATA_ATTR: false,
        ALLOW_ARIA_ATTR: false,
        RETURN_DOM_FRAGMENT: true,
    });
    clean.querySelectorAll('a').forEach(setApart);
    clean.querySelectorAll('[class]').forEach(bare);
    clean.querySelectorAll('pre').forEach(dress);
    clean.querySelectorAll('table').forEach((table) => {
        const wide = h('div', { class: 'wide', tabindex: '0', role: 'group', 'aria-label': 'Table' });
        table.replaceWith(wide);
        wide.append(table);
    });
    return clean;
}

function setApart(link) {
    if (!SAFE_LINK.test(link.getAttribute('href') || '')) {
        link.replaceWith(...link.childNodes);
        return;
    }
    link.rel = 'noopener noreferrer';
    link.target = '_blank';
}

/* A class of the page's own would dress an answer as a part of the page. */
function bare(element) {
    const name = element.className;
    if (!CLASSES.has(name) && !(element.matches('pre > code') && LANGUAGE.test(name))) {
        element.removeAttribute('class');
    }
}

function dress(pre) {
    const language = LANGUAGE.exec(pre.querySelector('code')?.className || '');
    const block = h('div', { class: 'code' },
        h('div', { class: 'code-bar' },
            h('span', {}, language ? language[1] : 'text'),
            h('button', { type: 'button', class: 'btn slim', 'data-take': 'code' }, 'Copy')));
    pre.replaceWith(block);
    pre.tabIndex = 0;
    block.append(pre);
}

/* Text that still grows: blocks that are complete are drawn once and stay, only the last is drawn anew. */
export class Growing {
    constructor(target) {
        this.target = target;
        this.settled = 0;
        this.tail = [];
    }

    set(text) {
        const rest = text.slice(this.settled);
        const cut = lastBlock(rest);
        this.clear();
        if (cut) {
            this.target.append(rendered(rest.slice(0, cut)));
            this.settled += cut;
        }
        const fragment = rendered(rest.slice(cut));
        this.tail = [...fragment.childNodes];
        this.target.append(fragment);
    }

    clear() {
        this.tail.forEach((node) => node.remove());
        this.tail = [];
    }
}

/* Where the last block of a text begins, in characters; what is before cannot change any more. */
function lastBlock(text) {
    const starts = md.parse(text, {}).filter((token) => token.level === 0 && token.map && token.nesting >= 0).map((token) => token.map[0]);
    let at = 0;
    for (let line = starts.length > 1 ? starts[starts.length - 1] : 0; line > 0; line -= 1) {
        at = text.indexOf('\n', at) + 1;
    }
    return at;
}
