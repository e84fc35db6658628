/* The log of turns: draws the one that grows as often as the screen can show it, and follows it to the bottom. */

import { ModelTurn, userTurn } from './turns.js';

const NEAR = 60;
// Drawing a very long text anew may take at most a fifth of the time.
const REST = 4;
const log = document.getElementById('log');
const turns = document.getElementById('turns');
const empty = document.getElementById('empty');
const jump = document.getElementById('jump');

export class Log {
    constructor({ rows = '' }) {
        this.rows = rows;
        this.growing = null;
        this.frame = 0;
        this.rest = 0;
        this.isFollowing = true;
        this.mayBeEmpty = false;
        log.addEventListener('scroll', () => this.scrolled());
        jump.addEventListener('click', () => this.toBottom());
        new ResizeObserver(() => this.follow()).observe(log);
    }

    show(all) {
        this.stopDrawing();
        this.growing = null;
        turns.replaceChildren(...all.map((turn, at) => this.drawn(turn, at)));
        this.showEmpty(this.mayBeEmpty);
    }

    drawn(turn, at) {
        if (turn.role === 'user') {
            return userTurn(turn, at);
        }
        const shown = new ModelTurn(turn, at, { rows: this.rows });
        if (turn.end === 'running') {
            this.growing = shown;
            shown.article.classList.add('running');
        } else {
            shown.close();
        }
        return shown.article;
    }

    showEmpty(may) {
        this.mayBeEmpty = may;
        empty.hidden = !may || turns.childElementCount > 0;
    }

    draw(answer) {
        if (!this.frame && !this.rest) {
            this.frame = requestAnimationFrame(() => this.drawNow(answer));
        }
        this.isStale = true;
    }

    drawNow(answer) {
        this.frame = 0;
        this.isStale = false;
        if (this.growing) {
            const began = performance.now();
            this.growing.wait('');
            this.growing.draw(answer);
            this.follow();
            this.rest = setTimeout(() => this.rested(answer), REST * (performance.now() - began));
        }
    }

    rested(answer) {
        this.rest = 0;
        if (this.isStale) {
            this.draw(answer);
        }
    }

    wait(text) {
        this.growing?.wait(text);
        this.follow();
    }

    close() {
        this.stopDrawing();
        this.growing?.close();
        this.growing = null;
        this.follow();
    }

    stopDrawing() {
        cancelAnimationFrame(this.frame);
        clearTimeout(this.rest);
        this.frame = this.rest = 0;
    }

    follow() {
        if (this.isFollowing) {
            log.scrollTop = log.scrollHeight;
        }
    }

    toBottom() {
        this.isFollowing = true;
        jump.hidden = true;
        this.follow();
    }

    scrolled() {
        this.isFollowing = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR;
        jump.hidden = this.isFollowing;
    }
}
