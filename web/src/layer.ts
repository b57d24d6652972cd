/** A picture as an OpenLayers layer: its tiles on the graphics card, its contrast in a shader. */

import WebGLTileLayer from 'ol/layer/WebGLTile';
import DataTileSource from 'ol/source/DataTile';
import TileGrid from 'ol/tilegrid/TileGrid';
import type Projection from 'ol/proj/Projection';

import type { Channel } from './ngff';
import type { Picture, Plane } from './picture';

/** What is shown of a channel. */
export interface ChannelView {
  on: boolean;
  color: [number, number, number];
  low: number;
  high: number;
}

/** How one picture lies in the world that several share. */
export interface Frame {
  projection: Projection;
  /** World units in a pixel of level 0. */
  pixel: number;
}

/** Up to so many channels are all loaded; of more, only those that are on. */
const ALWAYS_LOADED = 4;

/** How many channels can be on at once: what fits the textures of a modest graphics card. */
export const MAX_ON = 8;

const [SMALL_TILE, LARGE_TILE, CUT_TILE] = [256, 1024, 512];

/** What the tiles of a layer may take on the graphics card, and how many a large screen needs. */
const CARD_BYTES = 256 * 2 ** 20;
const [FEWEST_TILES, MOST_TILES] = [96, 256];

type Failure = (message: string) => void;

/** Tiles of one plane at a time; while another loads, the one before stays. */
class PlaneSource extends DataTileSource {
  private readonly finest: number;

  constructor(
    private readonly picture: Picture,
    frame: Frame,
    private readonly bands: readonly number[],
    private readonly failure: Failure,
  ) {
    super({
      tileGrid: gridOf(picture, frame),
      projection: frame.projection,
      bandCount: bands.length,
      interpolate: true,
      wrapX: false,
      transition: 0,
    });
    this.finest = picture.levels.length - 1;
  }

  show(plane: Plane): void {
    this.setLoader((z, x, y) => this.load(plane, z, x, y));
    this.setKey(`${plane.t}/${plane.z}`);
  }

  /** Enlarged pixels of full resolution keep their edges: what is seen is what was measured. */
  override getTile(...request: Parameters<DataTileSource['getTile']>) {
    const tile = super.getTile(...request);
    if (tile) tile.interpolate = request[0] < this.finest;
    return tile;
  }

  private async load(plane: Plane, z: number, x: number, y: number) {
    const [width, height] = this.tileGrid!.getTileSize(z) as [number, number];
    const box = { y: y * height, x: x * width, height, width };
    const level = this.finest - z;
    try {
      return await this.picture.tile(level, plane, box, this.bands);
    } catch (error) {
      this.failure(`level ${level}, y ${box.y}, x ${box.x}: ${(error as Error).message}`);
      throw error;
    }
  }
}

/** A layer that draws a picture's channels, each through its window in its colour. */
export class ChannelLayer {
  readonly layer: WebGLTileLayer;
  private readonly source: PlaneSource;
  private readonly bands: number[];

  constructor(
    private readonly picture: Picture,
    frame: Frame,
    views: readonly ChannelView[],
    failure: Failure,
  ) {
    this.bands = bandsOf(views);
    this.source = new PlaneSource(picture, frame, this.bands, failure);
    this.layer = new WebGLTileLayer({
      source: this.source,
      extent: extentOf(picture, frame),
      cacheSize: tilesKept(picture, this.bands.length),
      style: { variables: this.variables(views), color: additive(this.bands.length) },
    });
  }

  /** Whether these channels can be shown without loading others. */
  fits(views: readonly ChannelView[]): boolean {
    return bandsOf(views).join() === this.bands.join();
  }

  show(plane: Plane): void {
    this.source.show(plane);
  }

  update(views: readonly ChannelView[]): void {
    this.layer.updateStyleVariables(this.variables(views));
  }

  private variables(views: readonly ChannelView[]): Record<string, number> {
    const found: Record<string, number> = {};
    this.bands.forEach((channel, band) => {
      const view = views[channel];
      const [low, span] = inTexture(this.picture, view.low, view.high);
      Object.assign(found, { [`low${band}`]: low, [`gain${band}`]: 1 / span });
      view.color.forEach((part, i) => (found[`${'rgb'[i]}${band}`] = view.on ? part : 0));
    });
    return found;
  }
}

/** A layer that draws one channel of errors as heat: clear where they are small. */
export class HeatLayer {
  readonly layer: WebGLTileLayer;
  private readonly source: PlaneSource;

  constructor(
    private readonly picture: Picture,
    frame: Frame,
    channel: number,
    range: { low: number; high: number; opacity: number },
    failure: Failure,
  ) {
    this.source = new PlaneSource(picture, frame, [channel], failure);
    this.layer = new WebGLTileLayer({
      source: this.source,
      extent: extentOf(picture, frame),
      cacheSize: tilesKept(picture, 1),
      zIndex: 1,
      style: { variables: this.variables(range), color: HEAT },
    });
    this.layer.setOpacity(range.opacity);
  }

  show(plane: Plane): void {
    this.source.show(plane);
  }

  update(range: { low: number; high: number; opacity: number }): void {
    this.layer.updateStyleVariables(this.variables(range));
    this.layer.setOpacity(range.opacity);
  }

  private variables({ low, high }: { low: number; high: number }): Record<string, number> {
    const [from, span] = inTexture(this.picture, low, high);
    return { low0: from, gain0: 1 / span };
  }
}

/** Colours of growing errors, as red, green, blue, alpha; the page's legend shows the same. */
export const HEAT_STOPS: [number, [number, number, number, number]][] = [
  [0, [40, 11, 84, 0]],
  [0.25, [101, 21, 110, 0.45]],
  [0.5, [212, 72, 66, 0.75]],
  [0.75, [245, 125, 21, 0.9]],
  [1, [252, 255, 164, 1]],
];

const HEAT = [
  'interpolate',
  ['linear'],
  normalized(0),
  ...HEAT_STOPS.flatMap(([at, color]) => [at, ['color', ...color]]),
];

/** The first view of a channel: what the store says. */
export function initialView(channel: Required<Channel>): ChannelView {
  const { start, end } = channel.window;
  return { on: channel.active, color: channel.color, low: start, high: end };
}

/** World extent of a picture; y grows upwards there, so rows have negative y. */
export function extentOf(picture: Picture, { pixel }: Frame): [number, number, number, number] {
  return [0, -picture.size.y * pixel, picture.size.x * pixel, 0];
}

function gridOf(picture: Picture, frame: Frame): TileGrid {
  const coarsestFirst = [...picture.levels].reverse();
  return new TileGrid({
    extent: extentOf(picture, frame),
    origin: [0, 0],
    resolutions: coarsestFirst.map(({ factor }) => factor * frame.pixel),
    tileSizes: coarsestFirst.map(({ chunk: [height, width] }) => [side(width), side(height)]),
  });
}

/** Side of a tile: a chunk, several small ones, or part of a huge one. */
function side(chunk: number): number {
  if (chunk > LARGE_TILE) return CUT_TILE;
  return chunk * Math.max(1, Math.ceil(SMALL_TILE / chunk));
}

function tilesKept(picture: Picture, bands: number): number {
  const [height, width] = picture.levels[0].chunk.map(side);
  const bytes = height * width * bands * (picture.isBytes ? 1 : 4);
  return Math.min(MOST_TILES, Math.max(FEWEST_TILES, Math.floor(CARD_BYTES / bytes)));
}

function bandsOf(views: readonly ChannelView[]): number[] {
  const all = views.map((_, i) => i);
  if (all.length <= ALWAYS_LOADED) return all;
  const on = all.filter((i) => views[i].on).slice(0, MAX_ON);
  return on.length ? on : [0];
}

/** A window's lower end and span in the units of a texture, where bytes become 0..1. */
function inTexture(picture: Picture, low: number, high: number): [number, number] {
  const unit = picture.isBytes ? 1 / 255 : 1;
  return [low * unit, (high === low ? 1e-9 : high - low) * unit];
}

function normalized(band: number): unknown[] {
  const shifted = ['-', ['band', band + 1], ['var', `low${band}`]];
  return ['clamp', ['*', shifted, ['var', `gain${band}`]], 0, 1];
}

/** The sum of all channels' colours, as in any fluorescence viewer. */
function additive(bands: number): unknown[] {
  const part = (name: string) => {
    const terms = Array.from({ length: bands }, (_, band) => [
      '*',
      normalized(band),
      ['var', `${name}${band}`],
    ]);
    const sum = terms.length === 1 ? terms[0] : ['+', ...terms];
    return ['clamp', ['*', 255, sum], 0, 255];
  };
  return ['color', part('r'), part('g'), part('b'), 1];
}
