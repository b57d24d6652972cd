/** Stage: two linked maps, on top of each other with a swipe or side by side. */

import 'ol/ol.css';

import Map from 'ol/Map';
import View from 'ol/View';
import { defaults as interactions } from 'ol/interaction/defaults';
import type BaseLayer from 'ol/layer/Base';
import type Projection from 'ol/proj/Projection';

import { button } from './controls';
import type { Mode } from './state';

/** How far pixels of full resolution can be enlarged. */
const CLOSEST = 40;

/** How far out of everything one can go, against the view that shows it all. */
const FARTHEST = 4;

/** Length that a scale bar stays below, in pixels of the screen. */
const BAR_PX = 140;

const UNITS: [number, string][] = [
  [1e4, 'cm'],
  [1e3, 'mm'],
  [1, 'µm'],
  [1e-3, 'nm'],
];

type Side = 'left' | 'right';

const part = (id: string) => document.getElementById(id)!;

export interface Events {
  moved: () => void;
  swiped: (share: number) => void;
  /** The pointer is at this place of the world, or has left. */
  pointed: (at: [number, number] | undefined) => void;
}

export class Stage {
  private readonly maps: Record<Side, Map>;
  private readonly element = part('stage');
  private view = new View();
  private extent = [0, 0, 1, 1];
  private physical = false;
  private finest = 1;
  /** Where fitting put the view, by which it is known to be fitted still. */
  private fitted = '';
  private waiting = new Set<Map>();

  constructor(private readonly events: Events) {
    this.maps = { left: this.map('left'), right: this.map('right') };
    this.wireHandle();
    part('zoom').append(
      button('+', 'Zoom in', () => this.zoom(0.5)),
      button('1:1', 'One pixel of the image on one of the screen', () => this.natural()),
      button('−', 'Zoom out', () => this.zoom(2)),
    );
    new ResizeObserver(() => this.resized()).observe(this.element);
  }

  /** The world that is looked at: its extent, whether its unit is the micrometre. */
  world(projection: Projection, finest: number, physical: boolean): void {
    this.extent = projection.getExtent();
    this.physical = physical;
    this.finest = finest;
    const [width, height] = [this.extent[2] - this.extent[0], this.extent[3] - this.extent[1]];
    const size = this.maps.left.getSize() ?? [1, 1];
    const all = Math.max(width / size[0], height / size[1]);
    this.view = new View({
      projection,
      extent: this.extent,
      constrainOnlyCenter: true,
      showFullExtent: true,
      smoothResolutionConstraint: false,
      center: [width / 2, -height / 2],
      resolution: all,
      maxResolution: Math.max(all, finest) * FARTHEST,
      minResolution: finest / CLOSEST,
      enableRotation: false,
    });
    this.view.on('change:resolution', () => this.scaleBar());
    for (const map of Object.values(this.maps)) map.setView(this.view);
    this.fit();
  }

  fit(): void {
    const size = this.maps.left.getSize();
    if (size) this.view.fit(this.extent, { size, padding: [12, 12, 12, 12] });
    this.fitted = this.where;
    this.scaleBar();
  }

  /** Whether everything is shown, as fitting left it. */
  get isFitted(): boolean {
    return this.fitted === this.where;
  }

  /** Whether tiles are on their way. */
  get busy(): boolean {
    return this.waiting.size > 0;
  }

  private get where(): string {
    return `${this.view.getCenter()} ${this.view.getResolution()}`;
  }

  private natural(): void {
    this.view.animate({ resolution: this.finest / window.devicePixelRatio, duration: 150 });
  }

  /** The maps got another size: what was shown whole stays so. */
  private resized(): void {
    const whole = this.isFitted;
    for (const map of Object.values(this.maps)) map.updateSize();
    if (whole) this.fit();
    this.scaleBar();
  }

  place(center: [number, number], resolution: number): void {
    this.view.setCenter(center);
    this.view.setResolution(resolution);
    this.scaleBar();
  }

  get placed(): { center: [number, number]; resolution: number } {
    const [x, y] = this.view.getCenter()!;
    return { center: [x, y], resolution: this.view.getResolution()! };
  }

  zoom(factor: number): void {
    this.view.animate({ resolution: this.placed.resolution * factor, duration: 150 });
  }

  layers(side: Side, wanted: readonly BaseLayer[]): void {
    const layers = this.maps[side].getLayers();
    const there = layers.getArray();
    for (const old of there.filter((layer) => !wanted.includes(layer))) {
      layers.remove(old);
      old.dispose();
    }
    for (const layer of wanted) if (!there.includes(layer)) layers.push(layer);
  }

  arrange(mode: Mode, swipe: number): void {
    const before = this.element.dataset.mode;
    this.element.dataset.mode = mode;
    this.element.style.setProperty('--swipe', `${swipe * 100}%`);
    part('handle').setAttribute('aria-valuenow', String(Math.round(swipe * 100)));
    if (before !== mode) this.resized();
  }

  private map(side: Side): Map {
    const map = new Map({
      target: side,
      controls: [],
      interactions: interactions({ altShiftDragRotate: false, pinchRotate: false }),
      view: this.view,
      maxTilesLoading: 12,
    });
    map.on('moveend', () => this.events.moved());
    map.on('loadstart', () => this.load(map, true));
    map.on('loadend', () => this.load(map, false));
    map.on('pointermove', (event) => {
      if (!event.dragging) this.events.pointed(event.coordinate as [number, number]);
    });
    part(side).addEventListener('pointerleave', () => this.events.pointed(undefined));
    return map;
  }

  private load(map: Map, loading: boolean): void {
    if (loading) this.waiting.add(map);
    else this.waiting.delete(map);
    this.element.dataset.busy = String(this.waiting.size > 0);
  }

  private wireHandle(): void {
    const handle = part('handle');
    const to = (share: number) => this.events.swiped(Math.min(1, Math.max(0, share)));
    handle.addEventListener('pointerdown', (event) => {
      handle.setPointerCapture(event.pointerId);
      event.preventDefault();
      handle.focus();
    });
    handle.addEventListener('pointermove', (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const box = this.element.getBoundingClientRect();
      to((event.clientX - box.left) / box.width);
    });
    handle.addEventListener('wheel', (event) => {
      this.maps.left.getViewport()?.dispatchEvent(new WheelEvent('wheel', event));
    });
    handle.addEventListener('keydown', (event) => {
      const by = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
      if (by === undefined) return;
      event.preventDefault();
      to(Number(handle.getAttribute('aria-valuenow')) / 100 + by);
    });
  }

  private scaleBar(): void {
    const resolution = this.view.getResolution();
    if (!resolution) return;
    const most = resolution * BAR_PX;
    const power = 10 ** Math.floor(Math.log10(most));
    const length = power * (most / power >= 5 ? 5 : most / power >= 2 ? 2 : 1);
    const [unit, name] = this.physical
      ? (UNITS.find(([u]) => length >= u) ?? UNITS[UNITS.length - 1])
      : [1, 'px'];
    part('scale-text').textContent = `${Number((length / unit).toPrecision(3))} ${name}`;
    part('scale-line').style.width = `${length / resolution}px`;
  }
}
