// Looking again and again: 1.5 s while the page is seen, seldom while it is hidden, with patience when nothing answers.

import { $ } from './dom.js';
import { nextLook } from './lists.js';

export const LIVE_MS = 1_500;
const running = new Set();

/** Calls `look` until it is stopped; one call at a time. */
export class Poll {
  constructor(look, every = LIVE_MS) {
    Object.assign(this, { look, every, failures: 0, timer: null, stopped: false, inFlight: null });
    running.add(this);
    this.now();
  }

  /** Looks at once. A look that is under way may be too old to show what has just been done, so another one follows. */
  now() {
    if (this.stopped) return;
    clearTimeout(this.timer);
    if (this.inFlight) this.again = true;
    else this.inFlight = this.once();
  }

  async once() {
    this.again = false;
    try {
      await this.look();
      this.failures = 0;
    } catch (error) {
      if (error.isUnknown === undefined) throw error;
      this.failures += 1;
      // A refusal is an answer too: it is asked for less often, but the connection is there.
      this.isLost = error.isUnknown;
    } finally {
      this.inFlight = null;
      showLink();
      if (!this.stopped) {
        const wait = nextLook({ every: this.every, hidden: document.hidden, failures: this.failures });
        this.timer = setTimeout(() => this.now(), this.again ? 0 : wait);
      }
    }
  }

  stop() {
    this.stopped = true;
    running.delete(this);
    clearTimeout(this.timer);
    showLink();
  }
}

function showLink() {
  const lost = navigator.onLine === false || [...running].some((poll) => poll.failures > 1 && poll.isLost);
  if ($('offline').hidden === lost) $('offline').hidden = !lost;
}

const wake = () => {
  showLink();
  if (!document.hidden) for (const poll of running) poll.now();
};
document.addEventListener('visibilitychange', wake);
addEventListener('online', wake);
addEventListener('offline', showLink);
