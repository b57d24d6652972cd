/** Controls: small pieces of the page, built once and wired to a callback. */

type Child = Node | string;

/** An element with properties, attributes (names with a dash, role) and children. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Record<string, unknown> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes('-') || name === 'role') made.setAttribute(name, String(value));
    else Object.assign(made, { [name]: value });
  }
  made.append(...children);
  return made;
}

export function button(
  label: Child,
  title: string,
  act: () => void,
  className = '',
): HTMLButtonElement {
  const made = element('button', { type: 'button', title, onclick: act, className }, label);
  // A sign is no name.
  if (typeof label !== 'string' || label.length === 1) made.setAttribute('aria-label', title);
  return made;
}

/** A heading with its controls below. */
export function section(title: string, ...children: Child[]): HTMLElement {
  return element('section', {}, element('h2', { title }, title), ...children);
}

/** A slider over whole numbers that can also be moved from elsewhere. */
export interface Steps {
  element: HTMLElement;
  set: (value: number) => void;
}

/** A slider over 0 to `count` - 1; `say` is what stands above it, `more` follows it. */
export function steps(
  label: string,
  count: number,
  say: (value: number) => string,
  change: (value: number) => void,
  ...more: Child[]
): Steps {
  const shown = element('output');
  const slider = element('input', {
    type: 'range',
    min: '0',
    max: String(count - 1),
    'aria-label': label,
    oninput: () => move(Number(slider.value)),
  });
  const set = (value: number) => {
    slider.value = String(value);
    shown.textContent = say(Number(slider.value));
  };
  const move = (value: number) => {
    set(value);
    change(Number(slider.value));
  };
  const step = (sign: string, name: string, by: number) =>
    button(sign, `${name} ${label}`, () => move(Number(slider.value) + by), 'small');
  const top = element(
    'div',
    { className: 'top' },
    element('span', { className: 'label' }, label),
    shown,
  );
  const row = element(
    'div',
    { className: 'row' },
    step('‹', 'Previous', -1),
    slider,
    step('›', 'Next', 1),
    ...more,
  );
  return { element: element('div', { className: 'steps' }, top, row), set };
}

/** A slider over a share, 0 to 1. */
export function share(label: string, value: number, change: (v: number) => void): HTMLElement {
  const slider = element('input', {
    type: 'range',
    min: '0',
    max: '1',
    step: '0.01',
    'aria-label': label,
    oninput: () => change(Number(slider.value)),
  });
  slider.value = String(value);
  return element(
    'div',
    { className: 'row' },
    element('span', { className: 'label' }, label),
    slider,
  );
}

export interface Limits {
  min: number;
  max: number;
}

/** Two thumbs on one track, with the exact numbers beside them. */
export function range(
  label: string,
  limits: Limits,
  low: number,
  high: number,
  change: (low: number, high: number) => void,
): HTMLElement {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(limits.max - limits.min || 1)));
  const shown = (value: number) => String(Number(value.toFixed(Math.min(digits, 12))));
  const step = niceStep((limits.max - limits.min) / 500, limits);
  const make = (type: string, name: string, value: number) => {
    const bounds = type === 'range' ? { min: limits.min, max: limits.max, step } : { step: 'any' };
    const made = element('input', { type, ...bounds, 'aria-label': `${label}: ${name}` });
    made.value = shown(value);
    return made;
  };
  const sliders = [make('range', 'lower', low), make('range', 'upper', high)];
  const fields = [make('number', 'lower', low), make('number', 'upper', high)];
  const track = element('div', { className: 'track' }, element('i'), ...sliders);
  const paint = () => {
    const at = sliders.map((s) => (Number(s.value) - limits.min) / (limits.max - limits.min));
    track.style.setProperty('--low', String(at[0]));
    track.style.setProperty('--high', String(at[1]));
    // Where both thumbs meet at the far end, the lower one must stay within reach.
    sliders[0].style.zIndex = at[0] > 0.5 ? '1' : '0';
  };
  const read = (from: HTMLInputElement[], to: HTMLInputElement[], moved: number) => {
    const values = from.map((input) => Number(input.value));
    if (!values.every(Number.isFinite)) return;
    if (values[0] > values[1]) {
      values[1 - moved] = values[moved];
      from[1 - moved].value = shown(values[moved]);
    }
    to.forEach((input, i) => (input.value = shown(values[i])));
    paint();
    change(values[0], values[1]);
  };
  [0, 1].forEach((i) => {
    sliders[i].oninput = () => read(sliders, fields, i);
    fields[i].onchange = () => read(fields, sliders, i);
  });
  paint();
  return element('div', { className: 'range' }, fields[0], track, fields[1]);
}

/** A choice among names. */
export function choice(
  label: string,
  names: readonly string[],
  value: string,
  change: (name: string) => void,
): HTMLElement {
  const select = element('select', { 'aria-label': label, onchange: () => change(select.value) });
  select.append(...names.map((name) => element('option', { value: name }, name)));
  select.value = value;
  return element('label', { className: 'choice' }, element('span', {}, label), select);
}

/** A number as it is written for people: few digits, no more than it has. */
export function plain(value: number): string {
  return String(Number(value.toPrecision(5)));
}

function niceStep(step: number, { min, max }: Limits): number {
  const power = 10 ** Math.floor(Math.log10(step || 1));
  const whole = Number.isInteger(min) && Number.isInteger(max);
  return whole && power <= 1 && max - min > 20 ? 1 : power;
}
