/* The turns of a conversation on the page. What people typed is text; what models say goes through markdown.js. */

import { Growing, rendered } from './markdown.js';

const { h, figure } = window.ui;
const SHORT_S = 0.1;

export function userTurn(turn, at) {
    return h('article', { class: 'turn user', 'data-at': at },
        h('p', { class: 'who' }, h('span', {}, 'You'), h('span', { class: 'deeds' }, deed('edit', 'Edit', 'Change this question'), deed('copy', 'Copy', 'Copy this question'))),
        h('div', { class: 'said' },
            turn.images?.length ? h('div', { class: 'pictures' }, ...turn.images.map((image) => h('img', { src: image.url, alt: image.name, title: image.name }))) : null,
            turn.lost_images ? h('p', { class: 'small faint' }, turn.lost_images === 1 ? 'A picture is no longer kept.' : `${turn.lost_images} pictures are no longer kept.`) : null,
            turn.text ? h('p', { class: 'typed' }, turn.text) : null));
}

/* A model's turn, finished or growing: `draw` shows what has come, `close` how it ended. */
export class ModelTurn {
    constructor(turn, at, { rows }) {
        this.turn = turn;
        this.rows = rows;
        this.name = h('span', {}, turn.model || 'model');
        this.summary = h('summary');
        this.thought = h('div', { class: 'typed' });
        this.thinking = h('details', { class: 'think', hidden: !turn.thought }, this.summary, this.thought);
        this.said = h('div', { class: 'said md' });
        this.calls = h('div', { class: 'calls' });
        this.waiting = h('p', { class: 'waiting dim', hidden: true });
        this.fault = h('p', { class: 'failed', hidden: true });
        this.stats = h('p', { class: 'stats' });
        this.deeds = h('span', { class: 'deeds' }, deed('again', 'Regenerate', 'Answer anew'), deed('copy', 'Copy', 'Copy this answer'));
        this.article = h('article', { class: 'turn model', 'data-at': at },
            h('p', { class: 'who' }, this.name, this.deeds), this.thinking, this.said, this.calls, this.waiting, this.fault, this.stats);
        this.growing = new Growing(this.said);
        this.shownText = 0;
        this.shownThought = 0;
    }

    draw(answer) {
        const { turn } = this;
        this.article.classList.add('running');
        this.name.textContent = turn.model || 'model';
        if ((turn.thought || '').length !== this.shownThought) {
            this.shownThought = turn.thought.length;
            this.thinking.hidden = false;
            this.thought.textContent = turn.thought;
        }
        this.summary.textContent = thoughtWords(turn, answer.isThinking);
        if (turn.text.length !== this.shownText) {
            this.shownText = turn.text.length;
            this.growing.set(turn.text);
        }
        this.drawCalls();
        this.stats.replaceChildren(...figures(turn));
    }

    wait(text) {
        this.waiting.hidden = !text;
        this.waiting.textContent = text;
    }

    /* Draws it as it ended, whole. */
    close() {
        const { turn } = this;
        this.article.classList.remove('running');
        this.wait('');
        this.name.textContent = turn.model || 'model';
        this.thinking.hidden = !turn.thought;
        this.thought.textContent = turn.thought || '';
        this.summary.textContent = thoughtWords(turn, false);
        this.settle();
        this.drawCalls();
        this.drawFault();
        this.stats.replaceChildren(...figures(turn), ...this.ends());
    }

    /* Text that grew mostly looks like the whole already; then a selection in it may stay. */
    settle() {
        const whole = h('div', {}, rendered(this.turn.text));
        if (shape(whole) !== shape(this.said)) {
            this.said.replaceChildren(...whole.childNodes);
        }
    }

    drawCalls() {
        this.calls.replaceChildren(...(this.turn.calls || []).map((call) => h('p', {}, 'calls ', h('code', {}, `${call.name}(${call.arguments})`))));
    }

    drawFault() {
        const { end, words, param, ignored } = this.turn;
        const isFault = end === 'failed' || end === 'lost';
        const said = [
            isFault ? words : null,
            isFault && param && !words.includes(param) ? h('code', {}, param) : null,
            ignored?.length ? `Ignored, because nobody knows them: ${ignored.join(', ')}.` : null,
        ];
        this.fault.replaceChildren(...said.filter(Boolean).flatMap((part) => [part, ' ']));
        this.fault.hidden = !this.fault.childNodes.length;
        this.fault.classList.toggle('mild', !isFault);
    }

    ends() {
        const { end, finish, id, left_out: pictures, text } = this.turn;
        const words = end === 'stopped' ? 'stopped' : finish === 'length' ? 'ended at the limit of tokens' : '';
        return [
            words ? h('span', {}, words) : null,
            pictures && text ? h('span', {}, pictures === 1 ? 'reads text only: an earlier picture was left out' : 'reads text only: earlier pictures were left out') : null,
            id && this.rows ? h('a', { href: `${this.rows}?q=${encodeURIComponent(id)}` }, 'request record') : null,
        ].filter(Boolean);
    }
}

function shape(element) {
    return [...element.children].map((child) => child.outerHTML).join('');
}

function deed(name, label, title) {
    return h('button', { type: 'button', class: 'btn quiet slim', 'data-deed': name, title }, label);
}

function thoughtWords(turn, isThinking) {
    if (isThinking) {
        return 'Thinking';
    }
    const tokens = turn.thought_tokens ? `, ${figure.whole(turn.thought_tokens)} tokens` : '';
    // What came in one piece with the answer took a time that was not seen here.
    const took = turn.thought_s > SHORT_S ? ` for ${figure.duration(turn.thought_s)}` : '';
    return `Thought${took}${tokens}`;
}

function figures(turn) {
    return [
        turn.tokens ? `${figure.whole(turn.tokens)} ${turn.tokens === 1 ? 'token' : 'tokens'}` : '',
        turn.tps ? `${figure.rate(turn.tps)} tok/s` : '',
        turn.ttft_s !== undefined ? `first after ${figure.duration(turn.ttft_s)}` : '',
    ].filter(Boolean).map((words) => h('span', {}, words));
}
