/** OME-NGFF metadata, 0.4 and 0.5, read into what a viewer needs. */

export interface ContrastWindow {
  min: number;
  max: number;
  start: number;
  end: number;
}

export interface Channel {
  name: string;
  /** Red, green and blue in 0..1. */
  color: [number, number, number];
  active: boolean;
  /** Absent where the store names none: the pixels decide. */
  window?: ContrastWindow;
}

export interface Multiscale {
  /** Names of the axes that exist, in the order of the arrays. */
  axes: string[];
  /** Unit of each axis, '' where it has none. */
  units: string[];
  levels: { path: string; scale: number[] }[];
  channels: Channel[];
}

interface Transform {
  type: string;
  scale?: number[];
}

const MICROMETRES: Record<string, number> = {
  angstrom: 1e-4,
  nanometer: 1e-3,
  micrometer: 1,
  millimeter: 1e3,
  centimeter: 1e4,
  meter: 1e6,
};

/** Micrometres in one of a unit, or undefined where it is no length that is known. */
export function micrometres(unit: string): number | undefined {
  return MICROMETRES[unit];
}

/** The multiscale image that a group's attributes describe. */
export function parse(attributes: Record<string, unknown>): Multiscale {
  const ome = (attributes.ome ?? attributes) as Record<string, any>;
  const multiscale = ome.multiscales?.[0];
  if (!multiscale) throw new Error('no OME-Zarr multiscales');
  const axes = multiscale.axes.map((axis: any) => (typeof axis === 'string' ? axis : axis.name));
  const units = multiscale.axes.map((axis: any) => axis.unit ?? '');
  const levels = multiscale.datasets.map((dataset: any) => ({
    path: String(dataset.path),
    scale: scaleOf(axes.length, dataset, multiscale),
  }));
  return { axes, units, levels, channels: (ome.omero?.channels ?? []).map(channelOf) };
}

function scaleOf(rank: number, ...owners: { coordinateTransformations?: Transform[] }[]): number[] {
  const total: number[] = new Array(rank).fill(1);
  for (const owner of owners) {
    for (const transform of owner.coordinateTransformations ?? []) {
      if (transform.type === 'scale') transform.scale?.forEach((s, i) => (total[i] *= s));
    }
  }
  return total.map((s) => (s > 0 ? s : 1));
}

function channelOf(entry: any, index: number): Channel {
  return {
    name: String(entry.label ?? `channel ${index}`),
    color: fromHex(String(entry.color ?? 'FFFFFF')),
    active: entry.active !== false,
    window: entry.window && { min: entry.window.start, max: entry.window.end, ...entry.window },
  };
}

/** A colour written as RRGGBB, with or without #. */
export function fromHex(text: string): [number, number, number] {
  const value = parseInt(text.replace('#', '').slice(0, 6), 16) || 0;
  return [(value >> 16) / 255, ((value >> 8) & 255) / 255, (value & 255) / 255];
}

/** The same as RRGGBB. */
export function toHex(color: readonly number[]): string {
  return color.map((v) => Math.round(v * 255).toString(16).padStart(2, '0')).join('');
}
