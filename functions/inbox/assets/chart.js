// Bars over time, drawn at the size they are shown in. The table beside them says the same in numbers.

import { h, s } from './dom.js';
import { niceTop } from './lists.js';

const HEIGHT = 168;
const BOTTOM = 22;
const LEFT = 58;
const LINES = [0, 0.5, 1];

/** A chart. `bars`: `{label, value, text}`; `write`: a value as words. */
export function chart(title, total, bars, write) {
  const box = h('div', { class: 'plot' });
  const draw = () => box.clientWidth > 0 && box.replaceChildren(picture(title, bars, write, box.clientWidth));
  new ResizeObserver(draw).observe(box);
  return h('figure', { class: 'card chart' }, h('figcaption', {}, h('span', {}, title), h('b', {}, total)), box);
}

function picture(title, bars, write, width) {
  const top = niceTop(bars.map((bar) => bar.value));
  const step = (width - LEFT) / Math.max(1, bars.length);
  const room = HEIGHT - BOTTOM - 10;
  const y = (value) => HEIGHT - BOTTOM - (value / top) * room;
  const every = Math.max(1, Math.ceil(bars.length / Math.max(1, Math.floor((width - LEFT) / 64))));
  const words = bars.map((bar) => `${bar.label}: ${bar.text}`).join('; ');
  return s('svg', { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: 'img', 'aria-label': `${title}. ${words}` },
    LINES.map((part) => [
      s('line', { x1: LEFT, x2: width, y1: y(top * part), y2: y(top * part), class: 'grid' }),
      s('text', { x: LEFT - 8, y: y(top * part) + 4, 'text-anchor': 'end' }, write(top * part)),
    ]),
    bars.map((bar, place) => {
      const height = bar.value > 0 ? Math.max(2, y(0) - y(bar.value)) : 0;
      const x = LEFT + place * step;
      const wide = Math.max(1, Math.min(34, step * 0.68));
      return s('g', {}, s('title', {}, `${bar.label}: ${bar.text}`), s('rect', { x, y: 0, width: step, height: HEIGHT - BOTTOM, class: 'touch' }),
        s('rect', { x: x + (step - wide) / 2, y: y(0) - height, width: wide, height, rx: Math.min(3, wide / 3), class: 'fill' }),
        place % every === 0 && s('text', { x: x + step / 2, y: HEIGHT - 5, 'text-anchor': 'middle' }, bar.label));
    }));
}
