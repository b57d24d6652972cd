/** Gallery: the stores there are, opened when they are first needed, and how each lies in the world. */

import Projection from 'ol/proj/Projection';

import { type Frame, extentOf } from './layer';
import { micrometres } from './ngff';
import { Picture, type ZarrFormat } from './picture';

/** A store as `stores.json` lists it. */
export interface Entry {
  name: string;
  url: string;
  zarr: ZarrFormat;
  confidence: string | null;
}

export class Gallery {
  readonly names: string[];
  private readonly opening = new Map<string, Promise<Picture>>();
  private readonly opened = new Map<string, Picture>();
  private first?: Picture;
  private projection?: Projection;

  /** `slow` is told if the server cannot answer ranges. */
  constructor(
    private readonly entries: readonly Entry[],
    private readonly slow: () => void,
  ) {
    this.names = entries.map(({ name }) => name);
  }

  /** Open the first store, whose extent and unit are the world's. */
  async start(): Promise<{ projection: Projection; pixel: number; physical: boolean }> {
    const first = (this.first = await this.open(this.names[0]));
    const physical = isPhysical(first);
    const pixel = physical ? first.step.x : 1;
    const extent = extentOf(first, { pixel } as Frame);
    this.projection = new Projection({ code: 'store', units: 'pixels', extent });
    return { projection: this.projection, pixel, physical };
  }

  open(name: string): Promise<Picture> {
    const { url, zarr } = this.entry(name);
    return this.openAt(name, url, zarr);
  }

  /** The confidence image of a store that has one. */
  openErrors(name: string): Promise<Picture> | undefined {
    const { confidence, zarr } = this.entry(name);
    return confidence === null ? undefined : this.openAt(confidence, confidence, zarr);
  }

  hasErrors(name: string): boolean {
    return this.entry(name).confidence !== null;
  }

  /** A picture that is open, else undefined. */
  picture(name: string): Picture | undefined {
    return this.opened.get(name);
  }

  frame(picture: Picture): Frame {
    return { projection: this.projection!, pixel: this.pixelOf(picture) };
  }

  /** World units in a pixel: its size, or what makes a picture without one as wide as the first. */
  pixelOf(picture: Picture): number {
    const first = this.first!;
    const physical = isPhysical(first);
    if (physical !== isPhysical(picture)) {
      return (first.size.x * this.pixelOf(first)) / picture.size.x;
    }
    return physical ? picture.step.x : picture.step.x / first.step.x;
  }

  private entry(name: string): Entry {
    return this.entries.find((entry) => entry.name === name)!;
  }

  private openAt(key: string, url: string, zarr: ZarrFormat): Promise<Picture> {
    let opening = this.opening.get(key);
    if (!opening) {
      opening = Picture.open(url, zarr, this.slow).then(
        (picture) => {
          this.opened.set(key, picture);
          return picture;
        },
        (error: Error) => {
          this.opening.delete(key);
          throw new Error(`${key} cannot be opened: ${error.message}`);
        },
      );
      this.opening.set(key, opening);
    }
    return opening;
  }
}

function isPhysical(picture: Picture): boolean {
  return micrometres(picture.unit.x) !== undefined;
}
