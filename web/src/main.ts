/** The page: it holds the state, opens pictures and brings stage, panel and link in line. */

import Projection from 'ol/proj/Projection';

import { button, plain } from './controls';
import { ChannelLayer, type ChannelView, HeatLayer, extentOf, initialView } from './layer';
import type { Frame } from './layer';
import { micrometres } from './ngff';
import { type Shown, panel } from './panel';
import { Picture, type Plane, type ZarrFormat } from './picture';
import { Stage } from './stage';
import { type Confidence, type Mode, type State, fromHash, initial, toHash } from './state';
import './style.css';

interface Entry {
  name: string;
  url: string;
  zarr: ZarrFormat;
  confidence: string | null;
}

const MODES: [Mode, string, string][] = [
  ['swipe', 'Swipe', 'One on top of the other (1)'],
  ['side', 'Side by side', 'Next to each other (2)'],
  ['single', 'Single', 'One image (3)'],
];

const SIDES = ['left', 'right'] as const;

const part = (id: string) => document.getElementById(id)!;

class Page {
  private readonly names: string[];
  private readonly plain: State;
  private state: State;
  private readonly stage: Stage;
  private readonly pictures = new Map<string, Promise<Picture>>();
  private readonly opened = new Map<string, Picture>();
  private readonly drawn: { left?: ChannelLayer; right?: ChannelLayer } = {};
  private readonly drawnName: { left?: string; right?: string } = {};
  private heat?: { layer: HeatLayer; of: string; channel: number };
  private reference?: Picture;
  private projection?: Projection;
  private turn = 0;
  private linkTimer = 0;

  constructor(private readonly entries: Entry[]) {
    this.names = entries.map(({ name }) => name);
    this.plain = initial(this.names);
    this.state = fromHash(location.hash, this.plain, this.names);
    this.stage = new Stage({
      moved: () => this.moved(),
      swiped: (swipe) => this.change({ swipe }),
      pointed: (at) => this.readout(at),
    });
    this.wire();
  }

  async start(): Promise<void> {
    const others = [this.state.left, this.state.right].map((name) => this.picture(name));
    this.reference = await this.picture(this.names[0]);
    const frame = { pixel: this.pixelOf(this.reference) } as Frame;
    const extent = extentOf(this.reference, frame);
    this.projection = new Projection({ code: 'store', units: 'pixels', extent });
    this.stage.arrange(this.state.mode, this.state.swipe);
    this.stage.world(this.projection, frame.pixel, this.isPhysical(this.reference));
    await Promise.all(others);
    if (this.state.center) this.stage.place(this.state.center, this.state.resolution!);
    await this.show();
  }

  private wire(): void {
    const modes = this.names.length > 1 ? MODES : [];
    part('modes').append(
      ...modes.map(([mode, label, title]) => {
        const made = button(label, title, () => this.change({ mode }));
        made.dataset.mode = mode;
        return made;
      }),
    );
    part('actions').append(
      button('Fit', 'Show everything (F)', () => this.stage.fit()),
      button('Copy link', 'A link that restores this view', () => void this.copyLink()),
      button('Settings', 'Show or hide the settings (S)', () => this.togglePanel()),
    );
    window.addEventListener('hashchange', () => void this.fromLink());
    document.addEventListener('keydown', (event) => this.key(event));
    if (window.innerWidth > 760) document.body.classList.add('panel-open');
  }

  private togglePanel(): void {
    document.body.classList.toggle('panel-open');
  }

  private change(change: Partial<State>): void {
    const before = this.state;
    this.state = { ...before, ...change };
    const structural = 'mode' in change || 'left' in change || 'right' in change;
    if (Object.keys(change).join() === 'swipe') {
      this.stage.arrange(this.state.mode, this.state.swipe);
      this.link();
    } else {
      void this.show(structural);
    }
  }

  /** Bring everything in line with the state; a later call overtakes an earlier one. */
  private async show(rebuild = true): Promise<void> {
    const turn = ++this.turn;
    const { mode } = this.state;
    const sides = mode === 'single' ? (['left'] as const) : SIDES;
    try {
      await Promise.all(sides.map((side) => this.picture(this.state[side])));
      const errors = await this.errors();
      if (turn !== this.turn) return;
      this.stage.arrange(mode, this.state.swipe);
      for (const side of SIDES) this.draw(side, (sides as readonly string[]).includes(side), errors);
      if (rebuild) this.panel(errors);
      this.mark();
      this.link();
    } catch (error) {
      this.say((error as Error).message);
    }
  }

  private draw(side: 'left' | 'right', visible: boolean, errors: Picture | undefined): void {
    const name = this.state[side];
    if (!visible) {
      this.stage.layers(side, []);
      delete this.drawn[side];
      return;
    }
    const picture = this.opened.get(name)!;
    const views = this.views(name);
    let drawn = this.drawn[side];
    if (!drawn || this.drawnName[side] !== name || !drawn.fits(views)) {
      drawn = new ChannelLayer(picture, this.frame(picture), views, (m) => this.say(`${name}: ${m}`));
    }
    this.drawn[side] = drawn;
    this.drawnName[side] = name;
    drawn.update(views);
    drawn.show(this.plane(picture));
    const layers = [drawn.layer];
    if (errors && this.confidenceSide() === side) {
      const heat = this.heatLayer(errors);
      heat.show(this.plane(errors));
      layers.push(heat.layer);
    }
    this.stage.layers(side, layers);
  }

  private heatLayer(errors: Picture): HeatLayer {
    const { channel, opacity, low, high } = this.state.confidence;
    const index = Math.min(channel, errors.size.c - 1);
    const { start, end } = errors.channels[index].window;
    const shown = { low: low ?? start, high: high ?? end, opacity };
    const of = `${errors.url} ${this.confidenceSide()}`;
    if (this.heat?.of !== of || this.heat.channel !== index) {
      const say = (message: string) => this.say(`confidence: ${message}`);
      const layer = new HeatLayer(errors, this.frame(errors), index, shown, say);
      this.heat = { layer, of, channel: index };
    }
    this.heat.layer.update(shown);
    return this.heat.layer;
  }

  private panel(errors: Picture | undefined): void {
    const names = this.state.mode === 'single' ? [this.state.left] : this.shownNames();
    const shown: Shown[] = [...new Set(names)].map((name) => ({
      name,
      picture: this.opened.get(name)!,
      views: this.views(name),
    }));
    const scrolled = part('panel').scrollTop;
    part('panel').replaceChildren(
      ...panel(this.names, this.state, shown, errors ?? this.openErrors(), {
        change: (change) => this.change(change),
        channel: (name, index, change) => this.channel(name, index, change),
        confidence: (change) => this.confidence(change),
        autoContrast: (name) => void this.autoContrast(name),
        resetChannels: (name) => this.resetChannels(name),
        swap: () => this.swap(),
      }),
    );
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

  private channel(name: string, index: number, change: Partial<ChannelView>): void {
    const views = this.views(name).map((view, i) => (i === index ? { ...view, ...change } : view));
    this.change({ channels: { ...this.state.channels, [name]: views } });
  }

  private async autoContrast(name: string): Promise<void> {
    const picture = await this.picture(name);
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

  /** The name of the shown store whose confidence is drawn, and where: the right one first. */
  private confidenceSide(): 'left' | 'right' | undefined {
    const sides = this.state.mode === 'single' ? (['left'] as const) : (['right', 'left'] as const);
    return sides.find((side) => this.entry(this.state[side]).confidence);
  }

  private async errors(): Promise<Picture | undefined> {
    const side = this.confidenceSide();
    const url = side && this.entry(this.state[side]).confidence;
    if (!url) return undefined;
    const found = await this.open(url, url, this.entry(this.state[side]).zarr);
    return this.state.confidence.on ? found : undefined;
  }

  private openErrors(): Picture | undefined {
    const side = this.confidenceSide();
    const url = side && this.entry(this.state[side]).confidence;
    return url ? this.opened.get(url) : undefined;
  }

  private entry(name: string): Entry {
    return this.entries.find((entry) => entry.name === name)!;
  }

  private shownNames(): string[] {
    return SIDES.map((side) => this.state[side]);
  }

  private picture(name: string): Promise<Picture> {
    const { url, zarr } = this.entry(name);
    return this.open(name, url, zarr);
  }

  private open(key: string, url: string, zarr: ZarrFormat): Promise<Picture> {
    let opening = this.pictures.get(key);
    if (!opening) {
      opening = Picture.open(url, zarr, () =>
        this.say('This server sends whole files where ranges are asked for: expect slow images.'),
      ).then(
        (picture) => {
          this.opened.set(key, picture);
          return picture;
        },
        (error: Error) => {
          this.pictures.delete(key);
          throw new Error(`${key} cannot be opened: ${error.message}`);
        },
      );
      this.pictures.set(key, opening);
    }
    return opening;
  }

  private views(name: string): ChannelView[] {
    const { channels } = this.opened.get(name)!;
    const chosen = this.state.channels[name];
    return chosen?.length === channels.length ? chosen : channels.map(initialView);
  }

  private plane({ size }: Picture): Plane {
    return { t: Math.min(this.state.t, size.t - 1), z: Math.min(this.state.z, size.z - 1) };
  }

  private isPhysical(picture: Picture): boolean {
    return micrometres(picture.unit.x) !== undefined;
  }

  private frame(picture: Picture): Frame {
    return { projection: this.projection!, pixel: this.pixelOf(picture) };
  }

  /** World units in a pixel: its size, or what makes a picture without one as wide as the first. */
  private pixelOf(picture: Picture): number {
    const first = this.reference!;
    const physical = this.isPhysical(first);
    if (picture === first) return physical ? picture.step.x : 1;
    if (physical !== this.isPhysical(picture)) {
      return (first.size.x * this.pixelOf(first)) / picture.size.x;
    }
    return physical ? picture.step.x : picture.step.x / first.step.x;
  }

  private readout(at: [number, number] | undefined): void {
    if (!at || !this.reference) {
      part('readout').textContent = '';
      return;
    }
    const pixel = this.pixelOf(this.reference);
    const [column, row] = [Math.floor(at[0] / pixel), Math.floor(-at[1] / pixel)];
    const { x, y } = this.reference.size;
    if (column < 0 || row < 0 || column >= x || row >= y) {
      part('readout').textContent = '';
      return;
    }
    const names = this.state.mode === 'single' ? [this.state.left] : this.shownNames();
    const values = names.map((name) => this.valueAt(name, at) ?? '–').join('  |  ');
    part('readout').textContent = `x ${column}  y ${row}  ·  ${values}`;
  }

  /** Values at a place of the world, from the level that is drawn there. */
  private valueAt(name: string, at: [number, number]): string | undefined {
    const picture = this.opened.get(name);
    if (!picture) return undefined;
    const pixel = this.pixelOf(picture);
    const { resolution } = this.stage.placed;
    const near = (factor: number) => Math.abs(Math.log2((factor * pixel) / resolution));
    const order = picture.levels.map((_, k) => k);
    order.sort((a, b) => near(picture.levels[a].factor) - near(picture.levels[b].factor));
    for (const level of order) {
      const { factor, width, height } = picture.levels[level];
      const x = Math.min(width - 1, Math.floor(at[0] / (pixel * factor)));
      const y = Math.min(height - 1, Math.floor(-at[1] / (pixel * factor)));
      const values = x >= 0 && y >= 0 && picture.peek(level, this.plane(picture), y, x);
      if (values) return values.map(plain).join(' ');
    }
    return undefined;
  }

  private moved(): void {
    if (!this.projection) return;
    const { center, resolution } = this.stage.placed;
    this.state = { ...this.state, center, resolution };
    this.link();
  }

  private link(): void {
    window.clearTimeout(this.linkTimer);
    this.linkTimer = window.setTimeout(() => {
      history.replaceState(null, '', `#${toHash(this.state)}`);
    }, 150);
  }

  private async fromLink(): Promise<void> {
    this.state = fromHash(location.hash, this.plain, this.names);
    await this.show();
    if (this.state.center) this.stage.place(this.state.center, this.state.resolution!);
    else this.stage.fit();
  }

  private async copyLink(): Promise<void> {
    const link = `${location.href.split('#')[0]}#${toHash(this.state)}`;
    try {
      await navigator.clipboard.writeText(link);
      this.say('Link copied.');
    } catch {
      this.say('The address bar holds the link.');
    }
  }

  private key(event: KeyboardEvent): void {
    const typing = event.target instanceof HTMLElement && event.target.matches('input, select');
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const shown = this.shownNames().flatMap((name) => this.opened.get(name) ?? []);
    const move = (axis: 't' | 'z', by: number) => {
      const last = Math.max(...shown.map(({ size }) => size[axis])) - 1;
      const to = Math.min(last, Math.max(0, this.state[axis] + by));
      this.state = { ...this.state, [axis]: to };
      void this.show();
    };
    const several = this.names.length > 1;
    const acts: Record<string, () => void> = {
      f: () => this.stage.fit(),
      s: () => this.togglePanel(),
      x: () => this.swap(),
      c: () => this.confidence({ on: !this.state.confidence.on }),
      ',': () => move('t', -1),
      '.': () => move('t', 1),
      '[': () => move('z', -1),
      ']': () => move('z', 1),
      ...Object.fromEntries(
        MODES.map(([mode], i) => [String(i + 1), () => several && this.change({ mode })]),
      ),
    };
    acts[event.key.toLowerCase()]?.();
  }

  private sayTimer = 0;

  private say(message: string): void {
    say(message);
    window.clearTimeout(this.sayTimer);
    this.sayTimer = window.setTimeout(() => (part('message').hidden = true), 8000);
  }
}

function say(message: string): void {
  part('message').textContent = message;
  part('message').hidden = false;
}

async function main(): Promise<void> {
  if (!document.createElement('canvas').getContext('webgl')) {
    throw new Error('This page draws with WebGL, which this browser does not offer.');
  }
  const answer = await fetch('stores.json');
  if (!answer.ok) throw new Error(`stores.json: the server answered ${answer.status}`);
  const { stores } = (await answer.json()) as { stores: Entry[] };
  await new Page(stores).start();
}

main().catch((error: Error) => say(error.message));
