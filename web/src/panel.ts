/** Panel: the settings of what is shown, rebuilt from the state whenever its structure changes. */

import { button, choice, element, plain, range, section, share, steps } from './controls';
import { icon } from './icons';
import { type ChannelView, HEAT_STOPS, MAX_ON } from './layer';
import { fromHex, toHex } from './ngff';
import type { Picture } from './picture';
import type { Confidence, State } from './state';

/** A store that is on the stage: its name, and its picture once it is open. */
export interface Shown {
  name: string;
  picture: Picture;
  views: () => ChannelView[];
}

export interface Actions {
  change: (change: Partial<State>) => void;
  channels: (name: string, indices: readonly number[], change: Partial<ChannelView>) => void;
  confidence: (change: Partial<Confidence>) => void;
  autoContrast: (name: string) => void;
  resetChannels: (name: string) => void;
  swap: () => void;
  play: () => void;
}

/** What stands in the panel, and how its sliders follow a plane that changed elsewhere. */
export interface Panel {
  parts: HTMLElement[];
  follow: (state: State) => void;
}

export function panel(
  names: readonly string[],
  state: State,
  shown: readonly Shown[],
  errors: Picture | undefined,
  actions: Actions,
): Panel {
  const sliders = planes(shown, actions);
  const follow = (now: State) => sliders.forEach(({ axis, set }) => set(now[axis]));
  follow(state);
  const parts = names.length > 1 ? [stores(names, state, actions)] : [];
  if (sliders.length) parts.push(section('Plane', ...sliders.map((slider) => slider.element)));
  parts.push(...shown.map((store) => channels(store, actions)));
  if (errors) parts.push(confidence(errors, state.confidence, actions));
  return { parts, follow };
}

function stores(names: readonly string[], state: State, actions: Actions): HTMLElement {
  const side = (label: string, key: 'left' | 'right') =>
    choice(label, names, state[key], (name) => actions.change({ [key]: name }));
  if (state.mode === 'single') return section('Image', side('Shown', 'left'));
  const swap = button(icon('swap'), 'Swap left and right (X)', actions.swap, 'swap');
  return section('Images', side('Left', 'left'), side('Right', 'right'), swap);
}

function planes(shown: readonly Shown[], actions: Actions) {
  return (['t', 'z'] as const).flatMap((axis) => {
    const longest = shown.reduce((a, b) => (b.picture.size[axis] > a.picture.size[axis] ? b : a));
    const { size, step, unit } = longest.picture;
    if (size[axis] < 2) return [];
    const say = (v: number) =>
      `${v} of 0–${size[axis] - 1}${physical(v * step[axis], unit[axis])}`;
    const play = button(icon('play'), 'Play or pause (P)', actions.play, 'small play');
    const more = axis === 't' ? [play] : [];
    const change = (v: number) => actions.change({ [axis]: v });
    return [{ axis, ...steps(axis, size[axis], say, change, ...more) }];
  });
}

function physical(value: number, unit: string): string {
  if (!unit) return '';
  const name = unit.endsWith('meter') || unit === 'angstrom' ? 'µm' : (SHORT[unit] ?? unit);
  return ` · ${plain(value)} ${name}`;
}

const SHORT: Record<string, string> = { second: 's', millisecond: 'ms', minute: 'min', hour: 'h' };

function channels(store: Shown, actions: Actions): HTMLElement {
  const { name, picture } = store;
  const tools = element(
    'div',
    { className: 'tools' },
    button('Auto', 'Contrast from this plane', () => actions.autoContrast(name), 'small'),
    button('Reset', "The store's own contrast", () => actions.resetChannels(name), 'small'),
  );
  // Red, green and blue are one measurement: a window of each would change the colours.
  const rows = picture.isColour
    ? [element('div', { className: 'channel' }, contrast(store, [0, 1, 2], actions))]
    : picture.channels.map((_, i) => channel(store, i, actions));
  const made = section(name, tools, ...rows);
  made.dataset.store = name;
  return made;
}

function channel(store: Shown, index: number, actions: Actions): HTMLElement {
  const { name, picture, views } = store;
  const title = picture.channels[index].name;
  const view = views()[index];
  const on = element('input', {
    type: 'checkbox',
    checked: view.on,
    onchange: () => {
      const room = views().filter((v) => v.on).length < MAX_ON || picture.size.c <= MAX_ON;
      if (on.checked && !room) on.checked = false;
      else actions.channels(name, [index], { on: on.checked });
    },
  });
  const color = element('input', {
    type: 'color',
    value: `#${toHex(view.color)}`,
    title: `Colour of ${title}`,
    'aria-label': `Colour of ${title}`,
    oninput: () => actions.channels(name, [index], { color: fromHex(color.value) }),
  });
  const top = element('div', { className: 'top' }, element('label', {}, on, title), color);
  return element('div', { className: 'channel' }, top, contrast(store, [index], actions));
}

/** The contrast of channels that share it, which the first of them shows. */
function contrast(store: Shown, indices: readonly number[], actions: Actions): HTMLElement {
  const [first] = indices;
  const { name, window } = store.picture.channels[first];
  const view = store.views()[first];
  // Most pixels lie in the store's window: a track far wider than it could not be aimed at.
  const wide = window.end - window.start || 1;
  const limits = {
    min: Math.min(Math.max(window.min, window.start - wide), view.low),
    max: Math.max(Math.min(window.max, window.end + 2 * wide), view.high),
  };
  const label = indices.length > 1 ? 'Brightness' : name;
  return range(label, limits, view.low, view.high, (low, high) =>
    actions.channels(store.name, indices, { low, high }),
  );
}

function confidence(errors: Picture, state: Confidence, actions: Actions): HTMLElement {
  const on = element('input', {
    type: 'checkbox',
    checked: state.on,
    onchange: () => actions.confidence({ on: on.checked }),
  });
  const toggle = element('label', { className: 'toggle' }, on, 'Show where errors are large');
  if (!state.on) return section('Confidence', toggle);
  const names = errors.channels.map((channel) => channel.name);
  const index = Math.min(state.channel, names.length - 1);
  const { min, max, start, end } = errors.channels[index].window;
  const [low, high] = [state.low ?? start, state.high ?? end];
  const limits = { min: Math.min(min, low), max: Math.max(Math.min(max, 3 * end), high) };
  return section(
    'Confidence',
    toggle,
    choice('Error', names, names[index], (name) =>
      actions.confidence({ channel: names.indexOf(name), low: undefined, high: undefined }),
    ),
    legend(),
    range('error', limits, low, high, (a, b) => actions.confidence({ low: a, high: b })),
    share('opacity', state.opacity, (opacity) => actions.confidence({ opacity })),
  );
}

function legend(): HTMLElement {
  const stops = HEAT_STOPS.map(([at, [r, g, b, a]]) => `rgba(${r},${g},${b},${a}) ${at * 100}%`);
  const made = element('div', { className: 'legend', 'aria-hidden': 'true' });
  made.style.background = `linear-gradient(90deg, ${stops.join(', ')})`;
  return made;
}
