/** State: what is shown, as one value that fits into a link and comes back from it. */

import { type ChannelView } from './layer';
import { fromHex, toHex } from './ngff';

export type Mode = 'swipe' | 'side' | 'single';

export interface State {
  mode: Mode;
  /** Names of the stores on the left and on the right. */
  left: string;
  right: string;
  /** Share of the stage that the left store takes while swiping. */
  swipe: number;
  /** Centre of the view, in world units; absent: everything is shown. */
  center?: [number, number];
  /** World units in a pixel of the screen. */
  resolution?: number;
  t: number;
  z: number;
  /** For each store that was changed, what is shown of its channels. */
  channels: Record<string, ChannelView[]>;
  confidence: Confidence;
}

export interface Confidence {
  on: boolean;
  channel: number;
  opacity: number;
  /** Errors that are just clear and just full; absent: what the store says. */
  low?: number;
  high?: number;
}

const MODES: readonly Mode[] = ['swipe', 'side', 'single'];

/** What is shown at first of stores of these names. */
export function initial(names: readonly string[]): State {
  return {
    mode: names.length > 1 ? 'swipe' : 'single',
    left: names[0],
    right: names[1] ?? names[0],
    swipe: 0.5,
    t: 0,
    z: 0,
    channels: {},
    confidence: { on: false, channel: 0, opacity: 0.8 },
  };
}

/** The part of a link after #. */
export function toHash(state: State): string {
  const query = new URLSearchParams();
  query.set('mode', state.mode);
  query.set('left', state.left);
  query.set('right', state.right);
  query.set('swipe', short(state.swipe));
  if (state.center && state.resolution) {
    query.set('at', [...state.center, state.resolution].map(short).join(','));
  }
  query.set('t', String(state.t));
  query.set('z', String(state.z));
  for (const [name, views] of Object.entries(state.channels)) {
    query.set(`c.${name}`, views.map(fromView).join(';'));
  }
  const { on, channel, opacity, low, high } = state.confidence;
  if (on) {
    const range = low === undefined || high === undefined ? [] : [low, high];
    query.set('confidence', [channel, opacity, ...range].map(short).join(','));
  }
  return query.toString();
}

/** The state that a link's part after # describes; what it leaves out or gets wrong is `plain`'s. */
export function fromHash(hash: string, plain: State, names: readonly string[]): State {
  const query = new URLSearchParams(hash.replace(/^#/, ''));
  const name = (key: 'left' | 'right') => {
    const found = query.get(key) ?? '';
    return names.includes(found) ? found : plain[key];
  };
  const mode = query.get('mode') as Mode;
  const [x, y, resolution] = numbers(query.get('at'));
  const placed = resolution > 0;
  return {
    mode: MODES.includes(mode) ? mode : plain.mode,
    left: name('left'),
    right: name('right'),
    swipe: Math.min(1, Math.max(0, numbers(query.get('swipe'))[0] ?? plain.swipe)),
    center: placed ? [x, y] : undefined,
    resolution: placed ? resolution : undefined,
    t: index(query.get('t')),
    z: index(query.get('z')),
    channels: Object.fromEntries(
      names.flatMap((store) => {
        const views = toViews(query.get(`c.${store}`));
        return views ? [[store, views]] : [];
      }),
    ),
    confidence: toConfidence(query.get('confidence'), plain.confidence),
  };
}

function fromView({ on, color, low, high }: ChannelView): string {
  return [on ? 1 : 0, toHex(color), short(low), short(high)].join(',');
}

function toViews(text: string | null): ChannelView[] | undefined {
  if (!text) return undefined;
  const views = text.split(';').map((entry) => {
    const [on, color, low, high] = entry.split(',');
    return { on: on === '1', color: fromHex(color ?? ''), low: Number(low), high: Number(high) };
  });
  const sound = views.every(({ low, high }) => Number.isFinite(low) && Number.isFinite(high));
  return sound ? views : undefined;
}

function toConfidence(text: string | null, plain: Confidence): Confidence {
  const [channel, opacity, low, high] = numbers(text);
  if (opacity === undefined) return plain;
  return { on: true, channel: index(String(channel)), opacity, low, high };
}

/** The numbers of a list; empty if one of them is none. */
function numbers(text: string | null): number[] {
  const found = text ? text.split(',').map(Number) : [];
  return found.every(Number.isFinite) ? found : [];
}

function index(text: string | null): number {
  const value = Number(text);
  return Number.isInteger(value) && value > 0 ? value : 0;
}

function short(value: number): string {
  return String(Number(value.toPrecision(7)));
}
