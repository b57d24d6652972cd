/** Picture: an OME-Zarr image whose planes can be read tile by tile at any level. */

import { open, root } from 'zarrita';

import { HttpStore, type RangeTrouble } from './bytes';
import { type Chunk, type PixelArray, chunk, keptChunk } from './chunks';
import { type Channel, type ContrastWindow, micrometres, parse, toHex } from './ngff';

export type ZarrFormat = 2 | 3;

export interface Plane {
  t: number;
  z: number;
}

/** A box of one level in pixels. */
export interface Box {
  y: number;
  x: number;
  height: number;
  width: number;
}

export interface Level {
  array: PixelArray;
  height: number;
  width: number;
  /** How many pixels of level 0 one of this level spans, along x. */
  factor: number;
  /** Height and width of a chunk. */
  chunk: [number, number];
}

const AXES = ['t', 'c', 'z', 'y', 'x'] as const;

type Axis = (typeof AXES)[number];

const COLORS = ['00FF66', 'FF00FF', '00AAFF', 'FFAA00', 'FF3355', 'FFFF00', '33FFEE', 'FFFFFF'];

export class Picture {
  private constructor(
    readonly url: string,
    readonly levels: Level[],
    readonly channels: Required<Channel>[],
    readonly size: Record<Axis, number>,
    /** Step along an axis, in micrometres where the axis has a unit of length. */
    readonly step: Record<Axis, number>,
    readonly unit: Record<Axis, string>,
    private readonly position: Record<Axis, number>,
  ) {}

  /** Whether pixels are bytes, which textures hold as they are. */
  get isBytes(): boolean {
    return this.levels[0].array.dtype === 'uint8';
  }

  /** Whether the channels are the red, green and blue of one colour image. */
  get isColour(): boolean {
    const colours = this.channels.map(({ color }) => toHex(color));
    return this.isBytes && colours.join() === 'ff0000,00ff00,0000ff';
  }

  /** Open the image at an address, whose Zarr format is known so that no request is in vain. */
  static async open(url: string, format: ZarrFormat, trouble: RangeTrouble): Promise<Picture> {
    const opened = format === 3 ? open.v3 : open.v2;
    const group = await opened(root(new HttpStore(url, trouble)), { kind: 'group' });
    const described = parse(group.attrs as Record<string, unknown>);
    const arrays = await Promise.all(
      described.levels.map(({ path }) =>
        opened(group.resolve(path), { kind: 'array', attrs: false }),
      ),
    );
    const position = record((axis) => described.axes.indexOf(axis));
    const along = (shape: number[], axis: Axis) => (position[axis] < 0 ? 1 : shape[position[axis]]);
    const size = record((axis) => along(arrays[0].shape, axis));
    const scaleX = described.levels.map(({ scale }) => scale[position.x]);
    const levels = arrays
      .map((array, k) => ({
        array: array as PixelArray,
        height: along(array.shape, 'y'),
        width: along(array.shape, 'x'),
        factor: scaleX[k] / scaleX[0],
        chunk: [along(array.chunks, 'y'), along(array.chunks, 'x')] as [number, number],
      }))
      // A level that is coarser along other axes only adds nothing to what is seen.
      .filter((level, k, all) => k === 0 || level.factor > all[k - 1].factor);
    const named = record((axis) => (position[axis] < 0 ? '' : described.units[position[axis]]));
    const step = record((axis) => {
      const scale = position[axis] < 0 ? 1 : described.levels[0].scale[position[axis]];
      return scale * (micrometres(named[axis]) ?? 1);
    });
    const channels = completed(described.channels, size.c);
    const picture = new Picture(url, levels, channels, size, step, named, position);
    await picture.chooseWindows(described.channels);
    return picture;
  }

  /**
   * Pixels of a box of a plane, interleaved (y, x, channel); beyond the image its edge is repeated.
   */
  async tile(
    level: number,
    plane: Plane,
    box: Box,
    channels: readonly number[],
  ): Promise<Float32Array | Uint8Array> {
    const { array, height, width, chunk: grid } = this.levels[level];
    const count = box.height * box.width * channels.length;
    const tile = this.isBytes ? new Uint8Array(count) : new Float32Array(count);
    const bottom = Math.min(box.y + box.height, height);
    const right = Math.min(box.x + box.width, width);
    const jobs: Promise<void>[] = [];
    channels.forEach((channel, band) => {
      for (let y = box.y; y < bottom; y = (Math.floor(y / grid[0]) + 1) * grid[0]) {
        for (let x = box.x; x < right; x = (Math.floor(x / grid[1]) + 1) * grid[1]) {
          const { where, inside } = this.locate(array, plane, channel, y, x);
          const part = {
            y: y - box.y,
            x: x - box.x,
            height: Math.min(bottom - y, grid[0] - (y % grid[0])),
            width: Math.min(right - x, grid[1] - (x % grid[1])),
          };
          jobs.push(
            chunk(array, this.url, where).then((read) =>
              this.copy(read, inside, tile, part, { box, band, bands: channels.length }),
            ),
          );
        }
      }
    });
    await Promise.all(jobs);
    repeatEdge(tile, box, bottom - box.y, right - box.x, channels.length);
    return tile;
  }

  /** Values of all channels at a pixel of a level, or undefined while they are not loaded. */
  peek(level: number, plane: Plane, y: number, x: number): number[] | undefined {
    const { array } = this.levels[level];
    const values: number[] = [];
    for (let channel = 0; channel < this.size.c; channel++) {
      const { where, inside } = this.locate(array, plane, channel, y, x);
      const found = keptChunk(array, this.url, where);
      if (found) values.push(Number(found.data[offset(found, inside)]));
    }
    return values.length === 0 ? undefined : values;
  }

  /** A contrast window for each channel from the pixels of the coarsest level's plane; of a
   * colour image one for all, so that its colours stay. */
  async contrast(plane: Plane): Promise<ContrastWindow[]> {
    const level = this.levels.length - 1;
    const { height, width } = this.levels[level];
    const box = { y: 0, x: 0, height: Math.min(height, 1024), width: Math.min(width, 1024) };
    const together = this.channels.map((_, channel) => channel);
    return Promise.all(
      together.map(async (channel) => {
        const bands = this.isColour ? together : [channel];
        const tile = (await this.tile(level, plane, box, bands)).filter(Number.isFinite).sort();
        const at = (share: number) => tile[Math.floor(share * (tile.length - 1))] ?? 0;
        const [start, end] = [at(0.001), at(0.999)];
        return { min: at(0), max: at(1), start, end: end > start ? end : start + 1 };
      }),
    );
  }

  private async chooseWindows(named: Channel[]): Promise<void> {
    if (this.channels.every((_, i) => named[i]?.window)) return;
    const middle = { t: this.size.t >> 1, z: this.size.z >> 1 };
    const found = await this.contrast(middle);
    this.channels.forEach((channel, i) => {
      channel.window = named[i]?.window ?? found[i];
    });
  }

  /** The chunk that holds a pixel, and where in it the pixel lies. */
  private locate(array: PixelArray, plane: Plane, channel: number, y: number, x: number) {
    const canonical = { t: plane.t, c: channel, z: plane.z, y, x };
    const where: number[] = new Array(array.shape.length);
    const inside: number[] = new Array(array.shape.length);
    for (const axis of AXES) {
      const i = this.position[axis];
      if (i < 0) continue;
      // Levels of other tools may be coarser along t and z as well.
      const coarser = axis === 't' || axis === 'z' ? array.shape[i] / this.size[axis] : 1;
      const index = Math.floor(canonical[axis] * coarser);
      where[i] = Math.floor(index / array.chunks[i]);
      inside[i] = index % array.chunks[i];
    }
    return { where, inside };
  }

  private copy(
    from: Chunk,
    inside: number[],
    to: Float32Array | Uint8Array,
    part: Box,
    layout: { box: Box; band: number; bands: number },
  ): void {
    const [down, across] = [from.stride[this.position.y], from.stride[this.position.x]];
    const first = offset(from, inside);
    for (let y = 0; y < part.height; y++) {
      let source = first + y * down;
      let target = ((part.y + y) * layout.box.width + part.x) * layout.bands + layout.band;
      for (let x = 0; x < part.width; x++) {
        const value = from.data[source];
        to[target] = value === value ? value : 0;
        source += across;
        target += layout.bands;
      }
    }
  }
}

function offset(found: Chunk, inside: number[]): number {
  return inside.reduce((sum, index, i) => sum + index * found.stride[i], 0);
}

function record<T>(of: (axis: Axis) => T): Record<Axis, T> {
  return Object.fromEntries(AXES.map((axis) => [axis, of(axis)])) as Record<Axis, T>;
}

/** One entry for each channel: what the store says of it, else a name and a colour. */
function completed(named: Channel[], count: number): Required<Channel>[] {
  // Channels of one and the same colour could not be told apart.
  const same = count > 1 && new Set(named.map(({ color }) => color.join())).size === 1;
  return Array.from({ length: count }, (_, i) => {
    const hex = COLORS[i % COLORS.length];
    const color = [0, 2, 4].map((k) => parseInt(hex.slice(k, k + 2), 16) / 255);
    const plain: Channel = {
      name: `channel ${i}`,
      color: (count === 1 ? [1, 1, 1] : color) as Channel['color'],
      active: i < 4,
    };
    const found = named[i] ?? plain;
    return {
      window: { min: 0, max: 1, start: 0, end: 1 },
      ...found,
      color: same ? plain.color : found.color,
    };
  });
}

/** Fill what of a tile lies beyond the image with the pixels of its edge. */
function repeatEdge(
  tile: Float32Array | Uint8Array,
  box: Box,
  height: number,
  width: number,
  bands: number,
): void {
  const row = box.width * bands;
  if (width < box.width) {
    for (let y = 0; y < height; y++) {
      const last = y * row + (width - 1) * bands;
      for (let x = width; x < box.width; x++) {
        tile.copyWithin(y * row + x * bands, last, last + bands);
      }
    }
  }
  for (let y = height; y < box.height; y++) {
    tile.copyWithin(y * row, (height - 1) * row, height * row);
  }
}
