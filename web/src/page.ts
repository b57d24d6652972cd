/** Page: it holds the state and brings stage, panel and link in line with it. */

import { button, element } from './controls';
import { type Entry, Gallery } from './gallery';
import { icon } from './icons';
import { ChannelLayer, type ChannelView, HeatLayer, initialView } from './layer';
import { say } from './message';
import { type Panel, type Shown, panel } from './panel';
import type { Picture, Plane } from './picture';
import { readout } from './readout';
import { Stage } from './stage';
import { type Confidence, type Mode, type State, fromHash, initial, toHash } from './state';

type Side = 'left' | 'right';

const SIDES: readonly Side[] = ['left', 'right'];

const MODES: [Mode, string, string][] = [
  ['swipe', 'Swipe', 'One over the other (1)'],
  ['side', 'Side by side', 'Next to each other (2)'],
  ['single', 'Single', 'One image (3)'],
];

/** Time between planes while playing, where loading them takes no longer. */
const FRAME_MS = 120;

const part = (id: string) => document.getElementById(id)!;

export class Page {
  private readonly gallery: Gallery;
  private readonly stage: Stage;
  private readonly plain: State;
  private state: State;
  private readonly drawn: { [side in Side]?: { name: string; layer: ChannelLayer } } = {};
  private heat?: { of: string; layer: HeatLayer };
  private shownPanel?: Panel;
  private turn = 0;
  private started = false;
  private linkTimer = 0;
  private playTimer = 0;

  constructor(entries: readonly Entry[]) {
    this.gallery = new Gallery(entries, () =>
      say('This server sends whole files where ranges are asked for: expect slow images.'),
    );
    this.plain = initial(this.gallery.names);
    this.state = fromHash(location.hash, this.plain, this.gallery.names);
    this.stage = new Stage({
      moved: () => this.moved(),
      swiped: (swipe) => this.swiped(swipe),
      pointed: (at) => this.pointed(at),
    });
    this.wire();
  }

  /** Open what is shown first, then show it where the link says. */
  async start(): Promise<void> {
    // Asked for now, awaited by `show`: all stores open at the same time.
    for (const side of SIDES) this.gallery.open(this.state[side]).catch(() => undefined);
    const { projection, pixel, physical } = await this.gallery.start();
    this.stage.arrange(this.state.mode, this.state.swipe);
    this.stage.world(projection, pixel, physical);
    if (this.state.center) this.stage.place(this.state.center, this.state.resolution!);
    this.started = true;
    await this.show();
  }

  private wire(): void {
    const several = this.gallery.names.length > 1;
    for (const [mode, label, title] of several ? MODES : []) {
      const made = button(label, title, () => this.change({ mode }));
      made.dataset.mode = mode;
      part('modes').append(made);
    }
    const action = (name: 'fit' | 'link' | 'settings', label: string, title: string) => {
      const made = button(icon(name), title, () => this.actions[name]());
      made.append(element('span', {}, label));
      part('actions').append(made);
    };
    action('fit', 'Fit', 'Show everything (F)');
    action('link', 'Copy link', 'A link that restores this view');
    action('settings', 'Settings', 'Show or hide the settings (S)');
    window.addEventListener('hashchange', () => void this.fromLink());
    document.addEventListener('keydown', (event) => this.key(event));
    if (window.innerWidth > 760) document.body.classList.add('panel-open');
  }

  private readonly actions = {
    fit: () => this.stage.fit(),
    link: () => void this.copyLink(),
    settings: () => document.body.classList.toggle('panel-open'),
  };

  /** The sides that the layout has. */
  private get sides(): readonly Side[] {
    return this.state.mode === 'single' ? ['left'] : SIDES;
  }

  /** The side whose store's confidence is drawn: the right one first, where translations are. */
  private get errorSide(): Side | undefined {
    return [...this.sides].reverse().find((side) => this.gallery.hasErrors(this.state[side]));
  }

  private change(change: Partial<State>): void {
    this.state = { ...this.state, ...change };
    const structural = ['mode', 'left', 'right'].some((key) => key in change);
    void this.show(structural);
  }

  /** Bring everything in line with the state; a later call overtakes an earlier one. */
  private async show(rebuild = true): Promise<void> {
    const turn = ++this.turn;
    try {
      await Promise.all(this.sides.map((side) => this.gallery.open(this.state[side])));
      const side = this.errorSide;
      const errors = side && (await this.gallery.openErrors(this.state[side]));
      if (turn !== this.turn) return;
      this.stage.arrange(this.state.mode, this.state.swipe);
      for (const one of SIDES) this.draw(one, one === side ? errors : undefined);
      if (rebuild) this.build(errors);
      this.shownPanel?.follow(this.state);
      this.mark();
      this.link();
    } catch (error) {
      say((error as Error).message);
    }
  }

  private draw(side: Side, errors: Picture | undefined): void {
    if (!this.sides.includes(side)) {
      this.stage.layers(side, []);
      delete this.drawn[side];
      return;
    }
    const name = this.state[side];
    const picture = this.gallery.picture(name)!;
    const views = this.views(name);
    let drawn = this.drawn[side];
    if (drawn?.name !== name || !drawn.layer.fits(views)) {
      const failure = (message: string) => say(`${name}: ${message}`);
      const layer = new ChannelLayer(picture, this.gallery.frame(picture), views, failure);
      drawn = this.drawn[side] = { name, layer };
    }
    drawn.layer.update(views);
    drawn.layer.show(this.plane(picture));
    const heat = errors && this.heatOf(errors, side);
    this.stage.layers(side, heat ? [drawn.layer.layer, heat.layer] : [drawn.layer.layer]);
  }

  private heatOf(errors: Picture, side: Side): HeatLayer | undefined {
    const { on, opacity } = this.state.confidence;
    if (!on) {
      this.heat = undefined;
      return undefined;
    }
    const channel = Math.min(this.state.confidence.channel, errors.size.c - 1);
    const { start, end } = errors.channels[channel].window;
    const { low = start, high = end } = this.state.confidence;
    const of = `${side} ${channel} ${errors.url}`;
    if (this.heat?.of !== of) {
      const failure = (message: string) => say(`confidence: ${message}`);
      const range = { low, high, opacity };
      const frame = this.gallery.frame(errors);
      this.heat = { of, layer: new HeatLayer(errors, frame, channel, range, failure) };
    }
    this.heat.layer.update({ low, high, opacity });
    this.heat.layer.show(this.plane(errors));
    return this.heat.layer;
  }

  private build(errors: Picture | undefined): void {
    const names = [...new Set(this.sides.map((side) => this.state[side]))];
    const shown: Shown[] = names.map((name) => ({
      name,
      picture: this.gallery.picture(name)!,
      views: () => this.views(name),
    }));
    const scrolled = part('panel').scrollTop;
    this.shownPanel = panel(this.gallery.names, this.state, shown, errors, {
      change: (change) => this.change(change),
      channels: (name, indices, change) => this.channels(name, indices, change),
      confidence: (change) => this.confidence(change),
      autoContrast: (name) => void this.autoContrast(name),
      resetChannels: (name) => this.resetChannels(name),
      swap: () => this.swap(),
      play: () => this.play(),
    });
    part('panel').replaceChildren(...this.shownPanel.parts);
    part('panel').scrollTop = scrolled;
  }

  private mark(): void {
    const { mode, left, right } = this.state;
    document.querySelectorAll<HTMLElement>('#modes button').forEach((made) => {
      made.setAttribute('aria-pressed', String(made.dataset.mode === mode));
    });
    part('tag-left').textContent = left;
    part('tag-right').textContent = right;
    document.title = mode === 'single' ? left : `${left} | ${right}`;
  }

  private channels(name: string, indices: readonly number[], change: Partial<ChannelView>): void {
    const views = this.views(name).map((view, i) =>
      indices.includes(i) ? { ...view, ...change } : view,
    );
    this.change({ channels: { ...this.state.channels, [name]: views } });
  }

  private async autoContrast(name: string): Promise<void> {
    const picture = await this.gallery.open(name);
    const found = await picture.contrast(this.plane(picture));
    const views = this.views(name).map((view, i) => ({
      ...view,
      low: found[i].start,
      high: found[i].end,
    }));
    this.state = { ...this.state, channels: { ...this.state.channels, [name]: views } };
    await this.show();
  }

  private resetChannels(name: string): void {
    const { [name]: _, ...channels } = this.state.channels;
    this.state = { ...this.state, channels };
    void this.show();
  }

  private confidence(change: Partial<Confidence>): void {
    this.state = { ...this.state, confidence: { ...this.state.confidence, ...change } };
    void this.show('on' in change || 'channel' in change);
  }

  private swap(): void {
    this.change({ left: this.state.right, right: this.state.left });
  }

  /** Step through time until asked again; each plane waits for the one before. */
  private play(): void {
    if (this.length('t') < 2) return;
    const playing = document.body.classList.toggle('playing');
    window.clearInterval(this.playTimer);
    if (!playing) return;
    this.playTimer = window.setInterval(() => {
      if (this.stage.busy) return;
      const t = (this.state.t + 1) % this.length('t');
      this.change({ t });
    }, FRAME_MS);
  }

  private length(axis: 't' | 'z'): number {
    return Math.max(...this.pictures().map(({ size }) => size[axis]));
  }

  private pictures(): Picture[] {
    return this.sides.flatMap((side) => this.gallery.picture(this.state[side]) ?? []);
  }

  private views(name: string): ChannelView[] {
    const { channels } = this.gallery.picture(name)!;
    const chosen = this.state.channels[name];
    return chosen?.length === channels.length ? chosen : channels.map(initialView);
  }

  private plane({ size }: Picture): Plane {
    return { t: Math.min(this.state.t, size.t - 1), z: Math.min(this.state.z, size.z - 1) };
  }

  private pointed(at: [number, number] | undefined): void {
    const seen = this.pictures().map((picture) => ({
      picture,
      plane: this.plane(picture),
      pixel: this.gallery.pixelOf(picture),
    }));
    const said = at && seen.length ? readout(seen, at, this.stage.placed.resolution) : '';
    part('readout').textContent = said;
  }

  private swiped(swipe: number): void {
    this.state = { ...this.state, swipe };
    this.stage.arrange(this.state.mode, swipe);
    this.link();
  }

  private moved(): void {
    if (!this.started) return;
    // A view that shows everything is restored as such on a screen of any size.
    const placed = this.stage.isFitted ? {} : this.stage.placed;
    this.state = { ...this.state, center: undefined, resolution: undefined, ...placed };
    this.link();
  }

  private link(): void {
    window.clearTimeout(this.linkTimer);
    this.linkTimer = window.setTimeout(() => {
      history.replaceState(null, '', `#${toHash(this.state)}`);
    }, 150);
  }

  private async fromLink(): Promise<void> {
    this.state = fromHash(location.hash, this.plain, this.gallery.names);
    const { center, resolution } = this.state;
    await this.show();
    if (center) this.stage.place(center, resolution!);
    else this.stage.fit();
  }

  private async copyLink(): Promise<void> {
    const link = `${location.href.split('#')[0]}#${toHash(this.state)}`;
    try {
      await navigator.clipboard.writeText(link);
      say('Link copied.', 'note');
    } catch {
      say('The address bar holds the link.', 'note');
    }
  }

  private key(event: KeyboardEvent): void {
    const typing = event.target instanceof HTMLElement && event.target.matches('input, select');
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !this.started) return;
    const move = (axis: 't' | 'z', by: number) =>
      this.change({
        [axis]: Math.min(this.length(axis) - 1, Math.max(0, this.state[axis] + by)),
      });
    const { on } = this.state.confidence;
    const acts: Record<string, () => void> = {
      f: this.actions.fit,
      s: this.actions.settings,
      x: () => this.swap(),
      p: () => this.play(),
      c: () => this.confidence({ on: !on }),
      ',': () => move('t', -1),
      '.': () => move('t', 1),
      '[': () => move('z', -1),
      ']': () => move('z', 1),
    };
    if (this.gallery.names.length > 1) {
      MODES.forEach(([mode], i) => (acts[String(i + 1)] = () => this.change({ mode })));
    }
    acts[event.key.toLowerCase()]?.();
  }
}
